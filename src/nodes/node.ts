/**
 * A NUMA node: its CPUs run drivers' calls, its areas and zones hold their pages, its controller
 * serves memory.
 *
 * Models what dma_direct_alloc() and dma_direct_free() do on a CPU of the node
 * (kernel/dma/direct.c), and alloc_pages() on its zones. One behaviour serves all nodes of a shard.
 *
 * The coordinator, an actor on the node where the default area lies, is served by it too: it owns
 * what a machine has once, dma_contiguous_default_area and the queue for the global allocation
 * mutex (cma_mutex of mm/cma.c). Zonelists and the owners of freed pages do not change after boot:
 * every shard has a copy of them.
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
import { Bytes, Nid, Pages, Pfn } from '../mm/units.js';
import { mark } from '../sim/mark.js';
import type { Behaviour, Loop } from '../sim/model.js';
import * as wire from '../wire/messages.js';
import { asker, BUDDY, Free, isScattered, PageRelease, Recall, Request } from '../wire/request.js';
import type { Areas } from './areas.js';
import type { Bulk } from './bulk.js';
import type { Lines } from './cacheLines.js';
import type { Controllers } from './controllers.js';
import type { Inspector } from './inspector.js';
import type { Movable } from './movablePages.js';
import type { Walker } from './walk.js';
import { between, type Wiring } from './wiring.js';
import type { Zones } from './zones.js';

export interface NodeParts {
  readonly walk: Walker;
  readonly areas: Areas;
  readonly zones: Zones;
  readonly bulk: Bulk;
  readonly controllers: Controllers;
  readonly lines: Lines;
  readonly inspector: Inspector;
  readonly movable: Movable;
}

/** Who takes freed pages. */
interface Owner {
  /** NO_AREA: the buddy. */
  readonly area: number;
  readonly pages: number;
  readonly order: number;
  readonly leakedFrom: number;
}

export class Node implements Behaviour {
  readonly #wiring: Wiring;
  readonly #parts: NodeParts;
  readonly #access = new wire.Access();
  readonly #request = new Request();
  readonly #free = new Free();
  readonly #release = new PageRelease();
  readonly #released = new PageRelease();
  readonly #recall = new Recall();
  readonly #contigDone = new wire.ContigDone();
  readonly #mutex = new wire.MutexMessage();
  readonly #targets = new wire.Targets();
  readonly #memory = new wire.Memory();
  readonly #pinning = new wire.Pinning();
  readonly #observe = new wire.Inspect();

