/**
 * One request on its way: from step to step of its policy, from the owner of one source to the next.
 *
 * The list of attempts is the policy row (mm/policy.ts); this file only carries the request along it, and
 * brings the answer back. A walk down a zonelist goes on from node to node.
 */

import {
  ALLOC_BUDDY,
  ALLOC_BUDDY_NODE,
  ALLOC_DEFAULT,
  ALLOC_NEAREST,
  areaOfSource,
  cmaCount,
  factsOf,
  getOrder,
  NO_AREA,
  nextStep,
} from '../mm/alloc/contiguous.js';
import type { Loop } from '../sim/model.js';
import {
  GRANTED,
  granted,
  ID_SPAN,
  MODE_BULK,
  MODE_CMA,
  MODE_PAGES,
  originMask,
  originNode,
  originWalk,
  packOrigin,
  packPlan,
  planAlign,
  planMode,
  planPolicy,
  planStep,
  REFUSED,
  refused,
  request,
} from '../wire/dma.js';
import { ATTEMPT, RELEASE_BULK } from '../wire/messages.js';
import { between, forward, startNode, type Wiring } from './wiring.js';

/** Alignment order of a request: min(get_order(size), CONFIG_CMA_ALIGNMENT); what was asked for MODE_CMA. */
export function alignOrder(wiring: Wiring, m: Float64Array, at: number): number {
  const plan = m[at + request.plan];
  if (planMode(plan) === MODE_CMA) return planAlign(plan);
  const { pageShift, cmaAlignment } = wiring.directory;
  return Math.min(getOrder(m[at + request.size], pageShift), cmaAlignment);
}

/** Pages a request asks of an area. */
export function pagesAsked(wiring: Wiring, m: Float64Array, at: number): number {
  const size = m[at + request.size];
  if (planMode(m[at + request.plan]) === MODE_CMA) return size;
  return cmaCount(size, wiring.directory.pageShift);
}

/** Policy source of the step in hand. */
export function stepSource(wiring: Wiring, m: Float64Array, at: number): number {
  const plan = m[at + request.plan];
  return wiring.policies[planPolicy(plan)].alloc.source[planStep(plan)];
}

/** The area of the step in hand, or NO_AREA when it is a buddy step. */
export function stepArea(wiring: Wiring, m: Float64Array, at: number): number {
  if (planMode(m[at + request.plan]) === MODE_CMA) return m[at + request.devArea];
  const source = stepSource(wiring, m, at);
  return sourceArea(wiring, source, m, at);
}

function sourceArea(wiring: Wiring, source: number, m: Float64Array, at: number): number {
  const nid =
    source === ALLOC_NEAREST
      ? (walkNode(wiring, m, at, originWalk(m[at + request.origin])) ?? -1)
      : m[at + request.devNode];
  return areaOfSource(wiring.directory, source, nid, m[at + request.devArea]);
}

/**
 * Node `walk` places down the zonelist of the request's node; undefined past its end. The list is gone through
 * twice: at the low watermark, then down to the minimum (the slow path of __alloc_pages()).
 */
export function walkNode(
  wiring: Wiring,
  m: Float64Array,
  at: number,
  walk: number,
): number | undefined {
  const list = wiring.layout.fallback.get(startNode(m, at));
  if (!list || walk >= 2 * list.length) return undefined;
  return list[walk % list.length];
}

/** 0 while the walk goes by the low watermark, 1 in its second round. */
export function walkRound(wiring: Wiring, m: Float64Array, at: number): 0 | 1 {
  const list = wiring.layout.fallback.get(startNode(m, at))!;
  return originWalk(m[at + request.origin]) < list.length ? 0 : 1;
}

function setStep(m: Float64Array, at: number, step: number, walk: number): void {
  const plan = m[at + request.plan];
  const origin = m[at + request.origin];
  m[at + request.plan] = packPlan(planPolicy(plan), step, planMode(plan), planAlign(plan));
  m[at + request.origin] = packOrigin(originNode(origin), originMask(origin), walk);
}

