/**
 * The walk of one request: from step to step of its policy, from the owner of one source to the
 * next.
 *
 * The list of attempts is the policy row (mm/policy.ts); this file only carries the request along
 * it, and brings the answer back. A walk down a zonelist goes on from node to node.
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
  missingFacts,
  NO_AREA,
  sizeFits,
} from '../mm/alloc/contiguous.js';
import { type Nid, Ns, type Pages, type Pfn } from '../mm/units.js';
import type { Loop } from '../sim/model.js';
import { ATTEMPT, FREED, GRANTED, RECALL, REFUSED } from '../wire/messages.js';
import {
  asker,
  BUDDY,
  FreeDone,
  Grant,
  isScattered,
  type Mode,
  type PageRelease,
  Recall,
  Refusal,
  type Request,
} from '../wire/request.js';
import type { SkipReason } from './recorder.js';
import { between, startNode, type Wiring } from './wiring.js';

/** Where the pages of a request lie. `source`: area, or BUDDY. */
export interface Page {
  readonly pfn: Pfn;
  readonly pages: Pages;
  readonly source: number;
  readonly nid: Nid;
  readonly zone: number;
  /** Clearing them, ns. */
  readonly zero: number;
}

/** Who asks for a place down a zonelist. */
type Place = Pick<Request, 'devNode' | 'cpuNode' | 'walk'>;

const ENOMEM = 12;

/** True for the modes that ask dma_alloc_contiguous() first. */
function knowsAreas(mode: Mode): boolean {
  return mode === 'coherent' || mode === 'contiguous';
}

function isBuddy(source: number): boolean {
  return source === ALLOC_BUDDY || source === ALLOC_BUDDY_NODE;
}

