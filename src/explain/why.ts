/**
 * One request explained: the run is repeated from its scenario and watched, instead of logging every run.
 */

import {
  areaDirectory,
  areaOfSource,
  factsOf,
  NO_AREA,
  optimalGfpMask,
  pageAlign,
} from '../mm/alloc/contiguous.js';
import { GFP_DMA, GFP_DMA32, GFP_HIGHMEM } from '../mm/gfp.js';
import { allocSources, conditions, lowerPolicy } from '../mm/policy.js';
import { attemptsById, type LogData, type Spent, spentById } from '../nodes/log.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { ShardResult } from '../nodes/shard.js';
import { asker } from '../nodes/walk.js';
import {
  type Answered,
  type Asked,
  type BuddyTry,
  REFUSED_SOURCE,
  type WatchOptions,
} from '../nodes/watch.js';
import { planRun } from '../run/plan.js';
import { callSpan, requestName } from '../run/requestName.js';
import { runShards } from '../run/shards.js';
import { shardRun } from '../run/simulate.js';
import type { Scenario } from '../scenario/scenario.js';
import { BUDDY, ID_SPAN, MODE_COHERENT, MODE_PAGES } from '../wire/dma.js';
import type { RequestRow, Requests, StepRow, TimePart, Why } from './explained.js';

/** No such request in the run. */
export class NoSuchRequest extends Error {}

interface Watched {
  readonly plan: Plan;
  readonly logs: readonly LogData[];
  readonly fingerprint: string;
}

async function watch(
  scenario: Scenario,
  options: WatchOptions,
  interpreted: boolean,
): Promise<Watched> {
  const common = { interpreted, keepAttempts: false, checks: false };
  const { plan } = planRun(scenario, { ...common, watch: options });
  const outcome = await runShards(shardRun(scenario, plan, { shards: 'auto' }));
  const logs = (outcome.results as ShardResult[]).map((result) => result.log);
  return { plan, logs, fingerprint: outcome.fingerprint };
}

/** Every request for memory of a run, in the order they were made. */
export async function requestsOf(scenario: Scenario, interpreted = false): Promise<Requests> {
  const run = await watch(scenario, { all: true, id: null }, interpreted);
  const answered = answersById(run.logs);
  const rows = run.logs
    .flatMap((log) => log.watch.asked)
    .sort((a, b) => a.time - b.time || a.id - b.id)
    .map((asked) => requestRow(run.plan, scenario, asked, answered.get(asked.id)));
  return { requests: rows, fingerprint: run.fingerprint };
}

/**
 * Explains the request of that name.
 * @throws NoSuchRequest if the run has none.
 */
export async function why(scenario: Scenario, name: string, interpreted = false): Promise<Why> {
  const planned = planRun(scenario, { interpreted, keepAttempts: false, checks: false });
  const candidates = idsOf(planned.plan, scenario, name);
  const listed = await watch(scenario, { all: true, id: null }, interpreted);
  const asked = listed.logs
    .flatMap((log) => log.watch.asked)
    .find(({ id }) => id >= candidates.first && id < candidates.end);
  if (!asked) throw new NoSuchRequest(`${name}: no request for memory of that number in this run`);
  const run = await watch(scenario, { all: false, id: asked.id }, interpreted);
  return explain(run, scenario, asked);
}

function answersById(logs: readonly LogData[]): ReadonlyMap<number, Answered> {
  return new Map(logs.flatMap((log) => log.watch.answered.map((one) => [one.id, one] as const)));
}

/** Handles of a device, which its request numbers are made with (devices/host/driver.ts). */
/** Ids that a name may stand for: the call's number, whatever its handle. */
function idsOf(plan: Plan, scenario: Scenario, name: string): { first: number; end: number } {
  const m = /^(.+)#(\d+)$/.exec(name);
  if (!m) throw new NoSuchRequest(`${name}: expected DEVICE#NUMBER, such as nic0#12`);
  const device = scenario.devices.findIndex((candidate) => candidate.name === m[1]);
  if (device < 0) {
    const known = scenario.devices.slice(0, 8).map((one) => one.name);
    throw new NoSuchRequest(`${name}: no device ${m[1]}, expected one of ${known.join(', ')}`);
  }
  const count = callSpan(plan, device);
  const first = (actorNumbers(plan).firstDevice + device) * ID_SPAN + Number(m[2]) * count;
  return { first, end: first + count };
}

function requestRow(
  plan: Plan,
  scenario: Scenario,
  asked: Asked,
  answered: Answered | undefined,
): RequestRow {
  const device = asker(asked.id) - actorNumbers(plan).firstDevice;
  const { name, nid: home } = scenario.devices[device];
  return {
    name: requestName(plan, asked.id)!,
    device: name,
    askedNs: asked.time,
    tookNs: answered ? answered.time - asked.time : null,
    size: asked.size,
    from: answered ? sourceName(plan, answered.source) : '',
    nid: answered?.nid ?? -1,
    local: answered?.nid === home,
    pfn: answered?.pfn ?? -1,
    pages: answered?.pages ?? 0,
  };
}

function sourceName(plan: Plan, source: number): string {
  if (source === REFUSED_SOURCE) return 'refused';
  return source === BUDDY ? 'buddy' : plan.layout.areas[source].name;
}