/** Steps that a mode leaves out: alloc_pages() knows no area. */
function skips(mode: number, source: number): boolean {
  return (
    (mode === MODE_PAGES || mode === MODE_BULK) &&
    source !== ALLOC_BUDDY &&
    source !== ALLOC_BUDDY_NODE
  );
}

/**
 * Sends the request to the owner of the first source at or after step `from`; refuses it when there is
 * none left. `work`: ns this actor has spent on it that nobody has waited for.
 */
export function advance(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  from: number,
  work: number,
): void {
  const plan = m[at + request.plan];
  const mode = planMode(plan);
  if (mode === MODE_CMA) {
    // cma_alloc(NULL) returns at once.
    const area = m[at + request.devArea];
    if (from > 0 || area === NO_AREA) refuse(wiring, loop, m, at, work);
    else forward(wiring, loop, wiring.areaOwner[area], ATTEMPT, work, m, at);
    return;
  }
  const { alloc } = wiring.policies[planPolicy(plan)];
  const size = m[at + request.size];
  const facts = factsOf(
    wiring.directory,
    m[at + request.gfp],
    m[at + request.devNode],
    mode === MODE_BULK ? NO_AREA : m[at + request.devArea],
  );
  for (let step = from; ; step++) {
    step = nextStep(alloc, step, facts, size);
    if (step === alloc.source.length) break;
    const source = alloc.source[step];
    if (skips(mode, source)) continue;
    setStep(m, at, step, source === ALLOC_NEAREST ? 1 : 0);
    const owner = ownerOfStep(wiring, loop, source, m, at);
    if (owner < 0) continue;
    forward(wiring, loop, owner, ATTEMPT, work, m, at);
    return;
  }
  refuse(wiring, loop, m, at, work);
}

/** The actor to go to for a step whose conditions hold, or -1: its slot is empty. */
function ownerOfStep(
  wiring: Wiring,
  loop: Loop,
  source: number,
  m: Float64Array,
  at: number,
): number {
  if (source === ALLOC_BUDDY || source === ALLOC_BUDDY_NODE) {
    const first = walkNode(wiring, m, at, 0);
    const stays = source === ALLOC_BUDDY_NODE && first !== startNode(m, at);
    return first === undefined || stays ? -1 : wiring.nodeOf[first];
  }
  if (source === ALLOC_NEAREST) return ownerOfNearest(wiring, m, at);
  const area = sourceArea(wiring, source, m, at);
  if (area !== NO_AREA) return wiring.areaOwner[area];
  if (source === ALLOC_DEFAULT) {
    // Reached only under policies that do not test the pointer: cma_alloc(NULL) returns at once.
    const count = pagesAsked(wiring, m, at);
    const id = m[at + request.id];
    const align = alignOrder(wiring, m, at);
    wiring.recorder.returnedAtOnce({ id, time: loop.now, area: NO_AREA, count, align });
  }
  return -1;
}

/** Moves the walk on to the next node that has an area; -1 when there is none. */
function ownerOfNearest(wiring: Wiring, m: Float64Array, at: number): number {
  const step = planStep(m[at + request.plan]);
  for (let walk = originWalk(m[at + request.origin]); ; walk++) {
    const nid = walkNode(wiring, m, at, walk);
    // Back at the request's own node: every other one has been asked.
    if (nid === undefined || nid === walkNode(wiring, m, at, 0)) return -1;
    setStep(m, at, step, walk);
    const area = stepArea(wiring, m, at);
    if (area !== NO_AREA) return wiring.areaOwner[area];
  }
}

/** After an area had no room: the next node's for `nearest`, the next step otherwise. */
export function leaveArea(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  work: number,
): void {
  const plan = m[at + request.plan];
  const step = planStep(plan);
  if (planMode(plan) !== MODE_CMA && stepSource(wiring, m, at) === ALLOC_NEAREST) {
    setStep(m, at, step, originWalk(m[at + request.origin]) + 1);
    const owner = ownerOfNearest(wiring, m, at);
    if (owner >= 0) {
      forward(wiring, loop, owner, ATTEMPT, work, m, at);
      return;
    }
  }
  advance(wiring, loop, m, at, step + 1, work);
}

