/**
 * A run without its beginning: what was recorded until the end of the warm-up is taken off again.
 *
 * A run that is stopped early has recorded exactly what the whole run had recorded by then, so the run is
 * made once more up to there. Counts and sums are exact; quantiles are those of the histogram's buckets that
 * are left, and so are least and largest value (within 0.8 %). The areas' peaks stay those of the whole run.
 */

import type { ShardResult } from '../actors/model.js';
import { actorNumbers } from '../actors/plan.js';
import { runShards } from '../actors/shards.js';
import type { RunResult } from '../report/result.js';
import { checkResults, deviceResults, statResults } from '../report/summary.js';
import type { Scenario } from '../scenario/scenario.js';
import { bucketMiddle, mergeSamples, type Sample } from '../sim/statistics.js';
import { planRun } from './plan.js';
import { shardRun, simulate } from './simulate.js';

const inline = { shards: 1, inline: true } as const;

/** Runs a scenario in the calling thread; statistics are those from `warmupNs` on. */
export async function simulateFrom(scenario: Scenario, warmupNs: number): Promise<RunResult> {
  const whole = await simulate(scenario, inline);
  if (warmupNs <= 0) return whole;
  const all = await samplesOf(scenario);
  const stopNs = Math.min(warmupNs, scenario.stopNs);
  const before = await samplesOf({ ...scenario, stopNs });
  const names = new Map(
    scenario.devices.map(({ name, declaration }, i) => [
      all.firstDevice + i,
      { name, declaration },
    ]),
  );
  const stats = statResults(without(all.samples, before.samples), names);
  const states = whole.devices.map(({ state }) => state);
  const known = { ...whole, stats, devices: deviceResults(scenario.devices, stats, states) };
  return { ...known, checks: checkResults(scenario.expect, known) };
}

async function samplesOf(
  scenario: Scenario,
): Promise<{ samples: readonly Sample[]; firstDevice: number }> {
  const options = { interpreted: false, keepAttempts: false, checks: false };
  const { plan } = planRun(scenario, options);
  const { results } = await runShards(shardRun(scenario, plan, inline));
  const samples = mergeSamples((results as ShardResult[]).map((result) => result.samples));
  return { samples, firstDevice: actorNumbers(plan).firstDevice };
}

/** The samples that `all` holds and `before`, an earlier state of it, does not. */
export function without(all: readonly Sample[], before: readonly Sample[]): Sample[] {
  const earlier = new Map(before.map((sample) => [`${sample.actor} ${sample.name}`, sample]));
  return all.flatMap((sample) => {
    const begin = earlier.get(`${sample.actor} ${sample.name}`);
    const left = begin ? rest(sample, begin) : sample;
    return left.count > 0 ? [left] : [];
  });
}

function rest(all: Sample, begin: Sample): Sample {
  const counts = all.counts.slice();
  begin.counts.forEach((count, i) => {
    counts[begin.first - all.first + i]! -= count;
  });
  const left = { ...all, count: all.count - begin.count, sum: all.sum - begin.sum, counts };
  const least = counts.findIndex((count) => count > 0);
  if (least < 0) return left;
  const most = counts.findLastIndex((count) => count > 0);
  const middle = (i: number) => bucketMiddle(all.first + i);
  left.min = Math.max(all.min, Math.min(all.max, middle(least)));
  left.max = Math.max(left.min, Math.min(all.max, middle(most)));
  return left;
}
