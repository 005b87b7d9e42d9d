/**
 * Pending events of one shard, in the order (time, priority, source actor, sequence of that source).
 *
 * A wheel of buckets in four levels, each 1024 times wider than the one below; a bucket is sorted when its
 * turn comes. Events that land in the bucket being served go to a small heap; those more than 2^31 ns
 * ahead wait in a list. The width of a bucket follows the density of events and never changes the order.
 * Occupied buckets are bits, so that a jump over empty time costs the same as a step.
 */

import { EventHeap } from './heap.js';
import { CHUNK, HAS_PAYLOAD, RECORD, RecordPool } from './pool.js';
import { Run, tieAfter } from './sort.js';

const BUCKET_BITS = 10;
const BUCKETS = 1 << BUCKET_BITS;
const LEVELS = 4;
const WORDS = BUCKETS / 32;
/** Widest bucket: 2^20 ns. Wider ones would only feed the heap. */
const WIDTH_BITS_MAX = 20;
/** Events between two looks at the width. */
const REVIEW = 8192;
const CROWDED_BUCKET = 8192;
const THIN_BUCKET = 32;
const DEEP_HEAP = 32;

export class EventQueue {
  readonly pool = new RecordPool();
  /** Time of the event taken last. */
  time = 0;
  /** Start of the bucket being served, in ns; no pending event is earlier. */
  base = 0;
  private baseLow = 0;
  /** High word of the time, the same for all events of the bucket being served. */
  high = 0;
  /** Width of the bucket being served if one is, else 0. */
  private taken = 0;
  private widthBits: number;
  readonly run = new Run();
  /** Position in the run of the event that is next; a caller that takes events itself sets it. */
  cursor = 0;
  private runEnd = 0;
  private chainFirst = 0;
  private chainLast = 0;
  /** What came into the bucket being served after it was sorted. */
  readonly near = new EventHeap();
  private readonly head = new Int32Array(LEVELS * BUCKETS);
  /** Position behind the last record of each bucket; 0 if it is empty. */
  private readonly tail = new Int32Array(LEVELS * BUCKETS);
  private readonly occupied = new Int32Array(LEVELS * WORDS);
  private readonly summary = new Int32Array(LEVELS);
  /** Start of the first occupied bucket above level 0. */
  private cascadeAt = Infinity;
  /** Earliest event above level 0; NaN if it must be looked for. */
  private highMin = Infinity;
  private readonly farTimes: number[] = [];
  private readonly farAt: number[] = [];
  private farMin = Infinity;
  // What the next review of the width looks at.
  private served = 0;
  private activations = 0;
  private heaped = 0;
  private heapWork = 0;
  private spreads = 0;
  private reviewAfter = REVIEW;
  private chunksPending = 0;

  /** `widthBits`: a first guess at the bucket's width in ns, as a power of two. */
  constructor(widthBits = 12) {
    this.widthBits = widthBits;
  }

  /** Adds an event at `time` (whole ns, not before the last one taken) and returns its position. */
  push(time: number, word: number, order: number, sequence: number): number {
    const distance = time - this.base;
    const d = distance | 0;
    if (d !== distance || d < 0) return this.pushFar(time, word, order, sequence);
    if (d < this.taken) return this.pushNear((this.baseLow + d) | 0, word, order, sequence);
    return this.place(d, word, order, sequence);
  }

  /**
   * Takes the first event before `limit`: its position, and its time in `time`. 0 if there is none; from
   * then on nothing before `limit` may be pushed.
   */
  take(limit: number): number {
    if (this.near.size === 0) {
      const i = this.cursor;
      if (i < this.runEnd) {
        const time = this.base + this.run.keys[i];
        if (time >= limit) return 0;
        this.time = time;
        this.cursor = i + 1;
        return this.run.positions[i];
      }
    }
    return this.takeMerged(limit);
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
    const distance = this.firstFrom(0);
    if (distance >= 0) first = this.earliest(((this.baseLow >>> this.widthBits) + distance) & 1023);
    if (Number.isNaN(this.highMin)) this.highMin = this.earliestHigh();
    return Math.min(first, this.highMin, this.farMin);
  }

  /** All pending events in their order: time, and position of the record. */
  pending(): { time: number; at: number }[] {
    const events = this.farAt.map((at, i) => ({ time: this.farTimes[i], at }));
    const add = (at: number): void => {
      events.push({ time: this.timeOf(at), at });
    };
    for (let i = this.cursor; i < this.runEnd; i++) add(this.run.positions[i]);
    for (let i = 0; i < this.near.size; i++) add(this.near.items[i]);
    for (let bucket = 0; bucket < this.head.length; bucket++) {
      for (let at = this.head[bucket]; at !== 0; at = this.pool.after(at)) {
        const end = this.pool.after(at) === 0 ? this.tail[bucket] : at + CHUNK;
        for (let i = at; i < end; i += RECORD) add(i);
      }
    }
    const { records } = this.pool;
    return events.sort((a, b) => a.time - b.time || (tieAfter(records, a.at, b.at) ? 1 : -1));
  }

