import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bucketMiddle,
  bucketOf,
  counter,
  histogram,
  mergeSamples,
  quantile,
  Recorder,
  summarize,
} from '#cmasim/sim/statistics.js';
import { totalOf } from './total.js';

const wait = histogram('test_wait', { unit: 'ns', class: 'exact', help: 'For tests.' });
const hits = counter('test_hits', { unit: '1', class: 'exact', help: 'For tests.' });

const value = fc.oneof(fc.nat(300), fc.nat(1_000_000), fc.integer({ min: 0, max: 2 ** 45 }));
const entry = fc.tuple(fc.nat(3), value);

function record(entries: [number, number][]): Recorder {
  const recorder = new Recorder();
  for (const [actor, v] of entries) {
    recorder.record(wait, actor, v);
    recorder.add(hits, actor, v % 7);
  }
  return recorder;
}

test('recording in parts, in any order, and merging equals recording all at once', () => {
  fc.assert(
    fc.property(fc.array(entry), fc.nat(5), (entries, parts) => {
      const lists = Array.from({ length: parts + 1 }, (_, part) =>
        record(entries.filter((_, i) => i % (parts + 1) === part)).snapshot(),
      );
      const whole = mergeSamples([record(entries).snapshot()]);
      expect(mergeSamples(lists)).toEqual(whole);
      expect(mergeSamples(lists.toReversed())).toEqual(whole);
      expect(record(entries.toReversed()).snapshot()).toEqual(whole);
    }),
  );
});

test('count, sum, least and largest are exact, quantiles within one percent', () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (all, q) => {
        const sorted = all.toSorted((a, b) => a - b);
        const [sample] = record(all.map((v) => [0, v]))
          .snapshot()
          .filter((s) => s.kind === 'histogram');
        const summary = summarize(sample!);
        expect(summary).toMatchObject({ count: all.length, min: sorted[0], max: sorted.at(-1) });
        expect(summary.sum).toBe(all.reduce((sum, v) => sum + v, 0));
        const exact = sorted[Math.max(1, Math.ceil(q * all.length)) - 1];
        expect(Math.abs(quantile(sample!, q) - exact)).toBeLessThanOrEqual(0.008 * exact);
      },
    ),
  );
});

test('every value lies in a bucket whose middle is near it, and buckets ascend', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (v) => {
      expect(Math.abs(bucketMiddle(bucketOf(v)) - v)).toBeLessThanOrEqual(v * 0.008);
      expect(bucketOf(v + 1) - bucketOf(v)).toBeGreaterThanOrEqual(0);
      expect(bucketOf(v + 1) - bucketOf(v)).toBeLessThanOrEqual(1);
    }),
  );
});

test('what was never recorded is not there', () => {
  expect(new Recorder().snapshot()).toEqual([]);
  const recorder = new Recorder();
  recorder.add(hits, 5_000_000);
  expect(recorder.snapshot().map(({ name, actor, sum }) => [name, actor, sum])).toEqual([
    ['test_hits', 5_000_000, 1],
  ]);
});

test('the total of a statistic is all actors together', () => {
  const samples = record([
    [0, 10],
    [1, 30],
    [2, 20],
  ]).snapshot();
  expect(totalOf(samples, 'test_wait')).toMatchObject({ actor: -1, count: 3, sum: 60, max: 30 });
  expect(totalOf(samples, 'test_nothing')).toBeUndefined();
});

test('what was cleared is as if it had never been recorded, but known', () => {
  const recorder = record([
    [0, 10],
    [1, 2 ** 40],
  ]);
  recorder.clear();
  for (const { count, sum } of recorder.snapshot()) expect([count, sum]).toEqual([0, 0]);
  recorder.record(wait, 1, 7);
  recorder.record(wait, 1, 900);
  const [sample] = recorder
    .snapshot()
    .filter(({ name, actor }) => name === 'test_wait' && actor === 1);
  expect(summarize(sample)).toMatchObject({ count: 2, sum: 907, min: 7, p50: 7, max: 900 });
});

test('a value that is no whole number is refused', () => {
  const recorder = new Recorder();
  expect(() => recorder.record(wait, 3, 0.5)).toThrow('test_wait of actor 3: 0.5');
  expect(() => recorder.record(wait, 3, -1)).toThrow('test_wait of actor 3: -1');
});
