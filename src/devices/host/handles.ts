/**
 * Handles of devices: one slot for each on a shard, in typed arrays, 16 bytes.
 *
 * A handle is what a driver keeps of an allocation: CPU address and dma_addr_t, here a pfn, the
 * size asked for, and where it came from.
 */

import { Bytes } from '../../mm/units.js';
import { type Mode, modes } from '../../wire/request.js';

export const EMPTY = 0;
const ASKED = 1;
export const HELD = 2;
export const FREEING = 3;

export class Handles {
  state: Uint8Array;
  #mode: Uint8Array;
  /** Bytes, as asked for; 0: in `#large`. */
  #size: Uint32Array;
  /** Slot -> bytes that 32 bits do not hold. */
  readonly #large = new Map<number, number>();
  nid: Int16Array;
  /** While it is asked for: since when, ns. Then: what it holds, as held() says. */
  #word: Float64Array;
  #count: number;

  constructor(count: number) {
    this.state = new Uint8Array(count);
    this.#mode = new Uint8Array(count);
    this.#size = new Uint32Array(count);
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
      this.#mode = copied(new Uint8Array(room), this.#mode);
      this.#size = copied(new Uint32Array(room), this.#size);
      this.nid = copied(new Int16Array(room), this.nid);
      this.#word = copied(new Float64Array(room), this.#word);
    }
    return first;
  }

  /** @throws RangeError for nothing. */
  ask(slot: number, size: Bytes, mode: Mode, now: number): void {
    if (!(size > 0)) throw new RangeError(`a device asks for ${size} bytes, expected at least one`);
    this.state[slot] = ASKED;
    this.#mode[slot] = modes.indexOf(mode);
    this.#size[slot] = size < 2 ** 32 ? size : 0;
    if (size >= 2 ** 32) this.#large.set(slot, size);
    this.#word[slot] = now;
  }

  /** Returns when it was asked for. */
  grant(slot: number, held: number, nid: number): number {
    const since = this.#word[slot];
    this.state[slot] = HELD;
    this.nid[slot] = nid;
    this.#word[slot] = held;
    return since;
  }

  /** What a free gives back: the first pfn, or the request that scattered pages were granted to. */
  held(slot: number): number {
    return this.#word[slot];
  }

  size(slot: number): Bytes {
    return Bytes(this.#size[slot] || this.#large.get(slot)!);
  }

  mode(slot: number): Mode {
    return modes[this.#mode[slot]];
  }

  get bytes(): number {
    const arrays = [this.state, this.#mode, this.#size, this.nid, this.#word];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}

function copied<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}