  private timeOf(at: number): number {
    return this.base + ((this.pool.records[at] - this.baseLow) >>> 0);
  }

  /** Appends to the bucket `d` ns after the base. */
  private place(d: number, word: number, order: number, sequence: number): number {
    const low = (this.baseLow + d) | 0;
    const bits = this.widthBits;
    const bucket = d >>> bits < BUCKETS ? (low >>> bits) & (BUCKETS - 1) : this.highBucket(low, d);
    let at = this.tail[bucket];
    if ((at & (CHUNK - 1)) === 0) at = this.extend(bucket, at);
    this.tail[bucket] = at + RECORD;
    const records = this.pool.records;
    records[at] = low;
    records[at + 1] = word;
    records[at + 2] = order;
    records[at + 3] = sequence;
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
    return this.base - (this.baseLow & ((1 << shift) - 1)) + distance * (1 << shift);
  }

  /** Gives a bucket whose last chunk is full, or that has none, another one. */
  private extend(bucket: number, at: number): number {
    const chunk = this.pool.takeChunk();
    this.chunksPending++;
    if (at === 0) {
      this.head[bucket] = chunk;
      this.occupied[bucket >>> 5] |= 1 << (bucket & 31);
      this.summary[bucket >>> BUCKET_BITS] |= 1 << ((bucket >>> 5) & (WORDS - 1));
    } else {
      this.pool.link(at - RECORD, chunk);
    }
    return chunk;
  }

  private vacate(bucket: number): void {
    this.head[bucket] = 0;
    this.tail[bucket] = 0;
    const word = bucket >>> 5;
    this.occupied[word] &= ~(1 << (bucket & 31));
    if (this.occupied[word] === 0) this.summary[bucket >>> BUCKET_BITS] &= ~(1 << (word & 31));
  }

  /** Distance in buckets from the base to the first occupied bucket of a level, -1 if there is none. */
  private firstFrom(level: number): number {
    const summary = this.summary[level];
    if (summary === 0) return -1;
    const shift = this.widthBits + level * BUCKET_BITS;
    const from = (this.baseLow >>> shift) & (BUCKETS - 1);
    const word = from >>> 5;
    const words = level * WORDS;
    const here = this.occupied[words + word] & (-1 << (from & 31));
    if (here !== 0) return ((word << 5) | lowestBit(here)) - from;
    const above = word === 31 ? 0 : summary & (-1 << (word + 1));
    // Wrapped round: the part of this word below `from` comes last, so the lowest bit is right.
    const found = lowestBit(above !== 0 ? above : summary);
    const bucket = (found << 5) | lowestBit(this.occupied[words + found]);
    return (bucket - from) & (BUCKETS - 1);
  }

  private earliest(bucket: number): number {
    let first = Infinity;
    const tail = this.tail[bucket];
    for (let at = this.head[bucket]; at !== 0; at = this.pool.after(at)) {
      const end = this.pool.after(at) === 0 ? tail : at + CHUNK;
      for (let i = at; i < end; i += RECORD) first = Math.min(first, this.timeOf(i));
    }
    return first;
  }

