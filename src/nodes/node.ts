/**
 * A NUMA node: its CPUs run drivers' calls, its areas and zones hold their pages, its controller serves memory.
 *
 * Models what dma_direct_alloc() and dma_direct_free() do on a CPU of the node (kernel/dma/direct.c), and
 * alloc_pages() on its zones. One behaviour serves all nodes of a shard.
 */

import {
  areaOfPage,
  coherentOk,
  getOrder,
  NO_AREA,
  optimalGfpMask,
  pageAlign,
  pageToNid,
  releaseCount,
  releaseOwner,
  retryGfp,
} from '../mm/alloc/contiguous.js';
import { GFP_DMA, GFP_DMA32, GFP_HIGHMEM } from '../mm/gfp.js';
import type { Behaviour, Loop } from '../sim/model.js';
import {
  ACCESS,
  ALLOC,
  BUDDY,
  FREE,
  LINE_ACQUIRE,
  LINE_SERVED,
  LINE_YIELD,
  MODE_BULK,
  MODE_CMA,
  MODE_COHERENT,
  MODE_PAGES,
  originMask,
  planMode,
  planPolicy,
  planStep,
  request,
} from '../wire/dma.js';
import {
  ATTEMPT,
  BUSY,
  CONTIG_DONE,
  GIVE_MEMORY,
  MUTEX_ACQUIRE,
  MUTEX_PASS,
  MUTEX_TOKEN,
  memory,
  OBSERVE_AREAS,
  OBSERVE_ZONES,
  RELEASE,
  RELEASE_BULK,
  release,
  TAKE_MEMORY,
  TARGETED,
  TARGETS,
  UNBUSY,
} from '../wire/messages.js';
import { type Areas, answerFreed } from './areas.js';
import type { Bulk } from './bulk.js';
import type { Lines } from './cacheLines.js';
import type { Controllers } from './controllers.js';
import type { Inspector } from './inspector.js';
import type { Movable } from './movablePages.js';
import {
  advance,
  asker,
  grant,
  leaveNode,
  recallBulk,
  refuse,
  stepArea,
  toBuddy,
  walkRound,
} from './walk.js';
import { between, type Wiring } from './wiring.js';
import type { Zones } from './zones.js';

export class Node implements Behaviour {
  readonly #wiring: Wiring;
  readonly #areas: Areas;
  readonly #zones: Zones;
  readonly #bulk: Bulk;
  readonly #controllers: Controllers;
  readonly #lines: Lines;
  readonly #inspector: Inspector;
  readonly #movable: Movable;
  readonly #request = new Float64Array(8);

  constructor(
    wiring: Wiring,
    parts: {
      areas: Areas;
      zones: Zones;
      bulk: Bulk;
      controllers: Controllers;
      lines: Lines;
      inspector: Inspector;
      movable: Movable;
    },
  ) {
    this.#wiring = wiring;
    this.#areas = parts.areas;
    this.#zones = parts.zones;
    this.#bulk = parts.bulk;
    this.#controllers = parts.controllers;
    this.#lines = parts.lines;
    this.#inspector = parts.inspector;
    this.#movable = parts.movable;
  }

