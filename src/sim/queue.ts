/**
 * Pending events of one shard, in the order (time, priority, source actor, sequence of that
 * source).
 *
 * A wheel of buckets in four levels, each 1024 times wider than the one below; a bucket is sorted
 * when its turn comes. Events that land in the bucket being served go to a small heap; those more
 * than 2^31 ns ahead wait in a list. The width of a bucket follows the density of events and never
 * changes the order. Occupied buckets are bits, so that a jump over empty time costs the same as a
 * step.
 */

import { EventHeap } from './heap.js';
import { Pace } from './pace.js';
import { CHUNK, HAS_PAYLOAD, RECORD, RecordPool } from './pool.js';
import { Run, tieAfter } from './sort.js';
import { BUCKET_BITS, BUCKETS, LEVELS, Wheel } from './wheel.js';

export class EventQueue {
  readonly pool = new RecordPool();
  /** Time of the event taken last. */
  time = 0;
  /** Start of the bucket being served, in ns; no pending event is earlier. */
  base = 0;
  private baseLow = 0;
  /** High word of the time, the same for all events of the bucket being served. */
  high = 0;
  /**
   * Distance of the first bucket that can be appended to: 1 if the base's own is being served, else
   * 0.
   */
  private firstOpen = 0;
  /** Buckets of level 0 from there on. */
  private span = BUCKETS;
  private widthBits: number;
  readonly run = new Run();
  /** Position in the run of the event that is next; a caller that takes events itself sets it. */
  cursor = 0;
  private runEnd = 0;
  private chainFirst = 0;
  private chainLast = 0;
  /** What came into the bucket being served after it was sorted. */
  readonly near = new EventHeap();
  private readonly wheel = new Wheel(this.pool);
  private readonly tail = this.wheel.tail;
  /** Start of the first occupied bucket above level 0. */
  private cascadeAt = Infinity;
  /** Earliest event above level 0; NaN if it must be looked for. */
  private highMin = Infinity;
  /** Events more than 2^31 ns ahead. */
  private far: { time: number; at: number }[] = [];
  private farMin = Infinity;
  private readonly pace = new Pace();

  /** `widthBits`: a first guess at the bucket's width in ns, as a power of two. */
  constructor(widthBits = 8) {
    this.widthBits = widthBits;
  }

  /** Adds an event at `time` (whole ns, not before the last one taken) and returns its position. */
  push(time: number, word: number, order: number, sequence: number): number {
    const distance = time - this.base;
    const d = distance | 0;
    // One comparison for: not in the bucket being served, and not beyond level 0. Far events, and
    // times that are no whole numbers, do not survive the conversion to 32 bits.
    if (d !== distance || ((d >>> this.widthBits) - this.firstOpen) >>> 0 >= this.span) {
      return this.pushElsewhere(time, word, order, sequence);
    }
    const low = (this.baseLow + d) | 0;
    const bucket = (low >>> this.widthBits) & (BUCKETS - 1);
    let at = this.tail[bucket];
    if ((at & (CHUNK - 1)) === 0) at = this.wheel.extend(bucket, at);
    this.tail[bucket] = at + RECORD;
    const { records } = this.pool;
    records[at] = low;
    records[at + 1] = word;
    records[at + 2] = order;
    records[at + 3] = sequence;
    return at;
  }

  /**
   * Takes the first event before `limit`: its position, and its time in `time`. 0 if there is none;
   * from then on nothing before `limit` may be pushed.
   */
  take(limit: number): number {
    for (;;) {
      const inRun = this.cursor < this.runEnd;
      if (this.near.size > 0 && !(inRun && this.runIsFirst(this.cursor))) {
        const time = this.timeOf(this.near.items[0]);
        if (time >= limit) return 0;
        this.time = time;
        const at = this.near.pop(this.pool.records);
        // The record stays readable until the next push.
        this.pool.giveSpare(at);
        return at;
      }
      if (inRun) {
        const time = this.base + this.run.keys[this.cursor];
        if (time >= limit) return 0;
        this.time = time;
        return this.run.positions[this.cursor++];
      }
      if (!this.advance(limit)) return 0;
    }
  }

  /** Position in the run behind the last event before `limit`. */
  ready(limit: number): number {
    const { keys } = this.run;
    let end = this.runEnd;
    if (end === 0 || this.base + keys[end - 1] < limit) return end;
    let from = this.cursor;
    while (from < end) {
      const middle = (from + end) >>> 1;
      if (this.base + keys[middle] < limit) from = middle + 1;
      else end = middle;
    }
    return from;
  }

  /** Time of the first event, Infinity if there is none. Changes nothing. */
  next(): number {
    let first = Infinity;
    if (this.cursor < this.runEnd) first = this.base + this.run.keys[this.cursor];
    if (this.near.size > 0) first = Math.min(first, this.timeOf(this.near.items[0]));
    if (first < Infinity) return first;
    const distance = this.firstOf(0);
    if (distance >= 0)
      first = this.earliest(((this.baseLow >>> this.widthBits) + distance) & (BUCKETS - 1));
    if (Number.isNaN(this.highMin)) this.highMin = this.earliestHigh();
    return Math.min(first, this.highMin, this.farMin);
  }

