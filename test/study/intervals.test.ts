/**
 * Intervals: exact where a table says so, and covering what they promise on distributions with a
 * known truth.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Streams } from '#cmasim/sim/random.js';
import { betaQuantile, binomialCdf, tQuantile } from '#cmasim/study/distributions.js';
import {
  meanInterval,
  pairedInterval,
  proportionHigh,
  proportionInterval,
  proportionLow,
  quantileInterval,
  quantileRanks,
} from '#cmasim/study/intervals.js';

/** Share of `rounds` seeded samples whose interval holds the truth. */
function coverage(rounds: number, hold: (round: number) => boolean): number {
  let held = 0;
  for (let round = 0; round < rounds; round++) if (hold(round)) held++;
  return held / rounds;
}

const within = (truth: number, { low, high }: { low: number | null; high: number | null }) =>
  (low ?? Number.NEGATIVE_INFINITY) <= truth && truth <= (high ?? Number.POSITIVE_INFINITY);

/** Four standard errors of a coverage: 1 seeded test in 16 000 would fail by chance. */
const slack = (rounds: number, confidence: number) =>
  4 * Math.sqrt((confidence * (1 - confidence)) / rounds);

describe('distributions', () => {
  test("Student's t agrees with printed tables", () => {
    expect(tQuantile(0.975, 1)).toBeCloseTo(12.7062, 4);
    expect(tQuantile(0.975, 9)).toBeCloseTo(2.26216, 5);
    expect(tQuantile(0.95, 29)).toBeCloseTo(1.69913, 5);
    expect(tQuantile(0.995, 1e6)).toBeCloseTo(2.57583, 4);
  });

  test('quantiles are exact where a formula says so', () => {
    // One degree of freedom is Cauchy's distribution; two have a closed form, too.
    expect(tQuantile(0.9, 1)).toBeCloseTo(Math.tan(0.4 * Math.PI), 12);
    expect(tQuantile(0.9, 2)).toBeCloseTo(0.8 * Math.sqrt(2 / (1 - 0.8 ** 2)), 12);
    for (const p of [0.001, 0.05, 0.5, 0.975]) {
      expect(betaQuantile(p, 7, 1)).toBeCloseTo(p ** (1 / 7), 12);
      expect(betaQuantile(p, 1, 1000)).toBeCloseTo(1 - (1 - p) ** (1 / 1000), 12);
    }
  });

  test('the binomial sums are those of its terms', () => {
    const sum = (k: number, n: number, p: number) => {
      let term = (1 - p) ** n;
      let total = term;
      for (let i = 0; i < k; i++) {
        term *= ((n - i) / (i + 1)) * (p / (1 - p));
        total += term;
      }
      return total;
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }), (n, k) => {
        for (const p of [0.01, 0.3, 0.9]) {
          expect(binomialCdf(k, n, p)).toBeCloseTo(k >= n ? 1 : sum(k, n, p), 7);
        }
      }),
    );
  });
});

describe('mean', () => {
  test('ten numbers of a textbook give its interval', () => {
    const { mean, low, high } = meanInterval([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.95);
    expect(mean).toBe(5.5);
    expect(low).toBeCloseTo(3.3341, 4);
    expect(high).toBeCloseTo(7.6659, 4);
  });

  test('one value has a mean and no interval', () => {
    expect(meanInterval([7], 0.95)).toMatchObject({ mean: 7, half: null, low: null, high: null });
  });

  test.each([0.8, 0.95, 0.99])('of normal samples covers the truth in %d of them', (confidence) => {
    const random = new Streams(11).stream('normal');
    const rounds = 2000;
    const share = coverage(rounds, () => {
      const values = Array.from({ length: 8 }, () => 3 + 2 * random.normal());
      return within(3, meanInterval(values, confidence));
    });
    expect(Math.abs(share - confidence)).toBeLessThan(slack(rounds, confidence));
  });

  test('of paired values is narrower than of each alone, and covers the difference', () => {
    const random = new Streams(12).stream('paired');
    const rounds = 1000;
    let narrower = 0;
    const share = coverage(rounds, () => {
      const common = Array.from({ length: 10 }, () => 10 * random.normal());
      const a = common.map((value) => value + 5 + random.normal());
      const b = common.map((value) => value + 4 + random.normal());
      const paired = pairedInterval(a, b, 0.95);
      if (paired.half! < meanInterval(a, 0.95).half!) narrower++;
      return within(1, paired);
    });
    expect(Math.abs(share - 0.95)).toBeLessThan(slack(rounds, 0.95));
    expect(narrower).toBeGreaterThan(0.99 * rounds);
  });
});

describe('quantile', () => {
  test('the median of twenty lies between the sixth and the fifteenth (95.86 %)', () => {
    expect(quantileRanks(20, 0.5, 0.95)).toEqual({ low: 6, high: 15 });
  });

  test('a sample too small for a bound gives none', () => {
    expect(quantileInterval([1, 2, 3], 0.99, 0.95)).toEqual({ value: 3, low: 2, high: null });
    expect(quantileInterval([], 0.5, 0.95)).toEqual({ value: Number.NaN, low: null, high: null });
  });

  test.each([0.5, 0.9])('%d of exponential samples is covered at least as often as asked', (q) => {
    const random = new Streams(13).stream('exponential');
    const truth = -Math.log(1 - q);
    const rounds = 2000;
    const share = coverage(rounds, () => {
      const values = Array.from({ length: 40 }, () => random.exponential(1));
      return within(truth, quantileInterval(values, q, 0.95));
    });
    expect(share).toBeGreaterThan(0.95 - slack(rounds, 0.95));
  });
});

describe('probability', () => {
  test('the closed forms of Clopper and Pearson: none, all, some', () => {
    expect(proportionHigh(0, 299, 0.95)).toBeCloseTo(1 - 0.05 ** (1 / 299), 8);
    expect(proportionLow(20, 20, 0.95)).toBeCloseTo(0.05 ** (1 / 20), 8);
    const { low, high } = proportionInterval(10, 100, 0.95);
    expect(low).toBeCloseTo(0.04900469, 6);
    expect(high).toBeCloseTo(0.1762226, 6);
  });

  test('59 and 299 runs without a hit show 5 % and 1 %, and one run less does not', () => {
    expect(proportionHigh(0, 59, 0.95)).toBeLessThanOrEqual(0.05);
    expect(proportionHigh(0, 58, 0.95)).toBeGreaterThan(0.05);
    expect(proportionHigh(0, 299, 0.95)).toBeLessThanOrEqual(0.01);
    expect(proportionHigh(0, 298, 0.95)).toBeGreaterThan(0.01);
  });

  test.each([0.01, 0.1, 0.5])(
    '%d is covered exactly as often as the binomial says, never less',
    (p) => {
      for (const n of [10, 50, 200]) {
        let covered = 0;
        for (let k = 0; k <= n; k++) {
          const term = binomialCdf(k, n, p) - binomialCdf(k - 1, n, p);
          if (within(p, proportionInterval(k, n, 0.95))) covered += term;
        }
        expect(covered).toBeGreaterThanOrEqual(0.95 - 1e-9);
      }
    },
  );
});