function explain(run: Watched, scenario: Scenario, asked: Asked): Why {
  const { plan, logs } = run;
  const answered = answersById(logs).get(asked.id);
  const spent = spentById(logs).get(asked.id) ?? [];
  const sights = logs.flatMap((log) => log.watch.sights).sort((a, b) => a.time - b.time);
  return {
    request: requestRow(plan, scenario, asked, answered),
    policy: scenario.policy,
    kernel: scenario.kernel,
    gfp: asked.gfp,
    devNode: asked.devNode,
    maskBits: asked.maskBits,
    steps: stepRows(run, asked, answered),
    sights: sights.map((sight) => {
      const { name, basePfn, count, orderPerBit } = plan.layout.areas[sight.area];
      return { ...sight, areaName: name, basePfn, size: count / 2 ** orderPerBit };
    }),
    parts: timeParts(spent, asked, answered),
    fingerprint: run.fingerprint,
  };
}

const partClass: Readonly<Record<string, TimePart['class']>> = {
  drain_lru: 'calibrated',
  freeze: 'calibrated',
  migrate: 'calibrated',
};

/** Where the time went; what is left over was spent between nodes and in the buddy. */
function timeParts(
  spent: readonly Spent[],
  asked: Asked,
  answered: Answered | undefined,
): TimePart[] {
  if (!answered) return [];
  const sums = new Map<string, number>();
  for (const { parts } of spent) {
    for (const [name, ns] of Object.entries(parts)) sums.set(name, (sums.get(name) ?? 0) + ns);
  }
  sums.set('zero', answered.zero);
  const known = [...sums.values()].reduce((sum, ns) => sum + ns, 0);
  sums.set('call, ways between nodes, buddy', answered.time - asked.time - known);
  return [...sums]
    .filter(([, ns]) => ns !== 0)
    .map(([name, ns]) => ({ name, ns, class: partClass[name] ?? 'assumed' }));
}

/** What the direct mapping makes of a request before the first step (kernel/dma/direct.c). */
function effective(plan: Plan, asked: Asked): { gfp: number; size: number } {
  if (asked.mode !== MODE_COHERENT) return asked;
  const gfp = asked.gfp & ~(GFP_DMA | GFP_DMA32 | GFP_HIGHMEM);
  return {
    gfp: gfp | optimalGfpMask(plan.limits, asked.maskBits),
    size: pageAlign(asked.size, plan.layout.pageShift),
  };
}

function stepRows(run: Watched, asked: Asked, answered: Answered | undefined): StepRow[] {
  const { plan, logs } = run;
  const policy = plan.policies[0];
  const { alloc } = lowerPolicy(policy, 2 ** plan.layout.pageShift);
  const { gfp, size } = effective(plan, asked);
  const directory = areaDirectory(plan.layout);
  const facts = factsOf(directory, gfp, asked.devNode, asked.devArea);
  const attempts = attemptsById(logs).get(asked.id) ?? [];
  const returned = logs.some((log) => log.returned.length > 0);
  const tries = logs.flatMap((log) => log.watch.buddyTries).sort((a, b) => a.time - b.time);
  let served = false;
  return policy.alloc.map((step, i): StepRow => {
    if (served) return { step, outcome: 'not reached', text: 'an earlier step served it' };
    const source = allocSources[alloc.source[i]];
    const missing = missingConditions(alloc.needs[i] & ~facts);
    if (asked.mode === MODE_PAGES && !source.startsWith('buddy')) {
      return { step, outcome: 'skipped', text: 'alloc_pages() knows no area' };
    }
    if (size < alloc.minSize[i] || size > alloc.maxSize[i])
      missing.push(`${sizeCondition(step)} (it is ${size} bytes)`);
    if (missing.length > 0) {
      return { step, outcome: 'skipped', text: `does not hold: ${missing.join(', ')}` };
    }
    if (source.startsWith('buddy')) {
      served = answered?.source === BUDDY;
      return { step, outcome: served ? 'served' : 'failed', text: buddyText(tries) };
    }
    const area = areaOfSource(directory, alloc.source[i], asked.devNode, asked.devArea);
    const tried = attempts.filter((one) => source === 'nearest' || one.area === area);
    const names = tried.map(
      (one) =>
        `${one.area === NO_AREA ? 'no area' : plan.layout.areas[one.area].name} ${errText(one)}`,
    );
    if (tried.length === 0) return { step, outcome: 'no area', text: 'this slot is empty' };
    const won = tried.some((one) => one.err === 0);
    if (won && returned) {
      const text = `${names.join(', ')}; the mask does not reach it: given back`;
      return { step, outcome: 'given back', text };
    }
    served = won;
    return { step, outcome: won ? 'served' : 'failed', text: names.join(', ') };
  });
}

/** The part of a step's text that speaks of the size. */
function sizeCondition(step: string): string {
  return /size [^,]+/.exec(step)?.[0] ?? 'size';
}

function missingConditions(bits: number): string[] {
  return Object.entries(conditions).flatMap(([name, bit]) => ((bits & bit) !== 0 ? [name] : []));
}

function errText({ err, retries }: { err: number; retries: number }): string {
  const busy = retries > 0 ? `, ${retries} windows given up` : '';
  if (err === 0) return `had room${busy}`;
  if (err === 1) return 'returned at once: inactive, or smaller than the request';
  return `${err === -12 ? 'ENOMEM (-12)' : err === -16 ? 'EBUSY (-16)' : err}${busy}`;
}

function buddyText(tries: readonly BuddyTry[]): string {
  if (tries.length === 0) return 'no node to ask, or the order is above the largest';
  const texts = tries.map(({ nid, round, zone }) => {
    const mark = round === 0 ? 'low' : 'min';
    return `node ${nid} ${zone >= 0 ? 'had room' : `below its ${mark} watermark`}`;
  });
  const order = `order ${tries[0].order}`;
  return `${order}: ${[...new Set(texts)].join(', ')}`;
}
