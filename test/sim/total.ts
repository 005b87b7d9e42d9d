/** Samples of all actors together. */
import { mergeSamples, type Sample } from '#cmasim/sim/statistics.js';

/**
 * All actors' samples of one statistic as one, whose `actor` is -1; undefined if there are none.
 */
export function totalOf(samples: readonly Sample[], name: string): Sample | undefined {
  const ones = samples.filter((s) => s.name === name).map((s) => [{ ...s, actor: -1 }]);
  return mergeSamples(ones)[0];
}
