/**
 * Estimates from a sample, and how sure they are: means, quantiles, probabilities,
 * differences.
 *
 * Values are one per replication, hence independent; what happened inside one run never is. Bounds
 * that a sample is too small to give are null. Left out: bootstrap, batch means of one long run.
 */

import { betaQuantile, binomialCdf, tQuantile } from './distributions.js';

/** `low` and `high` hold the truth with the confidence asked for; null: no bound. */
export interface Interval {
  readonly low: number | null;
  readonly high: number | null;
}

export interface MeanEstimate extends Interval {
  readonly count: number;
  /** NaN of an empty sample. */
  readonly mean: number;
  /** Of the sample, with n - 1; null below two values. */
  readonly deviation: number | null;
  /** Half the width of the interval; null below two values. */
  readonly half: number | null;
}

/** Student's t interval of the mean. */
export function meanInterval(values: readonly number[], confidence: number): MeanEstimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { count, mean, deviation: null, half: null, low: null, high: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (count - 1));
  const half = (tQuantile((1 + confidence) / 2, count - 1) * deviation) / Math.sqrt(count);
  return { count, mean, deviation, half, low: mean - half, high: mean + half };
}

export interface QuantileEstimate extends Interval {
  /**
   * The smallest value with at least a share q of the sample at or below it; NaN of an empty
   * sample.
   */
  readonly value: number;
}

/**
 * Interval of a quantile between two order statistics: whatever the distribution, the truth lies
 * below the l-th smallest value only if fewer than l of n values fell below it, which is binomial.
 */
export function quantileInterval(
  values: readonly number[],
  q: number,
  confidence: number,
): QuantileEstimate {
  const sorted = [...values].sort((a, b) => a - b);
  const { low, high } = quantileRanks(sorted.length, q, confidence);
  return {
    value: sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? Number.NaN,
    low: low === null ? null : sorted[low - 1],
    high: high === null ? null : sorted[high - 1],
  };
}

/** Ranks, from 1, of the order statistics that hold the quantile; half the risk on either side. */
export function quantileRanks(count: number, q: number, confidence: number): Interval {
  const risk = (1 - confidence) / 2;
  let low = 0;
  while (low < count && binomialCdf(low, count, q) <= risk) low++;
  let high = low + 1;
  while (high <= count && binomialCdf(high - 1, count, q) < 1 - risk) high++;
  return { low: low === 0 ? null : low, high: high > count ? null : high };
}

export interface ProportionEstimate {
  readonly hits: number;
  readonly count: number;
  readonly low: number;
  readonly high: number;
}

/** Clopper and Pearson's interval of a probability: never less sure than asked for. */
export function proportionInterval(
  hits: number,
  count: number,
  confidence: number,
): ProportionEstimate {
  const risk = (1 - confidence) / 2;
  return {
    hits,
    count,
    low: proportionLow(hits, count, 1 - risk),
    high: proportionHigh(hits, count, 1 - risk),
  };
}

/** The probability is at most this, with that confidence. */
export function proportionHigh(hits: number, count: number, confidence: number): number {
  return hits >= count ? 1 : betaQuantile(confidence, hits + 1, count - hits);
}

/** The probability is at least this, with that confidence. */
export function proportionLow(hits: number, count: number, confidence: number): number {
  return hits <= 0 ? 0 : betaQuantile(1 - confidence, hits, count - hits + 1);
}

/**
 * Interval of the mean difference a - b of two variants whose replication i ran with one seed: what
 * both owe to that seed cancels out.
 */
export function pairedInterval(
  a: readonly number[],
  b: readonly number[],
  confidence: number,
): MeanEstimate {
  const count = Math.min(a.length, b.length);
  const differences = Array.from({ length: count }, (_, i) => a[i] - b[i]);
  return meanInterval(differences, confidence);
}