/** After a node's zones had no room: the next node of the zonelist, or the next step after it. */
export function leaveNode(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  work: number,
): void {
  const step = planStep(m[at + request.plan]);
  const stays = stepSource(wiring, m, at) === ALLOC_BUDDY_NODE;
  const stride = stays ? wiring.layout.fallback.get(startNode(m, at))!.length : 1;
  const walk = originWalk(m[at + request.origin]) + stride;
  const next = walkNode(wiring, m, at, walk);
  if (next === undefined) {
    advance(wiring, loop, m, at, step + 1, work);
    return;
  }
  setStep(m, at, step, walk);
  forward(wiring, loop, wiring.nodeOf[next], ATTEMPT, work, m, at);
}

/** Goes to the first buddy step from wherever the request is, with the zone flags `gfp`. */
export function toBuddy(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  gfp: number,
  work: number,
): void {
  m[at + request.gfp] = gfp;
  const { source } = wiring.policies[planPolicy(m[at + request.plan])].alloc;
  let step = 0;
  while (
    step < source.length &&
    source[step] !== ALLOC_BUDDY &&
    source[step] !== ALLOC_BUDDY_NODE
  ) {
    step++;
  }
  advance(wiring, loop, m, at, step, work);
}

/** Actor that asked for a request or a free. */
export function asker(id: number): number {
  return Math.floor(id / ID_SPAN);
}

/** Tells the asker where its pages are, once the CPU that asked has cleared them for `zero` ns. */
export function grant(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  work: number,
  page: { pfn: number; pages: number; source: number; nid: number; zone: number; zero: number },
): void {
  const id = m[at + request.id];
  const to = asker(id);
  const delay = work + page.zero + between(wiring, loop.actor, to);
  if (wiring.recorder.hears('granted', id)) {
    wiring.recorder.tell('granted', { id, time: loop.now + delay, ...page });
  }
  const lockWait = m[at + request.extra];
  const out = loop.post(to, delay, GRANTED);
  loop.out[out + granted.id] = id;
  loop.out[out + granted.pfn] = page.pfn;
  loop.out[out + granted.pages] = page.pages;
  loop.out[out + granted.source] = page.source;
  loop.out[out + granted.nid] = page.nid;
  loop.out[out + granted.zone] = page.zone;
  loop.out[out + granted.lockWait] = lockWait;
  loop.out[out + granted.zero] = page.zero;
}

/**
 * Sends for `pages` pages of the MODE_BULK request `of`, along the zonelist from its beginning; whoever has
 * the last of them answers.
 */
export function recallBulk(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  { pages, of }: { pages: number; of: number },
): void {
  const origin = m[at + request.origin];
  const to = wiring.nodeOf[walkNode(wiring, m, at, 0)!];
  const out = forward(wiring, loop, to, RELEASE_BULK, 0, m, at);
  loop.out[out + request.devArea] = pages;
  loop.out[out + request.origin] = packOrigin(originNode(origin), originMask(origin), 0);
  loop.out[out + request.extra] = of;
}

export function refuse(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  work: number,
): void {
  const id = m[at + request.id];
  const had = planMode(m[at + request.plan]) === MODE_BULK ? m[at + request.devArea] : 0;
  if (had > 0) {
    recallBulk(wiring, loop, m, at, { pages: had, of: id });
    return;
  }
  const to = asker(id);
  const lockWait = m[at + request.extra];
  const delay = work + between(wiring, loop.actor, to);
  if (wiring.recorder.hears('refused', id)) {
    wiring.recorder.tell('refused', { id, time: loop.now + delay });
  }
  const out = loop.post(to, delay, REFUSED);
  loop.out[out + refused.id] = id;
  loop.out[out + refused.errno] = 12;
  loop.out[out + refused.lockWait] = lockWait;
}
