/**
 * A scenario run for its requests: where each got its memory, in place of statistics over all.
 *
 * Keeps every request in memory; runs of many millions are for `run` and its histograms.
 */

import { poolPlaces } from '../mm/boot/atomicpool.js';
import { FREED_WIDTH, type LogData } from '../nodes/log.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { ShardResult } from '../nodes/shard.js';
import { asker } from '../nodes/walk.js';
import { REFUSED_SOURCE } from '../nodes/watch.js';
import type { ZoneEnd } from '../nodes/zones.js';
import type { Scenario } from '../scenario/scenario.js';
import { gfpText, type Placement, placeOf, triedById } from './placement.js';
import { type PlannedRun, planRun } from './plan.js';
import { runShards } from './shards.js';
import { shardRun } from './simulate.js';

export interface RunPlacements {
  readonly scenario: Scenario;
  readonly planned: PlannedRun;
  /** In the order in which they were asked for. */
  readonly placements: readonly Placement[];
  /** What the boot took of areas. */
  readonly early: readonly Pick<Placement, 'source' | 'pfn' | 'pages' | 'freed'>[];
  readonly zones: readonly ZoneEnd[];
  readonly findings: number;
  readonly fingerprint: string;
  readonly simulatedNs: number;
}

/** @throws BootFailed when the kernel does not survive its command line. */
export async function runPlacements(
  scenario: Scenario,
  { interpreted = false, signal }: { interpreted?: boolean; signal?: AbortSignal } = {},
): Promise<RunPlacements> {
  const watch = { all: true, id: null };
  const planned = planRun(scenario, { interpreted, keepAttempts: true, checks: false, watch });
  const options = { shards: 1, ...(signal ? { signal } : {}) };
  const outcome = await runShards(shardRun(scenario, planned.plan, options));
  const results = outcome.results as ShardResult[];
  const logs = results.map(({ log }) => log);
  return {
    scenario,
    planned,
    placements: placementsOf(scenario, planned.plan, logs),
    early: poolsAtBoot(planned.plan),
    zones: results.flatMap(({ zones }) => zones),
    findings: logs.reduce((sum, { findings }) => sum + findings.length, 0),
    fingerprint: outcome.fingerprint,
    simulatedNs: outcome.simulatedNs,
  };
}

function poolsAtBoot({ layout, atomicPools }: Plan): RunPlacements['early'] {
  const area = layout.areas[layout.defaultArea];
  if (area === undefined || area.count === 0) return [];
  return poolPlaces(area, atomicPools, layout).map(([pfn, pages]) => {
    return { source: area.name, pfn, pages, freed: Number.POSITIVE_INFINITY };
  });
}

function placementsOf(scenario: Scenario, plan: Plan, logs: readonly LogData[]): Placement[] {
  const { firstDevice } = actorNumbers(plan);
  const { layout } = plan;
  const tried = triedById(layout, logs);
  const answered = new Map(
    logs.flatMap(({ watch }) => watch.answered.map((answer) => [answer.id, answer] as const)),
  );
  const freed = freesByPage(logs);
  const sequences = new Map<number, number>();
  const asked = logs
    .flatMap(({ watch }) => watch.asked)
    .sort((a, b) => a.time - b.time || a.id - b.id);
  return asked.map(({ id, time, size, gfp }): Placement => {
    const actor = asker(id);
    const device = scenario.devices[actor - firstDevice];
    const sequence = sequences.get(actor) ?? 0;
    sequences.set(actor, sequence + 1);
    const answer = answered.get(id);
    const placed = answer !== undefined && answer.source !== REFUSED_SOURCE;
    const place = placeOf(layout, {
      placed,
      source: answer?.source ?? REFUSED_SOURCE,
      nid: answer?.nid ?? -1,
      pfn: answer?.pfn ?? -1,
      pages: answer?.pages ?? 0,
    });
    return {
      device: device?.name ?? '',
      sequence,
      node: device?.nid ?? -1,
      size,
      gfp: gfpText(gfp),
      issued: time,
      settled: answer?.time ?? Number.NaN,
      ...place,
      attempts: tried(id, place),
      freed: placed ? freed(actor, place.pfn, answer.time) : Number.POSITIVE_INFINITY,
    };
  });
}

/** When a device's pages from `pfn` on, granted at a time, went back. */
function freesByPage(
  logs: readonly LogData[],
): (actor: number, pfn: number, granted: number) => number {
  const times = new Map<string, number[]>();
  for (const { freed } of logs) {
    for (let at = 0; at < freed.length; at += FREED_WIDTH) {
      const key = `${freed[at]} ${freed[at + 2]}`;
      const list = times.get(key);
      if (list === undefined) times.set(key, [freed[at + 1]]);
      else list.push(freed[at + 1]);
    }
  }
  for (const list of times.values()) list.sort((a, b) => a - b);
  return (actor, pfn, granted) =>
    times.get(`${actor} ${pfn}`)?.find((time) => time >= granted) ?? Number.POSITIVE_INFINITY;
}
