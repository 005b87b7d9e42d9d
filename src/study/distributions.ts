/**
 * Quantiles of the distributions that intervals rest on: Student's t, beta, binomial.
 *
 * They are those of the Cephes library; the binomial's sums are its incomplete beta function.
 */

import { createRequire } from 'node:module';

interface Cephes {
  stdtri(freedom: number, p: number): number;
  incbi(a: number, b: number, p: number): number;
  incbet(a: number, b: number, x: number): number;
}

let loaded: Cephes | undefined;

/** Loaded on demand: most commands need no distribution. As CommonJS it is ready at once. */
function cephes(): Cephes {
  loaded ??= createRequire(import.meta.url)('cephes') as Cephes;
  return loaded;
}

/** t with a share `p` of Student's distribution below it; `freedom` from 1 on. */
export function tQuantile(p: number, freedom: number): number {
  return cephes().stdtri(freedom, p);
}

/** x with a share `p` of the beta distribution below it. */
export function betaQuantile(p: number, a: number, b: number): number {
  return cephes().incbi(a, b, p);
}

/** Probability of at most `k` successes in `n` trials of probability `p`. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return 1 - cephes().incbet(k + 1, n - k, p);
}
