import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Stream, Streams } from '#cmasim/sim/random.js';

const draws = (stream: Stream, count: number): number[] =>
  Array.from({ length: count }, () => stream.u32());

test('a stream depends on seed and name, not on which streams exist or when they were made', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 8 }),
      (seed, names) => {
        const forward = new Streams(seed);
        const backward = new Streams(seed);
        const first = names.map((name) => draws(forward.stream(name), 5));
        const second = names.toReversed().map((name) => draws(backward.stream(name), 5));
        expect(second.toReversed()).toEqual(first);
        expect(new Set(first.map(String)).size).toBe(names.length);
      },
    ),
  );
});

test('seeds that differ in any of their 53 bits give other streams', () => {
  const seen = new Set<number>();
  for (let bit = 0; bit < 53; bit++) seen.add(new Streams(2 ** bit).stream('a').u32());
  expect(seen.size).toBe(53);
});

test('restore(save(x)) goes on like x', () => {
  const streams = new Streams(7);
  draws(streams.stream('a'), 9);
  const state = structuredClone(streams.save());
  const expected = [draws(streams.stream('a'), 20), draws(streams.stream('b'), 20)];
  const other = new Streams(7);
  other.restore(state);
  expect([draws(other.stream('a'), 20), draws(other.stream('b'), 20)]).toEqual(expected);
  expect(() => new Streams(8).restore(state)).toThrow('seed 7 restored into seed 8');
});

test('below(n) is even: chi-square over 10 and over a bound just above a power of two', () => {
  const stream = new Streams(1).stream('below');
  for (const n of [10, 2 ** 31 + 1]) {
    const cells = new Array(10).fill(0);
    for (let i = 0; i < 100_000; i++) cells[Math.floor((stream.below(n) / n) * 10)]++;
    const chi = cells.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // 9 degrees of freedom: above 27.9 in one of a thousand seeds.
    expect(chi).toBeLessThan(27.9);
  }
  expect(() => stream.below(0)).toThrow('below(0): expected 1 to 2^32');
});

/** Mean and variance of 200 000 draws. */
function moments(draw: () => number): { mean: number; variance: number } {
  const values = Array.from({ length: 200_000 }, draw);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  return { mean, variance };
}

test('the distributions have the moments they are named for', () => {
  const streams = new Streams(3);
  const uniform = moments(() => streams.stream('u').uniform());
  expect(uniform.mean).toBeCloseTo(0.5, 2);
  expect(uniform.variance).toBeCloseTo(1 / 12, 2);
  const exponential = moments(() => streams.stream('e').exponential(20));
  expect(exponential.mean / 20).toBeCloseTo(1, 1);
  expect(exponential.variance / 400).toBeCloseTo(1, 1);
  const normal = moments(() => streams.stream('n').normal());
  expect(normal.mean).toBeCloseTo(0, 1);
  expect(normal.variance).toBeCloseTo(1, 1);
  const logs = moments(() => Math.log(streams.stream('l').logNormal(50, 0.3) / 50));
  expect(logs.mean).toBeCloseTo(0, 1);
  expect(Math.sqrt(logs.variance)).toBeCloseTo(0.3, 2);
});

test('neighbouring streams and neighbouring draws are not correlated', () => {
  const streams = new Streams(11);
  const series = ['nic0', 'nic1'].map((name) =>
    Array.from({ length: 50_000 }, () => streams.stream(name).uniform() - 0.5),
  );
  const correlation = (x: number[], y: number[]): number =>
    (12 * x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0)) / x.length;
  expect(Math.abs(correlation(series[0], series[1]))).toBeLessThan(0.02);
  expect(Math.abs(correlation(series[0], series[0].slice(1)))).toBeLessThan(0.02);
});
