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
import { partNames } from '../nodes/inflight.js';
import type { Observe } from '../nodes/observers.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { Asked, Attempted, ZoneTried } from '../nodes/recorder.js';
import { type Answer, attemptsById, type History } from '../nodes/requestHistory.js';
import type { Walk } from '../nodes/requestWalk.js';
import type { ShardResult } from '../nodes/shard.js';
import { planRun } from '../run/plan.js';
import { callSpan, requestName } from '../run/requestName.js';
import { runShards } from '../run/shards.js';
import { shardRun } from '../run/simulate.js';
import type { Scenario } from '../scenario/scenario.js';
import { asker, BUDDY, ID_SPAN } from '../wire/request.js';
import type { RequestRow, Requests, StepRow, TimePart, Why } from './explained.js';

/** No such request in the run. */
export class NoSuchRequest extends Error {}

interface Watched {
  readonly plan: Plan;
  readonly asked: readonly Asked[];
  readonly answers: ReadonlyMap<number, Answer>;
  readonly histories: readonly History[];
  readonly walks: readonly Walk[];
  readonly fingerprint: string;
}

async function watch(scenario: Scenario, plan: Plan): Promise<Watched> {
  const outcome = await runShards(shardRun(scenario, plan, { shards: 'auto' }));
  const observed = (outcome.results as ShardResult[]).map((result) => result.observed);
  const histories = observed.flatMap(({ requests }) => requests ?? []);
  const answers = histories.flatMap((history) =>
    history.answers.map((one) => [one.id, one] as const),
  );
  return {
    plan,
    asked: histories
      .flatMap((history) => history.asked)
      .sort((a, b) => a.time - b.time || a.id - b.id),
    answers: new Map(answers),
    histories,
    walks: observed.flatMap(({ walk }) => walk ?? []),
    fingerprint: outcome.fingerprint,
  };
}

/** Every request for memory of a run, in the order they were made. */
export async function requestsOf(scenario: Scenario, interpreted = false): Promise<Requests> {
  const observe: Observe = { requests: [] };
  const { plan } = planRun(scenario, { interpreted, checks: false, observe });
  const run = await watch(scenario, plan);
  const requests = run.asked.map((asked) => requestRow(run, scenario, asked));
  return { requests, fingerprint: run.fingerprint };
}

/**
 * Explains the request of that name.
 * @throws NoSuchRequest if the run has none.
 */
export async function why(scenario: Scenario, name: string, interpreted = false): Promise<Why> {
  const { plan } = planRun(scenario, { interpreted, checks: false });
  const { first, end } = idsOf(plan, scenario, name);
  const observe: Observe = { requests: [], walk: [first, end] };
  const run = await watch(scenario, { ...plan, observe });
  const asked = run.asked.find(({ id }) => id >= first && id < end);
  if (!asked) throw new NoSuchRequest(`${name}: no request for memory of that number in this run`);
  return explain(run, scenario, asked);
}

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

function requestRow({ plan, answers }: Watched, scenario: Scenario, asked: Asked): RequestRow {
  const device = asker(asked.id) - actorNumbers(plan).firstDevice;
  const { name, nid: home } = scenario.devices[device];
  const answer = answers.get(asked.id);
  const granted = answer?.type === 'granted' ? answer : undefined;
  return {
    name: requestName(plan, asked.id)!,
    device: name,
    askedNs: asked.time,
    tookNs: answer ? answer.time - asked.time : null,
    size: asked.size,
    from: granted ? sourceName(plan, granted.source) : (answer?.type ?? ''),
    nid: granted?.nid ?? -1,
    local: granted?.nid === home,
    pfn: granted?.pfn ?? -1,
    pages: granted?.pages ?? 0,
  };
}

function sourceName(plan: Plan, source: number): string {
  return source === BUDDY ? 'buddy' : plan.layout.areas[source].name;
}

