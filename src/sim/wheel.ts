/**
 * The buckets of the event queue: chains of chunks, and bits that say which buckets have any.
 *
 * Knows nothing of time: a bucket is a number, level * 1024 + place on the level, and a level is a
 * ring.
 */

import { CHUNK, RECORD, type RecordPool } from './pool.js';

export const BUCKET_BITS = 10;
/** Buckets per level. */
export const BUCKETS = 1 << BUCKET_BITS;
export const LEVELS = 4;
const WORDS = BUCKETS / 32;

export class Wheel {
  /** Position of each bucket's first chunk; 0 if it is empty. */
  readonly head = new Int32Array(LEVELS * BUCKETS);
  /** Position behind the last record of each bucket; 0 if it is empty. */
  readonly tail = new Int32Array(LEVELS * BUCKETS);
  /** Chunks in all buckets. */
  chunks = 0;
  private readonly occupied = new Int32Array(LEVELS * WORDS);
  private readonly summary = new Int32Array(LEVELS);
  private readonly pool: RecordPool;

  constructor(pool: RecordPool) {
    this.pool = pool;
  }

  /** Gives a bucket whose last chunk is full at `tail`, or that has none, another one. */
  extend(bucket: number, tail: number): number {
    const chunk = this.pool.takeChunk();
    this.chunks++;
    if (tail === 0) {
      this.head[bucket] = chunk;
      this.occupied[bucket >>> 5] |= 1 << (bucket & 31);
      this.summary[bucket >>> BUCKET_BITS] |= 1 << ((bucket >>> 5) & (WORDS - 1));
    } else {
      this.pool.link(tail - RECORD, chunk);
    }
    return chunk;
  }

  /** Forgets what a bucket has; whoever took the chain counts its chunks off. */
  vacate(bucket: number): void {
    this.head[bucket] = 0;
    this.tail[bucket] = 0;
    const word = bucket >>> 5;
    this.occupied[word] &= ~(1 << (bucket & 31));
    if (this.occupied[word] === 0) this.summary[bucket >>> BUCKET_BITS] &= ~(1 << (word & 31));
  }

  /**
   * Distance round the ring from `from` to the first occupied bucket of a level, -1 if there is
   * none.
   */
  firstFrom(level: number, from: number): number {
    const summary = this.summary[level];
    if (summary === 0) return -1;
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

  /** Occupied buckets of level 0. */
  countOccupied(): number {
    let count = 0;
    for (let word = 0; word < WORDS; word++) {
      for (let rest = this.occupied[word]; rest !== 0; rest &= rest - 1) count++;
    }
    return count;
  }

  /** Visits the records of a bucket in the order in which they came. */
  forEach(bucket: number, visit: (at: number) => void): void {
    const tail = this.tail[bucket];
    for (let chunk = this.head[bucket]; chunk !== 0; chunk = this.pool.after(chunk)) {
      const end = this.pool.after(chunk) === 0 ? tail : chunk + CHUNK;
      for (let at = chunk; at < end; at += RECORD) visit(at);
    }
  }
}

/** Position of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
