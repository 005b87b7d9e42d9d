/**
 * What devices hold: one slot per handle of every device of a shard, in typed arrays.
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
  readonly state: Uint8Array;
  /** MODE_* of dma.ts. */
  readonly mode: Uint8Array;
  /** Bytes, as asked for; pages of a raw cma_alloc(). */
  readonly size: Uint32Array;
  readonly nid: Int16Array;
  /** Area index, or BUDDY. */
  readonly source: Int16Array;
  /** While it is asked for: since when, ns. Afterwards: the first pfn. */
  readonly #word: Float64Array;

  constructor(count: number) {
    this.state = new Uint8Array(count);
    this.mode = new Uint8Array(count);
    this.size = new Uint32Array(count);
    this.nid = new Int16Array(count);
    this.source = new Int16Array(count);
    this.#word = new Float64Array(count);
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
  grant(slot: number, pfn: number, nid: number, source: number): number {
    const since = this.#word[slot]!;
    this.state[slot] = HELD;
    this.nid[slot] = nid;
    this.source[slot] = source;
    this.#word[slot] = pfn;
    return since;
  }

  pfn(slot: number): number {
    return this.#word[slot]!;
  }
}
