/**
 * Quantiles of the distributions that intervals rest on: Student's t, beta, binomial.
 *
 * They are jstat's; the binomial's sums are its incomplete beta function. Relative error below
 * 1e-7.
 */

import { createRequire } from 'node:module';

interface Distribution {
  inv(p: number, ...parameters: number[]): number;
  cdf(x: number, ...parameters: number[]): number;
}

interface Jstat {
  readonly studentt: Distribution;
  readonly beta: Distribution;
}

let loaded: Jstat | undefined;

/** Loaded on demand: most commands need no distribution. CommonJS, without declarations. */
function jstat(): Jstat {
  loaded ??= createRequire(import.meta.url)('jstat') as Jstat;
  return loaded;
}

/** t with a share `p` of Student's distribution below it; `freedom` from 1 on. */
export function tQuantile(p: number, freedom: number): number {
  return jstat().studentt.inv(p, freedom);
}

/** x with a share `p` of the beta distribution below it. */
export function betaQuantile(p: number, a: number, b: number): number {
  return jstat().beta.inv(p, a, b);
}

/** Probability of at most `k` successes in `n` trials of probability `p`. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return 1 - jstat().beta.cdf(p, k + 1, n - k);
}
