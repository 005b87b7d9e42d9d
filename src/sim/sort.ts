/**
 * Sorts the events of one bucket by (time, priority, source actor, sequence).
 *
 * The offset inside the bucket is a small integer, so one pass of distribution brings nearly all
 * events into place and an insertion pass ends it: 6 to 8 ns per event against 30 to 60 of a
 * comparison sort. Events of one instant fall into one slot; a slot that is crowded is merge
 * sorted, so that a burst of ties costs n log n and not n squared.
 */

import { CHUNK, RECORD, type RecordPool } from './pool.js';

const SMALL = 20;
const CROWDED = 32;
const SLOT_BITS_MAX = 14;

/** True if the record at `a` comes after the record at `b`, both being of the same instant. */
export function tieAfter(records: Int32Array, a: number, b: number): boolean {
  const order = records[a + 2] - records[b + 2];
  // Sequences wrap at 2^32, so their difference is compared. Orders span 32 bits, so they are not.
  if (order === 0) return ((records[a + 3] - records[b + 3]) | 0) > 0;
  return order > 0;
}

/** A bucket: low word of its start, and its width as a power of two. */
export interface BucketRange {
  readonly low: number;
  readonly bits: number;
}

/** A growing list of (offset, position of the record), sorted in place. */
export class Run {
  /** Offsets from the start of the bucket, in ns. */
  keys = new Int32Array(256);
  /** Where the records lie. */
  positions = new Int32Array(256);
  private spareKeys = new Int32Array(256);
  private sparePositions = new Int32Array(256);
  private readonly slots = new Int32Array(1 << SLOT_BITS_MAX);

  reserve(count: number): void {
    if (count <= this.keys.length) return;
    const length = 2 ** Math.ceil(Math.log2(count));
    const keys = new Int32Array(length);
    keys.set(this.keys);
    this.keys = keys;
    const positions = new Int32Array(length);
    positions.set(this.positions);
    this.positions = positions;
    this.spareKeys = new Int32Array(length);
    this.sparePositions = new Int32Array(length);
  }

  /** Lists the `count` records of the chain that begins at `first`, sorted. */
  fill(pool: RecordPool, first: number, count: number, bucket: BucketRange): void {
    if (count <= SMALL) this.collect(pool, first, count, bucket.low);
    else this.distribute(pool, first, count, bucket);
    this.insert(0, count, pool.records);
  }

  private collect(pool: RecordPool, first: number, count: number, low: number): void {
    const { keys, positions } = this;
    const { records } = pool;
    let i = 0;
    for (let chunk = first; i < count; chunk = pool.after(chunk)) {
      const end = Math.min(count, i + CHUNK / RECORD);
      for (let at = chunk; i < end; at += RECORD) {
        keys[i] = (records[at] - low) | 0;
        positions[i++] = at;
      }
    }
  }

  /** Reads the chain twice, to count and to place: cheaper than to list it first. */
  private distribute(pool: RecordPool, first: number, count: number, bucket: BucketRange): void {
    const { low, bits } = bucket;
    const slotBits = Math.min(bits, 31 - Math.clz32(count), SLOT_BITS_MAX);
    const shift = bits - slotBits;
    const slotCount = 1 << slotBits;
    const { slots, keys, positions } = this;
    const { records } = pool;
    slots.fill(0, 0, slotCount);
    for (let chunk = first, rest = count; rest > 0; chunk = pool.after(chunk)) {
      const end = chunk + Math.min(rest * RECORD, CHUNK);
      for (let at = chunk; at < end; at += RECORD) slots[((records[at] - low) | 0) >>> shift]++;
      rest -= CHUNK / RECORD;
    }
    let sum = 0;
    let crowd = 0;
    for (let s = 0; s < slotCount; s++) {
      const n = slots[s];
      if (n > crowd) crowd = n;
      slots[s] = sum;
      sum += n;
    }
    for (let chunk = first, rest = count; rest > 0; chunk = pool.after(chunk)) {
      const end = chunk + Math.min(rest * RECORD, CHUNK);
      for (let at = chunk; at < end; at += RECORD) {
        const key = (records[at] - low) | 0;
        const to = slots[key >>> shift]++;
        keys[to] = key;
        positions[to] = at;
      }
      rest -= CHUNK / RECORD;
    }
    if (crowd > CROWDED) this.mergeSlots(slotCount, records);
  }

  private mergeSlots(slotCount: number, records: Int32Array): void {
    let from = 0;
    for (let s = 0; s < slotCount; s++) {
      const to = this.slots[s];
      if (to - from > CROWDED) this.merge(from, to, records);
      from = to;
    }
  }

  private insert(from: number, to: number, records: Int32Array): void {
    const keys = this.keys;
    const positions = this.positions;
    for (let i = from + 1; i < to; i++) {
      const key = keys[i];
      const at = positions[i];
      let j = i;
      while (
        j > from &&
        (keys[j - 1] > key || (keys[j - 1] === key && tieAfter(records, positions[j - 1], at)))
      ) {
        keys[j] = keys[j - 1];
        positions[j] = positions[j - 1];
        j--;
      }
      keys[j] = key;
      positions[j] = at;
    }
  }

  /** True if entry `i` must come after entry `j`. */
  private after(records: Int32Array, i: number, j: number): boolean {
    const keys = this.keys;
    if (keys[i] !== keys[j]) return keys[i] > keys[j];
    return tieAfter(records, this.positions[i], this.positions[j]);
  }

  private merge(from: number, to: number, records: Int32Array): void {
    let sorted = from + 1;
    while (sorted < to && !this.after(records, sorted - 1, sorted)) sorted++;
    // Actors that all post for one instant do so in the order of their ids: often there is nothing
    // to do.
    if (sorted === to) return;
    for (let i = from; i < to; i += SMALL) this.insert(i, Math.min(i + SMALL, to), records);
    for (let width = SMALL; width < to - from; width *= 2) {
      for (let i = from; i + width < to; i += 2 * width) {
        this.mergeTwo(i, i + width, Math.min(i + 2 * width, to), records);
      }
    }
  }

  private mergeTwo(from: number, middle: number, to: number, records: Int32Array): void {
    if (!this.after(records, middle - 1, middle)) return;
    const { keys, positions, spareKeys, sparePositions } = this;
    let left = from;
    let right = middle;
    for (let i = from; i < to; i++) {
      const takeRight = left === middle || (right < to && this.after(records, left, right));
      const next = takeRight ? right++ : left++;
      spareKeys[i] = keys[next];
      sparePositions[i] = positions[next];
    }
    keys.set(spareKeys.subarray(from, to), from);
    positions.set(sparePositions.subarray(from, to), from);
  }
}
