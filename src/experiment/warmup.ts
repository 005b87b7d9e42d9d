/**
 * A run without its beginning: what was counted until the end of the warm-up is taken off again.
 *
 * A run that is stopped early has counted exactly what the whole run had counted by then, so two runs of one
 * seed do it: counts and means are exact. Least and largest value and quantiles cannot be parted this way
 * and are left out, as are the areas' peaks, which are of the whole run.
 */

import type { RunResult, StatResult } from '../report/result.js';
import type { Scenario } from '../scenario/scenario.js';
import type { RunOne } from './engine.js';

export async function withoutWarmup(
  scenario: Scenario,
  warmupNs: number,
  runOne: RunOne,
): Promise<RunResult> {
  const stopNs = Math.min(warmupNs, scenario.stopNs);
  const begin = await runOne({ ...scenario, stopNs, expect: [] });
  const whole = await runOne(scenario);
  const before = new Map(begin.stats.map((stat) => [`${stat.actor}\n${stat.name}`, stat]));
  return {
    ...whole,
    stats: whole.stats.map((stat) => after(before.get(`${stat.actor}\n${stat.name}`), stat)),
  };
}

function after(begin: StatResult | undefined, whole: StatResult): StatResult {
  if (begin === undefined || begin.count === 0) return whole;
  const count = whole.count - begin.count;
  if (whole.kind === 'counter') return { ...whole, count };
  const sum = (whole.mean ?? 0) * whole.count - (begin.mean ?? 0) * begin.count;
  const left = { min: null, p50: null, p90: null, p99: null, p999: null, max: null };
  return { ...whole, ...left, count, mean: count > 0 ? sum / count : null };
}