  /** All pending events in their order: time, and position of the record. */
  pending(): { time: number; at: number }[] {
    const events = [...this.far];
    const add = (at: number): void => {
      events.push({ time: this.timeOf(at), at });
    };
    for (let i = this.cursor; i < this.runEnd; i++) add(this.run.positions[i]);
    for (let i = 0; i < this.near.size; i++) add(this.near.items[i]);
    for (let bucket = 0; bucket < LEVELS * BUCKETS; bucket++) this.wheel.forEach(bucket, add);
    const { records } = this.pool;
    return events.sort((a, b) => a.time - b.time || (tieAfter(records, a.at, b.at) ? 1 : -1));
  }

  private timeOf(at: number): number {
    return this.base + ((this.pool.records[at] - this.baseLow) >>> 0);
  }

  private pushElsewhere(time: number, word: number, order: number, sequence: number): number {
    const distance = time - this.base;
    const d = distance | 0;
    if (d !== distance || d < 0) return this.pushFar(time, word, order, sequence);
    const low = (this.baseLow + d) | 0;
    const isNear = d >>> this.widthBits < this.firstOpen;
    return isNear
      ? this.pushNear(low, word, order, sequence)
      : this.place(d, word, order, sequence);
  }

  /** Appends to the bucket `d` ns after the base, on any level. */
  private place(d: number, word: number, order: number, sequence: number): number {
    const low = (this.baseLow + d) | 0;
    const bits = this.widthBits;
    const bucket = d >>> bits < BUCKETS ? (low >>> bits) & (BUCKETS - 1) : this.highBucket(low, d);
    let at = this.tail[bucket];
    if ((at & (CHUNK - 1)) === 0) at = this.wheel.extend(bucket, at);
    this.tail[bucket] = at + RECORD;
    this.pool.write(at, low, word, order, sequence);
    return at;
  }

  private highBucket(low: number, d: number): number {
    const time = this.base + d;
    if (time < this.highMin) this.highMin = time;
    let level = 1;
    let shift = this.widthBits + BUCKET_BITS;
    let distance = ((low >>> shift) - (this.baseLow >>> shift)) & (-1 >>> shift);
    while (distance >= BUCKETS) {
      level++;
      shift += BUCKET_BITS;
      distance = ((low >>> shift) - (this.baseLow >>> shift)) & (-1 >>> shift);
    }
    const start = this.start(shift, distance);
    if (start < this.cascadeAt) this.cascadeAt = start;
    return level * BUCKETS + ((low >>> shift) & (BUCKETS - 1));
  }

  /** Start of the bucket `distance` after the base's own, on the level with this shift. */
  private start(shift: number, distance: number): number {
    // Shift 31 is possible, and 1 << 31 is negative.
    const width = (1 << shift) >>> 0;
    return this.base - (this.baseLow & (width - 1)) + distance * width;
  }

  /**
   * Distance in buckets from the base to the first occupied bucket of a level, -1 if there is none.
   */
  private firstOf(level: number): number {
    const shift = this.widthBits + level * BUCKET_BITS;
    const distance = this.wheel.firstFrom(level, (this.baseLow >>> shift) & (BUCKETS - 1));
    // The top level has fewer than 1024 buckets: its ring closes where the low word of the time
    // does.
    return distance < 0 ? -1 : distance & (-1 >>> shift);
  }

  private earliest(bucket: number): number {
    let first = Infinity;
    this.wheel.forEach(bucket, (at) => {
      first = Math.min(first, this.timeOf(at));
    });
    return first;
  }

