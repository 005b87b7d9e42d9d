/**
 * How wide the buckets of the event queue should be, from what was seen since the last look.
 *
 * Four things cost: buckets with too few events (each must be opened), so many that fill at once
 * that the ends of their chunks no longer fit the cache, events that reach their bucket in two
 * steps because it lay beyond level 0, and events that land in the bucket being served, which go
 * through a heap. The width never changes the order of events, so none of this can change a result.
 */

import { CHUNK, RECORD } from './pool.js';
import type { Wheel } from './wheel.js';

/** Widest bucket: 2^20 ns. Wider ones would only feed the heap. */
const WIDTH_BITS_MAX = 20;
/** Events between two looks, or as many as are pending if these are more. */
const EVENTS_MIN = 8192;
const CROWDED_BUCKET = 8192;
const FULL_BUCKET = 512;
const THIN_BUCKET = 8;
const STREAMS_MAX = 192;
const DEEP_HEAP = 32;

export class Pace {
  /** Events of the buckets that were opened. */
  served = 0;
  /** Buckets opened. */
  activations = 0;
  /** Events that went through the heap, and the sum of its sizes when they came. */
  heaped = 0;
  heapWork = 0;
  /** Events moved down from a higher level. */
  spreads = 0;
  private due = EVENTS_MIN;

  isDue(): boolean {
    return this.served + this.heaped > this.due;
  }

  /** The width to go on with, as a power of two; forgets what was seen. */
  review(bits: number, wheel: Wheel): number {
    const next = Math.max(0, Math.min(WIDTH_BITS_MAX, bits + this.change(wheel)));
    this.served = 0;
    this.activations = 0;
    this.heaped = 0;
    this.heapWork = 0;
    this.spreads = 0;
    this.due = Math.max(EVENTS_MIN, wheel.chunks * (CHUNK / RECORD));
    return next;
  }

  private change(wheel: Wheel): number {
    const events = this.served + this.heaped;
    const perBucket = events / Math.max(1, this.activations);
    const heapDepth = this.heapWork / Math.max(1, this.heaped);
    const heapIsDeep = this.heaped > events / 4 && heapDepth > DEEP_HEAP;
    if (perBucket > CROWDED_BUCKET) return -1;
    if (heapIsDeep) return perBucket > THIN_BUCKET ? -2 : 0;
    if (perBucket > CROWDED_BUCKET / 4) return 0;
    if (perBucket < THIN_BUCKET || this.spreads > events / 4) return 2;
    if (this.spreads > events / 32) return 1;
    return perBucket < FULL_BUCKET && wheel.countOccupied() > STREAMS_MAX ? 1 : 0;
  }
}
