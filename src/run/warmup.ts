/**
 * A run without its beginning: what was recorded until the end of the warm-up is taken off again.
 *
 * A run that is stopped early has recorded exactly what the whole run had recorded by then, so the
 * run is made once more up to there. Counts and means are exact. A statistic of which anything was
 * recorded in the warm-up loses its quantiles, least and largest value, since a result no longer
 * holds the histogram; the areas' peaks stay those of the whole run.
 */

import { Ns } from '../mm/units.js';
import type { Scenario } from '../scenario/scenario.js';
import type { RunResult, StatResult } from './result.js';
import { simulate } from './simulate.js';
import { checkResults, deviceResults } from './summary.js';

const inline = { shards: 1, inline: true } as const;

/** Runs a scenario in the calling thread; statistics are those from `warmupNs` on. */
export async function simulateFrom(scenario: Scenario, warmupNs: number): Promise<RunResult> {
  const whole = await simulate(scenario, inline);
  if (warmupNs <= 0) return whole;
  const stopNs = Ns(Math.min(warmupNs, scenario.stopNs));
  const begin = await simulate({ ...scenario, stopNs, expect: [] }, inline);
  const stats = without(whole.stats, begin.stats);
  const states = whole.devices.map(({ state }) => state);
  const known = { ...whole, stats, devices: deviceResults(scenario.devices, stats, states) };
  return { ...known, checks: checkResults(scenario.expect, known) };
}

/** What `whole` has recorded since it was `begin`. */
export function without(whole: readonly StatResult[], begin: readonly StatResult[]): StatResult[] {
  const before = new Map(begin.map((stat) => [`${stat.actor}\n${stat.name}`, stat]));
  return whole.map((stat) => rest(stat, before.get(`${stat.actor}\n${stat.name}`)));
}

function rest(whole: StatResult, begin: StatResult | undefined): StatResult {
  if (begin === undefined || begin.count === 0) return whole;
  const count = whole.count - begin.count;
  if (whole.kind === 'counter') return { ...whole, count };
  const sum = (whole.mean ?? 0) * whole.count - (begin.mean ?? 0) * begin.count;
  const lost = { min: null, p50: null, p90: null, p99: null, p999: null, max: null };
  return { ...whole, ...lost, count, mean: count > 0 ? sum / count : null };
}
