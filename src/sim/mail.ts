/**
 * Batches of events between shards: for every ordered pair two mailboxes in shared memory, one
 * being written in this window while the other is read.
 *
 * A mailbox has a fixed size. What does not fit waits with the sender and goes out in rounds of
 * mail without events (window.ts), so nothing is lost and nobody waits for room.
 */

import type { Loop, Outbox } from './loop.js';
import { HAS_PAYLOAD, PAYLOAD } from './pool.js';

/** Words per letter: low and high word of the time, then the three words of a record. */
const LETTER = 5;
/**
 * Words before the letters: their count, then room, so that two senders never share a cache line.
 */
const HEADER = 32;

/** Words of one mailbox, its payloads included. */
function boxWords(capacity: number): number {
  return HEADER + Math.ceil((capacity * LETTER) / 32) * 32 + capacity * PAYLOAD * 2;
}

export function mailBytes(shards: number, capacity: number): number {
  return shards < 2 ? 0 : shards * shards * 2 * boxWords(capacity) * 4;
}

/** Letters per mailbox: many where pairs are few. Pages that are never touched cost nothing. */
export function defaultCapacity(shards: number): number {
  return Math.max(256, Math.floor(65_536 / (shards * shards)));
}

interface Spilled {
  readonly shard: number;
  readonly time: number;
  readonly words: readonly [word: number, order: number, sequence: number];
  payload: Float64Array | null;
}

/** The mail of one shard: what it sends, and how it takes in what others sent. */
export class Mail implements Outbox {
  /** Earliest event under way: written in this window, or spilled. Infinity if there is none. */
  sentMin = Infinity;
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  private readonly shard: number;
  private readonly shards: number;
  private readonly capacity: number;
  private readonly boxSize: number;
  private readonly payloadStart: number;
  private readonly counts: Int32Array;
  private readonly payloadCounts: Int32Array;
  private spilled: Spilled[] = [];
  private parity = 0;
  private lastShard = 0;
  /** Word index of the letter posted last, -1 if it was spilled. */
  private lastAt = -1;

  constructor(
    buffer: SharedArrayBuffer,
    place: { shard: number; shards: number },
    capacity: number,
  ) {
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.shard = place.shard;
    this.shards = place.shards;
    this.capacity = capacity;
    this.boxSize = boxWords(capacity);
    this.payloadStart = this.boxSize - capacity * PAYLOAD * 2;
    this.counts = new Int32Array(place.shards);
    this.payloadCounts = new Int32Array(place.shards);
  }

  /** Events that did not fit so far. */
  get spilledCount(): number {
    return this.spilled.length;
  }

  post(shard: number, time: number, word: number, order: number, sequence: number): void {
    if (time < this.sentMin) this.sentMin = time;
    this.lastShard = shard;
    const count = this.counts[shard];
    if (count === this.capacity) {
      this.lastAt = -1;
      this.spilled.push({ shard, time, words: [word, order, sequence], payload: null });
      return;
    }
    this.counts[shard] = count + 1;
    const at = this.box(this.shard, shard, this.parity) + HEADER + count * LETTER;
    this.lastAt = at;
    const words = this.words;
    words[at] = time | 0;
    words[at + 1] = time * 2 ** -32;
    words[at + 2] = word;
    words[at + 3] = order;
    words[at + 4] = sequence;
  }

  attach(from: Float64Array): void {
    if (this.lastAt < 0) {
      this.spilled[this.spilled.length - 1].payload = from.slice();
      return;
    }
    this.words[this.lastAt + 2] |= HAS_PAYLOAD;
    const box = this.box(this.shard, this.lastShard, this.parity);
    const n = this.payloadCounts[this.lastShard]++;
    this.doubles.set(from, (box + this.payloadStart) / 2 + n * PAYLOAD);
  }

  /** Makes what was written readable; the barrier that follows orders it. */
  publish(): void {
    for (let to = 0; to < this.shards; to++) {
      if (to !== this.shard) this.words[this.box(this.shard, to, this.parity)] = this.counts[to];
    }
  }

  /**
   * Turns to the other mailboxes, which every reader has left, and puts in what did not fit before.
   */
  turn(): void {
    this.parity ^= 1;
    this.counts.fill(0);
    this.payloadCounts.fill(0);
    this.sentMin = Infinity;
    if (this.spilled.length === 0) return;
    const waiting = this.spilled;
    this.spilled = [];
    for (const { shard, time, words, payload } of waiting) {
      this.post(shard, time, words[0], words[1], words[2]);
      if (payload !== null) this.attach(payload);
    }
  }

  /**
   * Hands the loop what the others published in the window that this shard has not turned from yet.
   */
  deliver(loop: Loop): void {
    const { words, doubles } = this;
    const { pool } = loop.queue;
    for (let from = 0; from < this.shards; from++) {
      if (from === this.shard) continue;
      const box = this.box(from, this.shard, this.parity);
      let payload = (box + this.payloadStart) / 2;
      const end = box + HEADER + words[box] * LETTER;
      for (let at = box + HEADER; at < end; at += LETTER) {
        const time = words[at + 1] * 2 ** 32 + (words[at] >>> 0);
        const to = loop.admit(time, words[at + 2], words[at + 3], words[at + 4]);
        if ((words[at + 2] & HAS_PAYLOAD) === 0) continue;
        pool.attach(to, doubles, payload);
        payload += PAYLOAD;
      }
    }
  }

  private box(from: number, to: number, parity: number): number {
    return ((parity * this.shards + from) * this.shards + to) * this.boxSize;
  }
}