function explain(run: Watched, scenario: Scenario, asked: Asked): Why {
  const { plan } = run;
  const answer = run.answers.get(asked.id);
  const attempts = attemptsById(run.histories).get(asked.id) ?? [];
  const sights = run.walks.flatMap((walk) => walk.searched).sort((a, b) => a.time - b.time);
  return {
    request: requestRow(run, scenario, asked),
    policy: scenario.policy,
    kernel: scenario.kernel,
    gfp: asked.gfp,
    devNode: asked.devNode,
    maskBits: asked.maskBits,
    steps: stepRows(run, asked, attempts),
    sights: sights.map((sight) => {
      const { name, basePfn, count, orderPerBit } = plan.layout.areas[sight.area];
      return { ...sight, areaName: name, basePfn, size: count / 2 ** orderPerBit };
    }),
    parts: timeParts(attempts, asked, answer),
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
  attempts: readonly Attempted[],
  asked: Asked,
  answer: Answer | undefined,
): TimePart[] {
  if (!answer) return [];
  const sums = partNames.map((name, i) => {
    return { name: name as string, ns: attempts.reduce((sum, { parts }) => sum + parts[i], 0) };
  });
  sums.push({ name: 'zero', ns: answer.type === 'granted' ? answer.zero : 0 });
  const known = sums.reduce((sum, { ns }) => sum + ns, 0);
  sums.push({ name: 'call, ways between nodes, buddy', ns: answer.time - asked.time - known });
  return sums
    .filter(({ ns }) => ns !== 0)
    .map(({ name, ns }) => ({ name, ns, class: partClass[name] ?? 'assumed' }));
}

/** What the direct mapping makes of a request before the first step (kernel/dma/direct.c). */
function effective(plan: Plan, asked: Asked): { gfp: number; size: number } {
  if (asked.mode !== 'coherent') return asked;
  const gfp = asked.gfp & ~(GFP_DMA | GFP_DMA32 | GFP_HIGHMEM);
  return {
    gfp: gfp | optimalGfpMask(plan.limits, asked.maskBits),
    size: pageAlign(asked.size, plan.layout.pageShift),
  };
}

function stepRows(run: Watched, asked: Asked, attempts: readonly Attempted[]): StepRow[] {
  const { plan } = run;
  const answer = run.answers.get(asked.id);
  const policy = plan.policies[0];
  const { alloc } = lowerPolicy(policy, 2 ** plan.layout.pageShift);
  const { gfp, size } = effective(plan, asked);
  const directory = areaDirectory(plan.layout);
  const facts = factsOf(directory, gfp, asked.devNode, asked.devArea);
  const returned = run.histories.some(({ gaveBack }) => gaveBack.some(({ id }) => id === asked.id));
  const tries = run.walks.flatMap((walk) => walk.zonesTried).sort((a, b) => a.time - b.time);
  let served = false;
  return policy.alloc.map((step, i): StepRow => {
    if (served) return { step, outcome: 'not reached', text: 'an earlier step served it' };
    const source = allocSources[alloc.source[i]];
    const missing = missingConditions(alloc.needs[i] & ~facts);
    if (asked.mode === 'pages' && !source.startsWith('buddy')) {
      return { step, outcome: 'skipped', text: 'alloc_pages() knows no area' };
    }
    if (size < alloc.minSize[i] || size > alloc.maxSize[i])
      missing.push(`${sizeCondition(step)} (it is ${size} bytes)`);
    if (missing.length > 0) {
      return { step, outcome: 'skipped', text: `does not hold: ${missing.join(', ')}` };
    }
    if (source.startsWith('buddy')) {
      served = answer?.type === 'granted' && answer.source === BUDDY;
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

function buddyText(tries: readonly ZoneTried[]): string {
  if (tries.length === 0) return 'no node to ask, or the order is above the largest';
  const texts = tries.map(({ nid, round, zone }) => {
    const mark = round === 0 ? 'low' : 'min';
    return `node ${nid} ${zone >= 0 ? 'had room' : `below its ${mark} watermark`}`;
  });
  const order = `order ${tries[0].order}`;
  return `${order}: ${[...new Set(texts)].join(', ')}`;
}