export class Walker {
  readonly #wiring: Wiring;
  readonly #granted = new Grant();
  readonly #refused = new Refusal();
  readonly #freed = new FreeDone();
  readonly #recall = new Recall();

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
  }

  /**
   * Alignment order of a request: min(get_order(size), CONFIG_CMA_ALIGNMENT), or a raw call's own.
   */
  alignOrder(request: Request): number {
    if (request.mode === 'raw') return request.align;
    const { pageShift, cmaAlignment } = this.#wiring.directory;
    return Math.min(getOrder(request.size, pageShift), cmaAlignment);
  }

  /** Pages a request asks of an area. */
  pagesAsked(request: Request): number {
    return cmaCount(request.size, this.#wiring.directory.pageShift);
  }

  /** The area of the step in hand, or NO_AREA when it is a buddy step. */
  area(request: Request): number {
    return request.mode === 'raw' ? request.devArea : this.#areaOf(request, this.#source(request));
  }

  #source(request: Request): number {
    return this.#wiring.policies[request.policy].alloc.source[request.step];
  }

  #areaOf(request: Request, source: number): number {
    const nid = source === ALLOC_NEAREST ? (this.nodeAt(request) ?? -1) : request.devNode;
    return areaOfSource(this.#wiring.directory, source, nid, request.devArea);
  }

  /**
   * Node `walk` places down the zonelist of the request's node; undefined past its end. The list is
   * gone through twice: at the low watermark, then down to the minimum (the slow path of
   * __alloc_pages()).
   */
  nodeAt(walker: Place, walk: number = walker.walk): number | undefined {
    const list = this.#list(walker);
    if (!list || walk >= 2 * list.length) return undefined;
    return list[walk % list.length];
  }

  #list(walker: Place): ArrayLike<number> | undefined {
    return this.#wiring.layout.fallback.get(startNode(walker));
  }

  /** 0 while the walk goes by the low watermark, 1 in its second round. */
  round(walker: Place): 0 | 1 {
    return walker.walk < this.#list(walker)!.length ? 0 : 1;
  }

  /**
   * Sends the request to the owner of the first source at or after step `from`; refuses it when
   * there is none left. `work`: ns this actor has spent on it that nobody has waited for.
   */
  advance(loop: Loop, request: Request, from: number, work: number): void {
    const { policies, directory, areaOwner } = this.#wiring;
    const { mode } = request;
    if (mode === 'raw') {
      // cma_alloc(NULL) returns at once.
      const area = request.devArea;
      if (from > 0 || area === NO_AREA) this.refuse(loop, request, work);
      else this.#attempt(loop, request, areaOwner[area], work);
      return;
    }
    const { alloc } = policies[request.policy];
    const { gfp, devNode, devArea, size } = request;
    const facts = factsOf(directory, gfp, devNode, devArea);
    for (let step = from; step < alloc.source.length; step++) {
      const source = alloc.source[step];
      let why: SkipReason['why'];
      if (!isBuddy(source) && !knowsAreas(mode)) why = 'mode';
      else if (missingFacts(alloc, step, facts) !== 0) why = 'conditions';
      else if (!sizeFits(alloc, step, size)) why = 'size';
      else if (!isBuddy(source) && step < request.reached) why = 'mask';
      else {
        request.step = step;
        request.walk = 0;
        const owner = this.#owner(loop, request, source);
        if (owner >= 0) {
          this.#attempt(loop, request, owner, work);
          return;
        }
        why = isBuddy(source) ? 'no node' : 'no area';
      }
      this.skipped(loop, request, step, why);
    }
    this.refuse(loop, request, work);
  }

  /** Tells whoever watches why a step is passed over. */
  skipped(loop: Loop, request: Request, step: number, why: SkipReason['why']): void {
    const { recorder } = this.#wiring;
    const { id } = request;
    if (!recorder.hears('skipped', id)) return;
    recorder.tell('skipped', {
      id,
      time: loop.now,
      step,
      reason: this.#reason(request, step, why),
    });
  }

  #reason(request: Request, step: number, why: SkipReason['why']): SkipReason {
    const { directory, policies } = this.#wiring;
    const { gfp, devNode, devArea, size } = request;
    switch (why) {
      case 'conditions': {
        const facts = factsOf(directory, gfp, devNode, devArea);
        return { why, missing: missingFacts(policies[request.policy].alloc, step, facts) };
      }
      case 'size':
        return { why, bytes: size };
      case 'order':
        return { why, order: getOrder(size, directory.pageShift) };
      default:
        return { why };
    }
  }

  #attempt(loop: Loop, request: Request, owner: number, work: number): void {
    request.forward(loop, owner, this.#delay(loop, owner, work), ATTEMPT);
  }

  /** The actor to go to for a step whose conditions hold, or -1: there is none. */
  #owner(loop: Loop, request: Request, source: number): number {
    const { recorder, nodeOf, areaOwner } = this.#wiring;
    if (isBuddy(source)) {
      const first = this.nodeAt(request, 0);
      const stays = source === ALLOC_BUDDY_NODE && first !== startNode(request);
      return first === undefined || stays ? -1 : nodeOf[first];
    }
    if (source === ALLOC_NEAREST) return this.#ownerOfNearest(request);
    const area = this.#areaOf(request, source);
    if (area !== NO_AREA) return areaOwner[area];
    if (source === ALLOC_DEFAULT) {
      // Reached only under policies that do not test the pointer: cma_alloc(NULL) returns at once.
      const count = this.pagesAsked(request);
      const align = this.alignOrder(request);
      const { id, step } = request;
      recorder.returnedAtOnce({ id, time: loop.now, step, area: NO_AREA, count, align });
    }
    return -1;
  }

  /** Moves the walk on to the next other node that has an area; -1 when there is none. */
  #ownerOfNearest(request: Request): number {
    const { length } = this.#list(request) ?? [];
    for (let walk = request.walk; walk < length; walk++) {
      if (this.nodeAt(request, walk) === startNode(request)) continue;
      request.walk = walk;
      const area = this.#areaOf(request, ALLOC_NEAREST);
      if (area !== NO_AREA) return this.#wiring.areaOwner[area];
    }
    return -1;
  }

  /** After an area had no room: the next node's for `nearest`, the next step otherwise. */
  leaveArea(loop: Loop, request: Request, work: number): void {
    if (request.mode !== 'raw' && this.#source(request) === ALLOC_NEAREST) {
      request.walk += 1;
      const owner = this.#ownerOfNearest(request);
      if (owner >= 0) {
        this.#attempt(loop, request, owner, work);
        return;
      }
    }
    this.advance(loop, request, request.step + 1, work);
  }

  /** After a node's zones had no room: the next node of the zonelist, or the next step after it. */
  leaveNode(loop: Loop, request: Request, work: number): void {
    const stays = this.#source(request) === ALLOC_BUDDY_NODE;
    const walk = request.walk + (stays ? this.#list(request)!.length : 1);
    const next = this.nodeAt(request, walk);
    if (next === undefined) {
      this.advance(loop, request, request.step + 1, work);
      return;
    }
    request.walk = walk;
    this.#attempt(loop, request, this.#wiring.nodeOf[next], work);
  }

  /**
   * After an area gave pages beyond the mask: as in __dma_direct_alloc_pages(), the buddy is next,
   * and neither this area nor one before it is asked again.
   */
  leaveReach(loop: Loop, request: Request, work: number): void {
    request.reached = request.step + 1;
    this.toBuddy(loop, request, work);
  }

  /** Goes to the first buddy step from wherever the request is. */
  toBuddy(loop: Loop, request: Request, work: number): void {
    const { source } = this.#wiring.policies[request.policy].alloc;
    const first = source.findIndex(isBuddy);
    for (let step = request.step + 1; step < first; step++) {
      this.skipped(loop, request, step, 'mask');
    }
    this.advance(loop, request, first < 0 ? source.length : first, work);
  }

  /** Tells the asker where its pages are, once the CPU that asked has cleared them. */
  grant(loop: Loop, request: Request, work: number, page: Page): void {
    const { id, lockWait } = request;
    const to = asker(id);
    const delay = this.#delay(loop, to, work + page.zero);
    const { recorder } = this.#wiring;
    if (recorder.hears('granted', id)) {
      recorder.tell('granted', { id, time: loop.now + delay, ...page });
    }
    const granted = this.#granted.post(loop, to, delay, GRANTED);
    granted.id = id;
    granted.pfn = page.pfn;
    granted.pages = page.pages;
    granted.source = page.source;
    granted.nid = page.nid;
    granted.zone = page.zone;
    granted.lockWait = lockWait;
    granted.zero = Ns(page.zero);
  }

  refuse(loop: Loop, request: Request, work: number): void {
    const { id, lockWait, got } = request;
    if (isScattered(request.mode) && got > 0) {
      this.recall(loop, request, { of: id, pages: got });
      return;
    }
    this.#tellRefused(loop, id, work).lockWait = lockWait;
  }

  /** Tells the asker, and whoever watches, that there are no pages. */
  #tellRefused(loop: Loop, id: number, work: number): Refusal {
    const { recorder } = this.#wiring;
    const to = asker(id);
    const delay = this.#delay(loop, to, work);
    if (recorder.hears('refused', id)) {
      recorder.tell('refused', { id, time: loop.now + delay });
    }
    const refused = this.#refused.post(loop, to, delay, REFUSED);
    refused.id = id;
    refused.errno = ENOMEM;
    return refused;
  }

  /** Ns until a message arrives that leaves after `work` ns. */
  #delay(loop: Loop, to: number, work: number): number {
    return work + between(this.#wiring, loop.actor, to);
  }

  /**
   * Sends for the pages of a request that need not lie together, along the zonelist from its
   * beginning; whoever has the last of them answers.
   */
  recall(
    loop: Loop,
    { id, devNode, cpuNode }: Pick<Request, 'id' | 'devNode' | 'cpuNode'>,
    { of, pages }: { of: number; pages: Pages },
  ): void {
    const first = this.nodeAt({ devNode, cpuNode, walk: 0 })!;
    const to = this.#wiring.nodeOf[first];
    const recall = this.#recall.post(loop, to, this.#delay(loop, to, 0), RECALL);
    recall.id = id;
    recall.of = of;
    recall.left = pages;
    recall.pages = pages;
    recall.devNode = devNode;
    recall.cpuNode = cpuNode;
  }

  /** Passes a recall on to the next node; false at the end of the zonelist. */
  recallNext(loop: Loop, recall: Recall, left: Pages, work: number): boolean {
    const next = this.nodeAt(recall, recall.walk + 1);
    if (next === undefined) return false;
    const to = this.#wiring.nodeOf[next];
    const out = this.#recall.post(loop, to, this.#delay(loop, to, work), RECALL);
    out.copy(recall.m, recall.at);
    out.left = left;
    out.walk += 1;
    return true;
  }

  /**
   * Answers whoever sent for pages: a free names the request that was granted, a refusal itself.
   */
  recalled(loop: Loop, recall: Recall, work: number, first: { pfn: Pfn; nid: Nid }): void {
    const { id, of, pages } = recall;
    if (of === id) this.#tellRefused(loop, id, work);
    else this.#freedTo(loop, work, { id, pages, source: BUDDY, leakedFrom: NO_AREA, ...first });
  }

  /** Tells whoever freed that it is done. */
  released(loop: Loop, release: PageRelease, work: number, by: { source: number; nid: Nid }): void {
    const { id, pfn, pages, leakedFrom } = release;
    this.#freedTo(loop, work, { id, pfn, pages, leakedFrom, ...by });
  }

  #freedTo(loop: Loop, work: number, what: FreedPages): void {
    const to = asker(what.id);
    const freed = this.#freed.post(loop, to, this.#delay(loop, to, work), FREED);
    freed.id = what.id;
    freed.pfn = what.pfn;
    freed.pages = what.pages;
    freed.source = what.source;
    freed.nid = what.nid;
    freed.leakedFrom = what.leakedFrom;
  }
}

type FreedPages = Pick<FreeDone, 'id' | 'pfn' | 'pages' | 'source' | 'nid' | 'leakedFrom'>;
