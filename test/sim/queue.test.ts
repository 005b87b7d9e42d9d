import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from '#cmasim/sim/queue.js';
import { cases } from '../cases.js';

interface Event {
  time: number;
  word: number;
  order: number;
  sequence: number;
}

/** The order, said once more: time, priority and source (one signed word), sequence modulo 2^32. */
function compare(a: Event, b: Event): number {
  return a.time - b.time || a.order - b.order || (a.sequence - b.sequence) | 0;
}

/** A binary heap of objects with the full comparison: slow, and hard to get wrong. */
class HeapOracle {
  private readonly heap: Event[] = [];

  push(event: Event): void {
    const { heap } = this;
    let i = heap.push(event) - 1;
    for (let up = (i - 1) >> 1; i > 0 && compare(heap[up], event) > 0; up = (i - 1) >> 1) {
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = event;
  }

  next(): number {
    return this.heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  take(limit: number): Event | undefined {
    const { heap } = this;
    if (this.next() >= limit) return undefined;
    const top = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && compare(heap[down], heap[down + 1]) > 0) down++;
      if (compare(last, heap[down]) <= 0) break;
      heap[i] = heap[down];
      i = down;
    }
    heap[i] = last;
    return top;
  }
}

/** Queue and oracle side by side: every question must get the same answer. */
class Pair {
  readonly queue: EventQueue;
  readonly oracle = new HeapOracle();
  now = 0;
  taken = 0;
  private readonly sequences = new Map<number, number>();

  constructor(queue = new EventQueue()) {
    this.queue = queue;
  }

  push(delay: number, source: number, priority: number): void {
    const order = (priority << 24) | source;
    const sequence = (this.sequences.get(source) ?? 2 ** 31 - 5) + 1;
    this.sequences.set(source, sequence);
    const event = { time: this.now + delay, word: source << 9, order, sequence: sequence | 0 };
    this.oracle.push(event);
    this.queue.push(event.time, event.word, event.order, event.sequence);
  }

  /** Takes up to `count` events before `limit` and calls `each` after every one. */
  take(limit: number, count: number, each: () => void = () => undefined): void {
    for (let i = 0; i < count; i++) {
      const at = this.queue.take(limit);
      const expected = this.oracle.take(limit);
      if (expected === undefined) {
        expect(at).toBe(0);
        // Whoever was told that nothing is left before the limit posts nothing before it.
        if (limit < Number.POSITIVE_INFINITY) this.now = Math.max(this.now, limit);
        return;
      }
      const { records } = this.queue.pool;
      const [, word, order, sequence] = records.subarray(at, at + 4);
      expect({ time: this.queue.time, word, order, sequence }).toEqual(expected);
      this.now = expected.time;
      this.taken++;
      each();
    }
  }
}

const scales = [0, 1, 7, 60, 1_000, 50_000, 4_000_000, 2 ** 28, 2 ** 30, 2 ** 31, 2 ** 33, 2 ** 40];
const delay = fc
  .tuple(fc.constantFrom(...scales), fc.integer({ min: 0, max: 3 }))
  .map(([scale, n]) => scale * n);

const step = fc.record({
  burst: fc.integer({ min: 0, max: 40 }),
  delays: fc.array(delay, { minLength: 1, maxLength: 6 }),
  takes: fc.integer({ min: 0, max: 60 }),
  window: fc.option(delay, { nil: Number.POSITIVE_INFINITY }),
});

test('the queue gives what a binary heap with the full key gives, ties and far timers included', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const pair = new Pair();
      for (const { burst, delays, takes, window } of steps) {
        for (let i = 0; i < burst; i++) {
          pair.push(delays[i % delays.length], (i * 7) % 5, (i % 3) - 1);
        }
        const limit = pair.now + window;
        pair.take(limit, takes, () => {
          if (pair.taken % 3 === 0) pair.push(delays[pair.taken % delays.length], 2, 0);
        });
        expect(pair.queue.next()).toBe(pair.oracle.next());
      }
      pair.take(Number.POSITIVE_INFINITY, 10_000);
      expect(pair.queue.next()).toBe(Number.POSITIVE_INFINITY);
    }),
    cases(300),
  );
});

