/**
 * Pending events as plain data: columns in the order in which the events will be handled.
 *
 * Nothing of the queue's own layout is kept, so a checkpoint can be taken up on another partition.
 */

import { HAS_PAYLOAD, PAYLOAD } from './pool.js';
import type { EventQueue } from './queue.js';

export interface PendingState {
  times: Float64Array;
  /** Three words each: destination and type, priority and source, sequence. */
  words: Int32Array;
  /** Eight doubles for each event whose first word says that it has a payload. */
  payloads: Float64Array;
}

export function savePending(queue: EventQueue): PendingState {
  const { pool } = queue;
  const pending = queue.pending();
  const times = new Float64Array(pending.length);
  const words = new Int32Array(pending.length * 3);
  const payloads: number[] = [];
  pending.forEach(({ time, at }, i) => {
    times[i] = time;
    words.set(pool.records.subarray(at + 1, at + 4), i * 3);
    if ((pool.records[at + 1] & HAS_PAYLOAD) === 0) return;
    const slot = pool.slots[at >>> 2] * PAYLOAD;
    payloads.push(...pool.payload.subarray(slot, slot + PAYLOAD));
  });
  return { times, words, payloads: Float64Array.from(payloads) };
}

/** Pushes the events whose destination `owns` accepts. */
export function restorePending(
  queue: EventQueue,
  state: PendingState,
  owns: (actor: number) => boolean,
): void {
  let payload = 0;
  for (let i = 0; i < state.times.length; i++) {
    const [word, order, sequence] = state.words.subarray(i * 3, i * 3 + 3);
    const has = (word & HAS_PAYLOAD) !== 0;
    if (owns(word >>> 9)) {
      const at = queue.push(state.times[i], word & ~HAS_PAYLOAD, order, sequence);
      if (has) queue.pool.attach(at, state.payloads, payload);
    }
    if (has) payload += PAYLOAD;
  }
}