  receive(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void {
    switch (type) {
      case ACCESS:
        return this.#controllers.access(loop, actor, m, at);
      case LINE_ACQUIRE:
      case LINE_YIELD:
      case LINE_SERVED:
        return this.#lines.receive(loop, type, m, at);
      case ALLOC:
        return this.#alloc(loop, this.#copy(m, at));
      case ATTEMPT:
        if (stepArea(this.#wiring, m, at) === NO_AREA) {
          return this.#buddy(loop, actor, this.#copy(m, at));
        }
        return this.#areas.attempt(loop, m, at);
      case CONTIG_DONE:
        return this.#areas.contigDone(loop, m, at);
      case FREE:
        return this.#free(loop, m, at);
      case RELEASE:
        return this.#release(loop, m, at);
      case RELEASE_BULK:
        return this.#bulk.release(loop, this.#wiring.nidOf[actor], m, at);
      case MUTEX_ACQUIRE:
      case MUTEX_PASS:
      case MUTEX_TOKEN:
        return this.#areas.mutexMessage(loop, actor, type, m, at);
      case TARGETS:
      case TARGETED:
        return this.#areas.targets(loop, type, m, at);
      case TAKE_MEMORY:
        return this.#zones.take(this.#wiring.nidOf[actor], m[at + memory.pages]);
      case GIVE_MEMORY:
        return this.#zones.give(this.#wiring.nidOf[actor], m[at + memory.pages]);
      case BUSY:
      case UNBUSY:
        return this.#inspector.pin(loop, type, m, at);
      case OBSERVE_AREAS:
        return this.#inspector.areas(loop, actor, m, at);
      case OBSERVE_ZONES:
        return this.#inspector.zones(loop, actor, m, at);
      default:
        throw new Error(`node: message type ${type} is known`);
    }
  }

  /** The request as this node may change it; a payload itself is read-only. */
  #copy(m: Float64Array, at: number): Float64Array {
    for (let i = 0; i < 8; i++) this.#request[i] = m[at + i];
    return this.#request;
  }

  /** dma_alloc_attrs(): what the direct mapping asks for, then the first attempt. */
  #alloc(loop: Loop, m: Float64Array, at = 0): void {
    const { directory, limits, costs, recorder } = this.#wiring;
    recorder.asked(loop.now, m, at);
    if (planMode(m[at + request.plan]) === MODE_COHERENT) {
      // The caller's zone flags are dropped: the mask alone decides.
      const gfp = m[at + request.gfp] & ~(GFP_DMA | GFP_DMA32 | GFP_HIGHMEM);
      const mask = originMask(m[at + request.origin]);
      m[at + request.gfp] = gfp | optimalGfpMask(limits, mask);
      m[at + request.size] = pageAlign(m[at + request.size], directory.pageShift);
    }
    advance(this.#wiring, loop, m, at, 0, costs.request);
  }

  /** alloc_pages_node() at this node: its zones, highest allowed first. */
  #buddy(loop: Loop, actor: number, m: Float64Array, at = 0): void {
    const wiring = this.#wiring;
    const { costs, directory, limits } = wiring;
    if (planMode(m[at + request.plan]) === MODE_BULK) {
      this.#movable.settle(wiring.nidOf[actor], loop.now);
      const round = walkRound(wiring, m, at);
      if (this.#bulk.take(loop, wiring.nidOf[actor], round, m, at)) return;
      leaveNode(wiring, loop, m, at, costs.zoneSkip);
      return;
    }
    const order = getOrder(m[at + request.size], directory.pageShift);
    if (order > wiring.layout.maxPageOrder) {
      // No free list holds such a block, on any node.
      advance(wiring, loop, m, at, planStep(m[at + request.plan]) + 1, costs.zoneSkip);
      return;
    }
    const nid = wiring.nidOf[actor];
    const gfp = m[at + request.gfp];
    this.#movable.settle(nid, loop.now);
    const round = walkRound(wiring, m, at);
    const zone = this.#zones.alloc(nid, order, gfp, round);
    const id = m[at + request.id];
    if (wiring.recorder.hears('zoneTried', id)) {
      wiring.recorder.tell('zoneTried', { id, time: loop.now, nid, order, round, zone });
    }
    if (zone < 0) {
      leaveNode(wiring, loop, m, at, costs.zoneSkip);
      return;
    }
    const pfn = this.#zones.allocated;
    const work = this.#zoneLock(loop, m, at, nid, zone, order);
    const mask = originMask(m[at + request.origin]);
    const coherent = planMode(m[at + request.plan]) === MODE_COHERENT;
    if (coherent && !coherentOk(pfn, m[at + request.size], directory.pageShift, mask)) {
      this.#zones.free(nid, pfn, order);
      const next = retryGfp(limits, gfp, mask);
      if (next < 0) refuse(wiring, loop, m, at, work);
      else toBuddy(wiring, loop, m, at, next, work);
      return;
    }
    const pages = 2 ** order;
    const zero = coherent ? this.#controllers.zero(loop, m, at, nid, pages) : 0;
    grant(wiring, loop, m, at, work, { pfn, pages, source: BUDDY, nid, zone, zero });
  }

  /** Time of a block that a zone has: single pages come from a per-CPU list, others take zone->lock. */
  #zoneLock(
    loop: Loop,
    m: Float64Array,
    at: number,
    nid: number,
    zone: number,
    order: number,
  ): number {
    const { costs, place } = this.#wiring;
    const work = costs.buddyAlloc(order);
    if (order === 0) return work;
    const id = m[at + request.id];
    const wait = this.#zones.lock(nid, zone, loop.now, place[asker(id)], work);
    this.#wiring.recorder.zoneLocked(id, wait);
    return wait + work;
  }

