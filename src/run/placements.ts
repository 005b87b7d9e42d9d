/**
 * A scenario run for its requests: where each got its memory, in place of statistics over all.
 *
 * Keeps every request in memory; runs of many millions are for `run` and its histograms.
 */

import { poolPlaces } from '../mm/boot/atomicpool.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { History } from '../nodes/requestHistory.js';
import type { ShardResult } from '../nodes/shard.js';
import type { ZoneEnd } from '../nodes/zones.js';
import type { Scenario } from '../scenario/scenario.js';
import { asker } from '../wire/request.js';
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
  const observe = { requests: [] } as const;
  const planned = planRun(scenario, { interpreted, observe, keepsZones: true, checks: false });
  const options = { shards: 1, ...(signal ? { signal } : {}) };
  const outcome = await runShards(shardRun(scenario, planned.plan, options));
  const results = outcome.results as ShardResult[];
  const histories = results.flatMap(({ observed }) => observed.requests ?? []);
  return {
    scenario,
    planned,
    placements: placementsOf(scenario, planned.plan, histories),
    early: poolsAtBoot(planned.plan),
    zones: results.flatMap(({ zones }) => zones),
    findings: results.reduce((sum, { observed }) => sum + observed.findings.length, 0),
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

function placementsOf(scenario: Scenario, plan: Plan, histories: readonly History[]): Placement[] {
  const { firstDevice } = actorNumbers(plan);
  const { layout } = plan;
  const tried = triedById(layout, histories);
  const answered = new Map(
    histories.flatMap(({ answers }) => answers.map((answer) => [answer.id, answer] as const)),
  );
  const freed = freesByPage(histories);
  const sequences = new Map<number, number>();
  const asked = histories
    .flatMap((history) => history.asked)
    .sort((a, b) => a.time - b.time || a.id - b.id);
  return asked.map(({ id, time, size, gfp }): Placement => {
    const actor = asker(id);
    const device = scenario.devices[actor - firstDevice];
    const sequence = sequences.get(actor) ?? 0;
    sequences.set(actor, sequence + 1);
    const answer = answered.get(id);
    const place = placeOf(layout, answer?.type === 'granted' ? answer : null);
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
      freed: place.pfn >= 0 ? freed(actor, place.pfn, answer!.time) : Number.POSITIVE_INFINITY,
    };
  });
}

/** When a device's pages from `pfn` on, granted at a time, went back. */
function freesByPage(
  histories: readonly History[],
): (actor: number, pfn: number, granted: number) => number {
  const times = new Map<string, number[]>();
  for (const { id, pfn, time } of histories.flatMap(({ freed }) => freed)) {
    const key = `${asker(id)} ${pfn}`;
    const list = times.get(key);
    if (list === undefined) times.set(key, [time]);
    else list.push(time);
  }
  for (const list of times.values()) list.sort((a, b) => a - b);
  return (actor, pfn, granted) =>
    times.get(`${actor} ${pfn}`)?.find((time) => time >= granted) ?? Number.POSITIVE_INFINITY;
}
