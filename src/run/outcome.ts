/**
 * Outcome of a run: what its shards brought back, put together once, the same on any number of
 * them.
 */

import type { DeviceEnd } from '../devices/host/host.js';
import type { AreaEnd } from '../nodes/areas.js';
import type { Observed } from '../nodes/observers.js';
import { groupsOf, type Plan } from '../nodes/plan.js';
import type { Finding } from '../nodes/recorder.js';
import type { ShardResult } from '../nodes/shard.js';
import type { ZoneEnd } from '../nodes/zones.js';
import { mergeSamples, type Sample } from '../sim/statistics.js';
import type { ShardRun, ShardsOutcome } from './launch.js';
import { runShards, type ShardPool } from './shards.js';

export interface RunOutcome
  extends Pick<
    ShardsOutcome,
    'fingerprint' | 'simulatedNs' | 'events' | 'shards' | 'windows' | 'interrupted' | 'loopMs'
  > {
  /** By index. */
  readonly areas: readonly AreaEnd[];
  /** By actor. */
  readonly devices: readonly DeviceEnd[];
  /** Histograms and counters, from the end of the warm-up on. */
  readonly samples: readonly Sample[];
  /** Free blocks of the buddy, where the plan wants them. */
  readonly zones: readonly ZoneEnd[];
  /** As time goes. */
  readonly findings: readonly Finding[];
  /** What the observers that are on brought, per shard. */
  readonly observed: readonly Observed[];
  /** Outcomes of a replay's operations; empty without one. */
  readonly outcomes: Float64Array;
}

export type RunPlanOptions = Omit<ShardRun, 'module' | 'plan' | 'groups' | 'until'> & {
  /** Ns; to the last event unless given. */
  readonly until?: number;
  /** Threads that stay; threads of its own unless given. */
  readonly pool?: ShardPool;
};

const modelModule = new URL('../nodes/shard.js', import.meta.url);

/** Runs a plan to its end. */
export async function runPlan(plan: Plan, options: RunPlanOptions = {}): Promise<RunOutcome> {
  const { pool, until = Number.POSITIVE_INFINITY, ...how } = options;
  const run = { ...how, module: modelModule, plan, groups: groupsOf(plan), until };
  const ended = pool ? await pool.run<ShardResult>(run) : await runShards<ShardResult>(run);
  const { results, threads: _, ...rest } = ended;
  const observed = results.map((result) => result.observed);
  return {
    ...rest,
    areas: results.flatMap(({ areas }) => areas).sort((a, b) => a.index - b.index),
    devices: results.flatMap(({ devices }) => devices).sort((a, b) => a.actor - b.actor),
    samples: mergeSamples(results.map(({ samples }) => samples)),
    zones: results.flatMap(({ zones }) => zones),
    findings: observed
      .flatMap(({ findings }) => findings)
      .sort((a, b) => a.time - b.time || a.id - b.id),
    observed,
    outcomes: results.find(({ outcomes }) => outcomes !== null)?.outcomes ?? new Float64Array(0),
  };
}