  private earliestHigh(): number {
    let first = Infinity;
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const distance = this.firstOf(level);
      if (distance < 0 || this.start(shift, distance) >= first) continue;
      const bucket = ((this.baseLow >>> shift) + distance) & (-1 >>> shift) & (BUCKETS - 1);
      first = Math.min(first, this.earliest(level * BUCKETS + bucket));
    }
    return first;
  }

  private runIsFirst(i: number): boolean {
    const records = this.pool.records;
    const top = this.near.items[0];
    const key = (records[top] - this.baseLow) | 0;
    const runKey = this.run.keys[i];
    return runKey !== key ? runKey < key : tieAfter(records, top, this.run.positions[i]);
  }

  /** Makes the next bucket that starts before `limit` the one being served. */
  private advance(limit: number): boolean {
    if (this.chainFirst !== 0) {
      this.pool.giveChain(this.chainFirst, this.chainLast);
      this.chainFirst = 0;
    }
    if (this.pace.isDue()) {
      const bits = this.pace.review(this.widthBits, this.wheel);
      if (bits !== this.widthBits) this.setWidth(bits);
    }
    for (;;) {
      const distance = this.firstOf(0);
      const start = distance < 0 ? Infinity : this.base + distance * (1 << this.widthBits);
      const first = Math.min(start, this.cascadeAt);
      if (Math.min(first, this.farMin) >= limit) return false;
      if (this.farMin - 2 ** 30 <= first) this.fetchFar(Math.min(first, this.farMin));
      else if (this.cascadeAt <= start) this.cascade();
      else {
        this.activate(start);
        return true;
      }
    }
  }

  private moveTo(time: number): void {
    const into = (time | 0) & ((1 << this.widthBits) - 1);
    this.base = time - into;
    this.baseLow = this.base | 0;
    this.high = (this.base * 2 ** -32) | 0;
    this.firstOpen = 0;
    this.span = BUCKETS;
  }

  private activate(start: number): void {
    this.moveTo(start);
    const { pool, run } = this;
    const bucket = (this.baseLow >>> this.widthBits) & (BUCKETS - 1);
    const first = this.wheel.head[bucket];
    let last = first;
    let chunks = 1;
    for (let at = pool.after(first); at !== 0; at = pool.after(at)) {
      last = at;
      chunks++;
    }
    const tail = this.tail[bucket];
    const count = (chunks - 1) * (CHUNK / RECORD) + (tail - last) / RECORD;
    run.reserve(count);
    run.fill(pool, first, count, { low: this.baseLow, bits: this.widthBits });
    this.cursor = 0;
    this.runEnd = count;
    this.chainFirst = first;
    this.chainLast = last;
    this.wheel.chunks -= chunks;
    this.wheel.vacate(bucket);
    this.firstOpen = 1;
    this.span = BUCKETS - 1;
    this.pace.served += count;
    this.pace.activations++;
  }

  /** Spreads the first occupied bucket above level 0 over the levels below it. */
  private cascade(): void {
    this.moveTo(this.cascadeAt);
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const bucket = level * BUCKETS + ((this.baseLow >>> shift) & (BUCKETS - 1));
      const first = this.wheel.head[bucket];
      if (first === 0) continue;
      const tail = this.tail[bucket];
      this.wheel.vacate(bucket);
      this.spread(first, tail);
    }
    this.highMin = Number.NaN;
    this.findCascade();
  }

  private findCascade(): void {
    this.cascadeAt = Infinity;
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const distance = this.firstOf(level);
      if (distance < 0) continue;
      this.cascadeAt = Math.min(this.cascadeAt, this.start(shift, distance));
    }
  }

  /** Places the records of a chain anew; `tail` is the end of the last chunk. */
  private spread(first: number, tail: number): void {
    const pool = this.pool;
    let at = first;
    while (at !== 0) {
      const after = pool.after(at);
      const end = after === 0 ? tail : at + CHUNK;
      for (let i = at; i < end; i += RECORD) this.move(i, (pool.records[i] - this.baseLow) >>> 0);
      pool.giveChain(at, at);
      this.pace.spreads += (end - at) / RECORD;
      this.wheel.chunks--;
      at = after;
    }
  }

  private move(from: number, d: number): void {
    const records = this.pool.records;
    const word = records[from + 1];
    const at = this.place(d, word, records[from + 2], records[from + 3]);
    if ((word & HAS_PAYLOAD) !== 0) this.pool.slots[at >>> 2] = this.pool.slots[from >>> 2];
  }

  private setWidth(bits: number): void {
    const chains: number[] = [];
    for (let bucket = 0; bucket < this.wheel.head.length; bucket++) {
      if (this.wheel.head[bucket] === 0) continue;
      chains.push(this.wheel.head[bucket], this.tail[bucket]);
      this.wheel.vacate(bucket);
    }
    this.widthBits = bits;
    this.cascadeAt = Infinity;
    this.highMin = Infinity;
    this.moveTo(this.base);
    for (let i = 0; i < chains.length; i += 2) this.spread(chains[i], chains[i + 1]);
    this.pace.spreads = 0;
  }

  private pushNear(low: number, word: number, order: number, sequence: number): number {
    const pool = this.pool;
    const at = pool.takeSpare();
    this.pool.write(at, low, word, order, sequence);
    this.pace.heaped++;
    this.pace.heapWork += this.near.size;
    this.near.push(at, this.pool.records);
    return at;
  }

  private pushFar(time: number, word: number, order: number, sequence: number): number {
    if (!(time >= this.base && Number.isSafeInteger(time))) {
      throw new RangeError(`event at ${time} ns: expected a whole number from ${this.base} on`);
    }
    const at = this.pool.takeSpare();
    this.pool.write(at, 0, word, order, sequence);
    this.far.push({ time, at });
    this.farMin = Math.min(this.farMin, time);
    return at;
  }

  /** Moves to `time`, before which nothing is pending, and places what has come within 2^31 ns. */
  private fetchFar(time: number): void {
    this.moveTo(time);
    const far = this.far;
    this.far = [];
    this.farMin = Infinity;
    for (const event of far) {
      const distance = event.time - this.base;
      if (distance < 2 ** 31) {
        this.move(event.at, distance);
        this.pool.giveSpare(event.at);
      } else {
        this.far.push(event);
        this.farMin = Math.min(this.farMin, event.time);
      }
    }
  }
}