  constructor(wiring: Wiring, parts: NodeParts) {
    this.#wiring = wiring;
    this.#parts = parts;
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const { areas, zones, inspector } = this.#parts;
    switch (type) {
      case wire.ACCESS:
        return this.#parts.controllers.access(loop, this.#access.on(m, at));
      case wire.LINE_ACQUIRE:
      case wire.LINE_YIELD:
      case wire.LINE_SERVED:
        return this.#parts.lines.receive(loop, type, m, at);
      case wire.ALLOC:
        // A payload is read-only; a request is changed by those it passes.
        return this.#alloc(loop, this.#request.copy(m, at));
      case wire.ATTEMPT:
        return this.#attempt(loop, this.#request.copy(m, at));
      case wire.CONTIG_DONE:
        return areas.contigDone(loop, this.#contigDone.on(m, at));
      case wire.FREE:
        return this.#freeCall(loop, this.#free.on(m, at));
      case wire.RELEASE:
        return this.#releaseCall(loop, this.#release.on(m, at));
      case wire.RECALL:
        return this.#parts.bulk.recall(loop, this.#recall.on(m, at));
      case wire.MUTEX_ACQUIRE:
      case wire.MUTEX_PASS:
      case wire.MUTEX_TOKEN:
        return areas.mutexMessage(loop, type, this.#mutex.on(m, at).actor);
      case wire.TARGETS:
      case wire.TARGETED:
        return areas.targets(loop, type, this.#targets.on(m, at));
      case wire.TAKE_MEMORY:
        return zones.take(this.#wiring.nidOf[loop.actor], this.#memory.on(m, at).pages);
      case wire.GIVE_MEMORY:
        return zones.give(this.#wiring.nidOf[loop.actor], this.#memory.on(m, at).pages);
      case wire.BUSY:
      case wire.UNBUSY:
        return inspector.pin(loop, type, this.#pinning.on(m, at));
      case wire.OBSERVE_AREAS:
        return inspector.areas(loop, this.#observe.on(m, at));
      case wire.OBSERVE_ZONES:
        return inspector.zones(loop, this.#observe.on(m, at));
      default:
        throw new Error(`node ${loop.actor}: message of type ${type}, expected one of a node's`);
    }
  }

  /** dma_alloc_attrs(): what the direct mapping asks for, then the first attempt. */
  #alloc(loop: Loop, request: Request): void {
    const { directory, limits, costs, recorder } = this.#wiring;
    recorder.asked(loop.now, request);
    if (request.mode === 'coherent') {
      // The caller's zone flags are dropped: the mask alone decides.
      const gfp = request.gfp & ~(GFP_DMA | GFP_DMA32 | GFP_HIGHMEM);
      request.gfp = gfp | optimalGfpMask(limits, request.maskBits);
      request.size = Bytes(pageAlign(request.size, directory.pageShift));
    }
    this.#parts.walk.advance(loop, request, 0, costs.request);
  }

  #attempt(loop: Loop, request: Request): void {
    const { walk, areas, bulk, movable } = this.#parts;
    if (walk.area(request) !== NO_AREA) {
      areas.attempt(loop, request);
      return;
    }
    if (!isScattered(request.mode)) {
      this.#buddy(loop, request);
      return;
    }
    movable.settle(this.#wiring.nidOf[loop.actor], loop.now);
    const had = request.got;
    const round = walk.round(request);
    const isWhole = bulk.take(loop, request);
    this.#tried(loop, request, { order: 0, round, pages: request.got - had });
    if (!isWhole) walk.leaveNode(loop, request, this.#wiring.costs.zoneSkip);
  }

  /** Tells whoever watches what this node's zones had. */
  #tried(loop: Loop, request: Request, got: { order: number; round: number; pages: number }): void {
    const { recorder, nidOf } = this.#wiring;
    const { id, step, gfp } = request;
    if (!recorder.hears('zoneTried', id)) return;
    const nid = nidOf[loop.actor];
    const hasZone = this.#parts.zones.allows(nid, gfp);
    recorder.tell('zoneTried', { id, time: loop.now, step, nid, hasZone, ...got });
  }

  /** alloc_pages_node() at this node: its zones, highest allowed first. */
  #buddy(loop: Loop, request: Request): void {
    const { costs, directory, limits, layout, nidOf } = this.#wiring;
    const { walk, zones, movable, controllers } = this.#parts;
    const { gfp, size, step, maskBits } = request;
    const order = getOrder(size, directory.pageShift);
    if (order > layout.maxPageOrder) {
      // No free list holds such a block, on any node.
      walk.skipped(loop, request, step, 'order');
      walk.advance(loop, request, step + 1, costs.zoneSkip);
      return;
    }
    const nid = Nid(nidOf[loop.actor]);
    movable.settle(nid, loop.now);
    const round = walk.round(request);
    const zone = zones.alloc(nid, order, gfp, round);
    this.#tried(loop, request, { order, round, pages: zone < 0 ? 0 : 2 ** order });
    if (zone < 0) {
      walk.leaveNode(loop, request, costs.zoneSkip);
      return;
    }
    const pfn = Pfn(zones.allocated);
    const work = this.#zoneLock(loop, request, { nid, zone, order });
    const isCoherent = request.mode === 'coherent';
    if (isCoherent && !coherentOk(pfn, size, directory.pageShift, maskBits)) {
      mark('a block beyond the mask goes back, and a lower zone is asked');
      zones.free(nid, pfn, order);
      request.gfp = retryGfp(limits, gfp, maskBits);
      if (request.gfp < 0) walk.refuse(loop, request, work);
      else walk.toBuddy(loop, request, work);
      return;
    }
    const pages = Pages(2 ** order);
    const zero = isCoherent ? controllers.zero(loop, request, nid, pages) : 0;
    walk.grant(loop, request, work, { pfn, pages, source: BUDDY, nid, zone, zero });
  }

  /**
   * Time of a block that a zone has: single pages come from a per-CPU list, others take zone->lock.
   */
  #zoneLock(
    loop: Loop,
    { id }: Request,
    { nid, zone, order }: { nid: number; zone: number; order: number },
  ): number {
    const { costs, place, recorder } = this.#wiring;
    const hold = costs.buddyAlloc(order);
    if (order === 0) return hold;
    const by = asker(id);
    const wait = this.#parts.zones.lock(nid, zone, { now: loop.now, place: place[by], hold });
    recorder.zoneLocked(id, wait);
    return wait + hold;
  }

  /** dma_free_contiguous(): whom the policy asks, and where the pages go. */
  #freeCall(loop: Loop, free: Free): void {
    const { directory, policies, costs } = this.#wiring;
    const { pfn, mode, devArea } = free;
    let size: number = free.size;
    if (isScattered(mode)) {
      const pages = Pages(releaseCount(size, directory.pageShift));
      this.#parts.walk.recall(loop, free, { of: free.of, pages });
      return;
    }
    if (mode === 'raw') {
      const pages = releaseCount(size, directory.pageShift);
      this.#giveTo(loop, free, { area: devArea, pages, order: -1, leakedFrom: NO_AREA }, 0);
      return;
    }
    if (mode === 'coherent') size = pageAlign(size, directory.pageShift);
    const pages = releaseCount(size, directory.pageShift);
    const order = getOrder(size, directory.pageShift);
    let area = NO_AREA;
    if (mode !== 'pages') {
      const asked = { gfp: free.gfp, devNode: free.devNode, devArea, size };
      const policy = policies[free.policy];
      area = releaseOwner(directory, policy, asked, { pfn, nid: pageToNid(directory, pfn) });
    }
    const leakedFrom = area === NO_AREA ? areaOfPage(directory, pfn) : NO_AREA;
    const count = area === NO_AREA && leakedFrom === NO_AREA ? 2 ** order : pages;
    this.#giveTo(loop, free, { area, pages: count, order, leakedFrom }, costs.pointerTest);
  }

  #giveTo(loop: Loop, { id, pfn }: Free, to: Owner, work: number): void {
    const wiring = this.#wiring;
    const held = to.area === NO_AREA ? to.leakedFrom : to.area;
    const owner =
      held === NO_AREA ? wiring.nodeOf[pageToNid(wiring.directory, pfn)] : wiring.areaOwner[held];
    const delay = work + between(wiring, loop.actor, owner);
    const release = this.#released.post(loop, owner, delay, wire.RELEASE);
    release.id = id;
    release.pfn = pfn;
    release.pages = Pages(to.pages);
    release.area = to.area === NO_AREA ? BUDDY : to.area;
    release.order = to.order;
    release.leakedFrom = to.leakedFrom;
  }

  #releaseCall(loop: Loop, release: PageRelease): void {
    const { pfn, order } = release;
    if (release.area !== BUDDY || release.leakedFrom !== NO_AREA) {
      this.#parts.areas.release(loop, release);
      return;
    }
    const { directory, costs } = this.#wiring;
    const nid = Nid(pageToNid(directory, pfn));
    this.#parts.zones.free(nid, pfn, order);
    const work = costs.buddyAlloc(order);
    this.#parts.walk.released(loop, release, work, { source: BUDDY, nid });
  }
}
