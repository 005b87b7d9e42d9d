/**
 * Requests of a run or a replay as placements.
 *
 * Every request is kept in memory; runs of many millions are for `run` and its histograms.
 */

import { poolPlaces } from '../mm/boot/atomicpool.js';
import { Bytes, Nid, Ns, Pages, Pfn } from '../mm/units.js';
import * as op from '../nodes/operations.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { Freed } from '../nodes/recorder.js';
import type { History } from '../nodes/requestHistory.js';
import type { Scenario } from '../scenario/scenario.js';
import { asker, ID_SPAN } from '../wire/request.js';
import { type RunOutcome, runPlan } from './outcome.js';
import {
  type EarlyPages,
  gfpText,
  grouped,
  type Placement,
  placeOf,
  triedById,
} from './placement.js';
import { planRun, type ScenarioPlan } from './plan.js';
import { RequestNames } from './requestName.js';
import { scenarioRun } from './simulate.js';

export interface RunPlacements {
  readonly scenario: Scenario;
  readonly planned: ScenarioPlan;
  readonly outcome: RunOutcome;
  /** In the order in which they were asked for. */
  readonly placements: readonly Placement[];
  /** What the boot took of areas. */
  readonly early: readonly EarlyPages[];
}

export interface PlacementOptions {
  readonly interpreted?: boolean;
  /** Default 1. */
  readonly shards?: number | 'auto';
  readonly signal?: AbortSignal;
  /** Ids [from, end) of the request that is watched closely. */
  readonly walk?: readonly [from: number, end: number];
}

/** @throws BootFailed when the kernel does not survive its command line. */
export async function runPlacements(
  scenario: Scenario,
  { interpreted = false, shards = 1, signal, walk }: PlacementOptions = {},
): Promise<RunPlacements> {
  const observe = { requests: [], ...(walk ? { walk } : {}) } as const;
  const planned = planRun(scenario, { interpreted, observe, keepsZones: true, checks: false });
  const options = { shards, ...(signal ? { signal } : {}) };
  const outcome = await runPlan(planned.plan, scenarioRun(scenario, options));
  const placements = placementsOf(planned.plan, outcome);
  return { scenario, planned, outcome, placements, early: poolsAtBoot(planned.plan) };
}

function poolsAtBoot({ layout, atomicPools }: Plan): EarlyPages[] {
  const area = layout.areas[layout.defaultArea];
  if (area === undefined || area.count === 0) return [];
  return poolPlaces(area, atomicPools, layout).map(([pfn, pages]) => {
    const freed = Ns(Number.POSITIVE_INFINITY);
    return { source: area.name, pfn: Pfn(pfn), pages: Pages(pages), freed };
  });
}

function placementsOf(plan: Plan, { observed }: RunOutcome): Placement[] {
  const histories = observed.flatMap(({ requests }) => requests ?? []);
  const { firstDevice } = actorNumbers(plan);
  const tried = triedById(plan.layout, histories);
  const freed = freesByPage(histories);
  const answers = new Map(histories.flatMap((one) => one.answers.map((end) => [end.id, end])));
  const skips = observed.flatMap(({ walk }) => walk?.skipped ?? []);
  const sequences = new Sequences();
  const names = new RequestNames(plan);
  const asked = histories
    .flatMap((history) => history.asked)
    .sort((a, b) => a.time - b.time || a.id - b.id);
  return asked.map(({ id, time, mode, size, gfp }): Placement => {
    const { name: device, nid: node } = plan.devices[asker(id) - firstDevice];
    const answer = answers.get(id);
    const granted = answer?.type === 'granted' ? answer : null;
    const place = placeOf(plan.layout, granted);
    return {
      name: names.of(id) ?? '',
      device,
      sequence: sequences.next(device),
      node: Nid(node),
      mode: names.isTables(id) ? 'tables' : mode,
      bytes: Bytes(size),
      gfp: gfpText(gfp),
      issued: Ns(time),
      settled: Ns(answer?.time ?? Number.NaN),
      zero: Ns(granted?.zero ?? 0),
      ...place,
      attempts: tried(id, place),
      skipped: skips.filter((skip) => skip.id === id),
      freed: Ns(granted ? freed(granted) : Number.POSITIVE_INFINITY),
    };
  });
}

/** Numbers of the requests of each device. */
class Sequences {
  readonly #next = new Map<string, number>();

  next(device: string): number {
    const sequence = this.#next.get(device) ?? 0;
    this.#next.set(device, sequence + 1);
    return sequence;
  }
}

/** When a device's pages from `pfn` on, granted at a time, went back. */
function freesByPage(histories: readonly History[]): (granted: Omit<Freed, 'source'>) => number {
  const key = ({ id, pfn }: Pick<Freed, 'id' | 'pfn'>): string => `${asker(id)} ${pfn}`;
  const frees = grouped(
    histories.flatMap(({ freed }) => freed),
    key,
  );
  for (const list of frees.values()) list.sort((a, b) => a.time - b.time);
  return (granted) => {
    const free = frees.get(key(granted))?.find(({ time }) => time >= granted.time);
    return free?.time ?? Number.POSITIVE_INFINITY;
  };
}

/** A row of a replayed trace that asked for memory. */
export interface AskedRow extends Pick<Placement, 'device' | 'node' | 'mode' | 'bytes' | 'gfp'> {
  readonly row: number;
  /** Row of the free that ends it; -1: none. */
  readonly freeRow: number;
}

/** The requests of a replayed trace, in the order of `asked`. */
export function replayPlacements(
  plan: Plan,
  asked: readonly AskedRow[],
  { observed, outcomes }: RunOutcome,
): Placement[] {
  const { layout } = plan;
  const { replayer } = actorNumbers(plan);
  const tried = triedById(
    layout,
    observed.flatMap(({ attempts }) => attempts ?? []),
  );
  const sequences = new Sequences();
  const field = (row: number, name: keyof typeof op.outcome): number =>
    op.outcomeAt(outcomes, row, op.outcome[name]);
  return asked.map(({ row, freeRow, ...request }): Placement => {
    const sequence = sequences.next(request.device);
    const granted = {
      source: field(row, 'source'),
      nid: field(row, 'nid'),
      pfn: field(row, 'pfn'),
      pages: field(row, 'pages'),
    };
    const verdict = field(row, 'verdict');
    const place = placeOf(layout, verdict === op.PLACED ? granted : null);
    const isFreed = freeRow >= 0 && field(freeRow, 'verdict') === op.RETURNED;
    return {
      ...request,
      name: `${request.device || 'kernel'}#${sequence}`,
      sequence,
      issued: Ns(field(row, 'issued')),
      settled: Ns(verdict === 0 ? Number.NaN : field(row, 'settled')),
      zero: Ns(0),
      ...place,
      attempts: tried(replayer * ID_SPAN + row, place),
      skipped: [],
      freed: Ns(isFreed ? field(freeRow, 'issued') : Number.POSITIVE_INFINITY),
    };
  });
}
