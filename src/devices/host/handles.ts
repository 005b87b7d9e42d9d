/**
 * What devices hold: one slot per handle of every device of a shard, in typed arrays, 16 bytes
 * each.
 *
 * A handle is what a driver keeps of an allocation: CPU address and dma_addr_t, here a pfn, the
 * size asked for, and where it came from.
 */

export const EMPTY = 0;
export const ASKED = 1;
export const HELD = 2;
export const FREEING = 3;

/** Sizes are kept as 32-bit numbers. */
const SIZE_MAX = 2 ** 32 - 1;

export class Handles {
  state: Uint8Array;
  /** MODE_* of dma.ts. */
  mode: Uint8Array;
  /** Bytes, as asked for; pages of a raw cma_alloc(). */
  size: Uint32Array;
  nid: Int16Array;
  /**
   * While it is asked for: since when, ns. Afterwards: the first pfn; of MODE_BULK, the request.
   */
  #word: Float64Array;
  #count: number;

  constructor(count: number) {
    this.state = new Uint8Array(count);
    this.mode = new Uint8Array(count);
    this.size = new Uint32Array(count);
    this.nid = new Int16Array(count);
    this.#word = new Float64Array(count);
    this.#count = count;
  }

  /** Makes room for `count` more; returns the first. */
  grow(count: number): number {
    const first = this.#count;
    this.#count += count;
    if (this.#count > this.state.length) {
      const room = Math.max(this.#count, 2 * first);
      this.state = copied(new Uint8Array(room), this.state);
      this.mode = copied(new Uint8Array(room), this.mode);
      this.size = copied(new Uint32Array(room), this.size);
      this.nid = copied(new Int16Array(room), this.nid);
      this.#word = copied(new Float64Array(room), this.#word);
    }
    return first;
  }

  /** @throws RangeError for more than 4 GiB. */
  ask(slot: number, size: number, mode: number, now: number): void {
    if (!(size > 0 && size <= SIZE_MAX)) throw new RangeError(`a device asks for ${size} bytes`);
    this.state[slot] = ASKED;
    this.mode[slot] = mode;
    this.size[slot] = size;
    this.#word[slot] = now;
  }

  /** Returns when it was asked for. */
  grant(slot: number, word: number, nid: number): number {
    const since = this.#word[slot];
    this.state[slot] = HELD;
    this.nid[slot] = nid;
    this.#word[slot] = word;
    return since;
  }

  get bytes(): number {
    const arrays = [this.state, this.mode, this.size, this.nid, this.#word];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** What the free names: the first pfn, or the request that MODE_BULK pages were granted to. */
  word(slot: number): number {
    return this.#word[slot];
  }
}

function copied<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}