  /** dma_free_contiguous(): whom the policy asks, and where the pages go. */
  #free(loop: Loop, m: Float64Array, at: number): void {
    const wiring = this.#wiring;
    const { directory, costs } = wiring;
    const plan = m[at + request.plan];
    const mode = planMode(plan);
    if (mode === MODE_BULK) {
      const pages = Math.ceil(m[at + request.size] / directory.pageSize);
      return recallBulk(wiring, loop, m, at, { pages, of: m[at + request.extra] });
    }
    const pfn = m[at + request.extra];
    const devArea = m[at + request.devArea];
    let size = m[at + request.size];
    if (mode === MODE_CMA) {
      return this.#giveTo(loop, m, at, {
        area: devArea,
        pages: size,
        order: -1,
        leakedFrom: NO_AREA,
      });
    }
    if (mode === MODE_COHERENT) size = pageAlign(size, directory.pageShift);
    const pages = releaseCount(size, directory.pageShift);
    const order = getOrder(size, directory.pageShift);
    let owner = NO_AREA;
    if (mode !== MODE_PAGES) {
      const asked = { gfp: m[at + request.gfp], devNode: m[at + request.devNode], devArea, size };
      const policy = wiring.policies[planPolicy(plan)];
      owner = releaseOwner(directory, policy, asked, pfn, pageToNid(directory, pfn));
    }
    const leakedFrom = owner === NO_AREA ? areaOfPage(directory, pfn) : NO_AREA;
    const count = owner === NO_AREA && leakedFrom === NO_AREA ? 2 ** order : pages;
    this.#giveTo(loop, m, at, { area: owner, pages: count, order, leakedFrom }, costs.pointerTest);
  }

  #giveTo(
    loop: Loop,
    m: Float64Array,
    at: number,
    to: { area: number; pages: number; order: number; leakedFrom: number },
    work = 0,
  ): void {
    const wiring = this.#wiring;
    const pfn = m[at + request.extra];
    const held = to.area === NO_AREA ? to.leakedFrom : to.area;
    const owner =
      held === NO_AREA ? wiring.nodeOf[pageToNid(wiring.directory, pfn)] : wiring.areaOwner[held];
    const out = loop.post(owner, work + between(wiring, loop.actor, owner), RELEASE);
    loop.out[out + release.id] = m[at + request.id];
    loop.out[out + release.pfn] = pfn;
    loop.out[out + release.pages] = to.pages;
    loop.out[out + release.area] = to.area === NO_AREA ? BUDDY : to.area;
    loop.out[out + release.order] = to.order;
    loop.out[out + release.leakedFrom] = to.leakedFrom;
  }

  #release(loop: Loop, m: Float64Array, at: number): void {
    const isBuddy = m[at + release.area] === BUDDY && m[at + release.leakedFrom] === NO_AREA;
    if (!isBuddy) {
      this.#areas.release(loop, m, at);
      return;
    }
    const pfn = m[at + release.pfn];
    const nid = pageToNid(this.#wiring.directory, pfn);
    const order = m[at + release.order];
    this.#zones.free(nid, pfn, order);
    answerFreed(this.#wiring, loop, m, at, this.#wiring.costs.buddyAlloc(order), BUDDY, nid);
  }
}
