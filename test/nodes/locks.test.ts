import fc from 'fast-check';
import { expect, test } from 'vitest';
import { costModel } from '#cmasim/mm/alloc/cost.js';
import { Locks } from '#cmasim/nodes/locks.js';
import { Stream } from '#cmasim/sim/random.js';
import { batchMeans, interval, meanWaitMD1 } from '../harness.js';

const WAY = 50;
const ways = { oneWay: (a: number, b: number) => (a === b ? 0 : WAY) };

function locks(costs: Record<string, number> = {}, isMutex = false): Locks {
  const model = costModel(costs, { pageSize: 4096 });
  return new Locks(2, { costs: model, ways, isMutex });
}

test('one lock with Poisson arrivals makes them wait as M/D/1 does', () => {
  const free = locks({ lock_contended: 0 });
  const stream = new Stream([1, 2, 3, 4]);
  const hold = 100;
  for (const load of [0.3, 0.7]) {
    let now = 1e12 * load;
    const waits = Array.from({ length: 200_000 }, () => {
      now += stream.exponential(hold / load);
      return free.take(0, now, 0, hold);
    });
    const { low, high } = interval(batchMeans(waits, 20));
    expect(low).toBeLessThan(meanWaitMD1(load, hold));
    expect(high).toBeGreaterThan(meanWaitMD1(load, hold));
    expect(high - low).toBeLessThan(0.2 * meanWaitMD1(load, hold));
  }
});

test('whoever asks, in whatever order of nodes, no two hold a lock at a time', () => {
  const ask = fc.record({
    gap: fc.nat(300),
    place: fc.nat(3),
    hold: fc.integer({ min: 1, max: 200 }),
  });
  fc.assert(
    fc.property(fc.array(ask, { maxLength: 50 }), fc.boolean(), (asks, isMutex) => {
      const lock = locks({}, isMutex);
      let [now, until] = [0, 0];
      for (const { gap, place, hold } of asks) {
        now += gap;
        const from = now + lock.take(0, now, place, hold);
        expect(from).toBeGreaterThanOrEqual(until);
        until = from + hold;
      }
    }),
  );
});

test('a free lock costs the way of its line: nothing on the node that held it last', () => {
  const lock = locks();
  expect(lock.take(0, 0, 0, 20)).toBe(0);
  expect(lock.take(0, 1000, 0, 20)).toBe(0);
  expect(lock.take(0, 2000, 1, 20)).toBe(2 * WAY);
  expect(lock.take(1, 2000, 0, 20)).toBe(0);
});

test('a lock passed on to a waiter costs 90 ns here, and the way besides from another node', () => {
  const lock = locks();
  lock.take(0, 0, 0, 500);
  expect(lock.take(0, 100, 0, 500)).toBe(400 + 90);
  // It is held until 590 + 500.
  expect(lock.take(0, 100, 1, 500)).toBe(990 + 90 + 2 * WAY);
});

test('a mutex wakes those whose wait was too long to spin', () => {
  const mutex = locks({ mutex_spin: 1000, mutex_wake: 5000 }, true);
  mutex.take(0, 0, 0, 900);
  expect(mutex.take(0, 0, 0, 900)).toBe(900 + 90);
  expect(mutex.take(0, 0, 0, 900)).toBe(990 + 900 + 5000);
});