  private earliestHigh(): number {
    let first = Infinity;
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const distance = this.firstFrom(level);
      if (distance < 0 || this.start(shift, distance) >= first) continue;
      const bucket = ((this.baseLow >>> shift) + distance) & (BUCKETS - 1);
      first = Math.min(first, this.earliest(level * BUCKETS + bucket));
    }
    return first;
  }

  private takeMerged(limit: number): number {
    for (;;) {
      const i = this.cursor;
      const inRun = i < this.runEnd;
      if (this.near.size > 0 && !(inRun && this.runIsFirst(i))) {
        const time = this.timeOf(this.near.items[0]);
        if (time >= limit) return 0;
        this.time = time;
        const at = this.near.pop(this.pool.records);
        // The record stays readable until the next push.
        this.pool.giveSpare(at);
        return at;
      }
      if (inRun) {
        const time = this.base + this.run.keys[i];
        if (time >= limit) return 0;
        this.time = time;
        this.cursor = i + 1;
        return this.run.positions[i];
      }
      if (!this.advance(limit)) return 0;
    }
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
    if (this.served + this.heaped > this.reviewAfter) this.review();
    for (;;) {
      const distance = this.firstFrom(0);
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
    this.taken = 0;
  }

  private activate(start: number): void {
    this.moveTo(start);
    const bits = this.widthBits;
    const bucket = (this.baseLow >>> bits) & (BUCKETS - 1);
    const { pool, run, baseLow } = this;
    const records = pool.records;
    const tail = this.tail[bucket];
    let count = 0;
    let chunks = 0;
    let last = 0;
    for (let at = this.head[bucket]; at !== 0; at = pool.after(at)) {
      last = at;
      chunks++;
      run.reserve(count + CHUNK / RECORD);
      const end = pool.after(at) === 0 ? tail : at + CHUNK;
      const { keys, positions } = run;
      for (let i = at; i < end; i += RECORD) {
        keys[count] = (records[i] - baseLow) | 0;
        positions[count++] = i;
      }
    }
    run.sort(count, bits, records);
    this.cursor = 0;
    this.runEnd = count;
    this.chainFirst = this.head[bucket];
    this.chainLast = last;
    this.chunksPending -= chunks;
    this.vacate(bucket);
    this.taken = 1 << bits;
    this.served += count;
    this.activations++;
  }

  /** Spreads the first occupied bucket above level 0 over the levels below it. */
  private cascade(): void {
    this.moveTo(this.cascadeAt);
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const bucket = level * BUCKETS + ((this.baseLow >>> shift) & (BUCKETS - 1));
      const first = this.head[bucket];
      if (first === 0) continue;
      const tail = this.tail[bucket];
      this.vacate(bucket);
      this.spread(first, tail);
    }
    this.highMin = Number.NaN;
    this.findCascade();
  }

  private findCascade(): void {
    this.cascadeAt = Infinity;
    let shift = this.widthBits + BUCKET_BITS;
    for (let level = 1; level < LEVELS && shift < 32; level++, shift += BUCKET_BITS) {
      const distance = this.firstFrom(level);
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
      this.spreads += (end - at) / RECORD;
      this.chunksPending--;
      at = after;
    }
  }

  private move(from: number, d: number): void {
    const records = this.pool.records;
    const word = records[from + 1];
    const at = this.place(d, word, records[from + 2], records[from + 3]);
    if ((word & HAS_PAYLOAD) !== 0) this.pool.slots[at >>> 2] = this.pool.slots[from >>> 2];
  }

  /**
   * Fits the width of a bucket to what was seen since the last review. An event that reaches its bucket
   * in two steps costs more than a large bucket does, and the heap more than either.
   */
  private review(): void {
    const events = this.served + this.heaped;
    const perBucket = events / Math.max(1, this.activations);
    const heapDepth = this.heaped === 0 ? 0 : this.heapWork / this.heaped;
    const heapDeep = this.heaped > events / 4 && heapDepth > DEEP_HEAP;
    let bits = this.widthBits;
    if (perBucket > CROWDED_BUCKET) bits -= 1;
    else if (heapDeep && perBucket > THIN_BUCKET) bits -= 2;
    else if (!heapDeep && perBucket < CROWDED_BUCKET / 4) {
      if (perBucket < THIN_BUCKET / 4 || this.spreads > events / 4) bits += 2;
      else if (perBucket < THIN_BUCKET) bits += 1;
      else if (this.spreads > events / 32) bits += 1;
    }
    this.served = 0;
    this.heaped = 0;
    this.heapWork = 0;
    this.activations = 0;
    this.spreads = 0;
    this.reviewAfter = Math.max(REVIEW, this.chunksPending * (CHUNK / RECORD));
    bits = Math.max(0, Math.min(WIDTH_BITS_MAX, bits));
    if (bits !== this.widthBits) this.setWidth(bits);
  }

  private setWidth(bits: number): void {
    const chains: number[] = [];
    for (let bucket = 0; bucket < this.head.length; bucket++) {
      if (this.head[bucket] === 0) continue;
      chains.push(this.head[bucket], this.tail[bucket]);
      this.vacate(bucket);
    }
    this.widthBits = bits;
    this.cascadeAt = Infinity;
    this.highMin = Infinity;
    this.moveTo(this.base);
    for (let i = 0; i < chains.length; i += 2) this.spread(chains[i], chains[i + 1]);
    this.spreads = 0;
  }

  private pushNear(low: number, word: number, order: number, sequence: number): number {
    const pool = this.pool;
    const at = pool.takeSpare();
    const records = pool.records;
    records[at] = low;
    records[at + 1] = word;
    records[at + 2] = order;
    records[at + 3] = sequence;
    this.heaped++;
    this.heapWork += this.near.size;
    this.near.push(at, records);
    return at;
  }

  private pushFar(time: number, word: number, order: number, sequence: number): number {
    if (!(time >= this.base && Number.isSafeInteger(time))) {
      throw new RangeError(`event at ${time} ns: expected a whole number from ${this.base} on`);
    }
    const at = this.pool.takeSpare();
    const records = this.pool.records;
    records[at] = 0;
    records[at + 1] = word;
    records[at + 2] = order;
    records[at + 3] = sequence;
    this.farTimes.push(time);
    this.farAt.push(at);
    this.farMin = Math.min(this.farMin, time);
    return at;
  }

  /** Moves to `time`, before which nothing is pending, and places what has come within 2^31 ns. */
  private fetchFar(time: number): void {
    this.moveTo(time);
    let kept = 0;
    this.farMin = Infinity;
    for (let i = 0; i < this.farAt.length; i++) {
      const at = this.farAt[i];
      const distance = this.farTimes[i] - this.base;
      if (distance < 2 ** 31) {
        this.move(at, distance);
        this.pool.giveSpare(at);
        continue;
      }
      this.farAt[kept] = at;
      this.farTimes[kept++] = this.farTimes[i];
      this.farMin = Math.min(this.farMin, this.farTimes[i]);
    }
    this.farAt.length = kept;
    this.farTimes.length = kept;
  }
}

/** Position of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