test('few events seconds apart come in order past every 2^32 ns, at any width', () => {
  const scale = fc.integer({ min: 0, max: 34 }).map((bits) => 2 ** bits);
  const step = fc.tuple(fc.array(scale, { maxLength: 3 }), fc.integer({ min: 0, max: 2 }));
  fc.assert(
    fc.property(
      // With 1 and 11 one level has buckets of 2^31 ns, with 8 a ring of 16 buckets.
      fc.constantFrom(0, 1, 8, 11, 11, 20),
      fc.constantFrom(2 ** 31, 2 ** 32, 3 * 2 ** 31),
      scale,
      fc.array(step, { minLength: 6, maxLength: 20 }),
      (width, border, before, steps) => {
        const pair = new Pair(new EventQueue(width));
        pair.push(Math.max(0, border - before), 0, 0);
        pair.take(Number.POSITIVE_INFINITY, 1);
        for (const [delays, takes] of steps) {
          for (const d of delays) pair.push(d, 1, 0);
          expect(pair.queue.next()).toBe(pair.oracle.next());
          pair.take(Number.POSITIVE_INFINITY, takes);
        }
        pair.take(Number.POSITIVE_INFINITY, 100);
      },
    ),
    cases(400),
  );
});

test('windows that end between events leave the order as it is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 }),
      (width, delays) => {
        const pair = new Pair();
        delays.forEach((d, i) => {
          pair.push(d, i % 4, 0);
        });
        for (let i = 0; i < 200 && pair.oracle.next() < Number.POSITIVE_INFINITY; i++) {
          const limit = pair.oracle.next() + width;
          pair.take(limit, 1_000);
          expect(pair.queue.next()).toBe(pair.oracle.next());
          // What another shard sent: never before the end of the window.
          if (i < 50) pair.push(delays[i % delays.length], 9, 0);
        }
      },
    ),
  );
});

test('timers on both sides of 2^32 ns come at their time', () => {
  const pair = new Pair();
  for (const d of [2 ** 32, 2 ** 32 - 1, 4_000_000, 2 ** 32 + 1, 0]) pair.push(d, 0, 0);
  pair.take(Number.POSITIVE_INFINITY, 3);
  expect(pair.queue.next()).toBe(pair.oracle.next());
  for (const d of [0, 1, 2 ** 29, 2 ** 31 - 1, 2 ** 31]) pair.push(d, 1, 0);
  pair.take(Number.POSITIVE_INFINITY, 10);
  expect(pair.taken).toBe(10);
});

test.each([
  ['dense and even', 20_000, (i: number) => (i * 7919) % 1_000_000],
  ['all at one instant', 5_000, () => 1_000],
  ['steps of a nanosecond', 20_000, (i: number) => i % 3],
  ['sparse', 300, (i: number) => 1 + ((i * 104_729) % 50_000_000)],
  ['short steps beside long timers', 20_000, (i: number) => (i % 10 ? (i % 50) + 1 : 1_000_000)],
])('the width of buckets follows the load and never shows: %s', (_name, rounds, delayOf) => {
  const pair = new Pair();
  const start = Math.min(rounds, 2_000);
  for (let i = 0; i < start; i++) pair.push(delayOf(i), (i * 31) % 97, 0);
  let i = start;
  pair.take(Number.POSITIVE_INFINITY, rounds, () => pair.push(delayOf(++i), (i * 31) % 97, 0));
  pair.take(Number.POSITIVE_INFINITY, start + rounds);
});

test('time that is not a whole number, or in the past, is refused', () => {
  const queue = new EventQueue();
  expect(() => queue.push(0.5, 0, 0, 0)).toThrow(
    'event at 0.5 ns: expected a whole number from 0 on',
  );
  expect(() => queue.push(-1, 0, 0, 0)).toThrow('event at -1 ns');
  expect(() => queue.push(Number.NaN, 0, 0, 0)).toThrow('event at NaN ns');
});
