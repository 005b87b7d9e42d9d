/**
 * The CMA areas that the actors of this shard own: cma_alloc() and cma_release() with their time.
 *
 * Models the loop of cma_alloc() (mm/cma.c): bits are set under the area's lock,
 * alloc_contig_range() runs under the allocation mutex, which is dropped between retries. A node's
 * actor owns the areas on its node, the coordinator the default area; both use this file.
 */

import * as cma from '../mm/alloc/cma.js';
import { coherentOk, NO_AREA, releaseOwner } from '../mm/alloc/contiguous.js';
import type { AtomicPool } from '../mm/boot/atomicpool.js';
import { Nid, Ns, Pages, Pfn } from '../mm/units.js';
import { mark } from '../sim/mark.js';
import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import { type ContigDone, TARGETED, type Targets } from '../wire/messages.js';
import { asker, LEAKED, type PageRelease, type Request } from '../wire/request.js';
import { ContigRange } from './contig.js';
import type { Controllers } from './controllers.js';
import { type Flight, InFlight, part, spend } from './inflight.js';
import { Locks } from './locks.js';
import type { Movable } from './movablePages.js';
import { type AllocMutex, allocMutex } from './mutex.js';
import type { HeldAtStart } from './operations.js';
import { type FreeCall, PageLedger } from './pageLedger.js';
import type { Walker } from './walk.js';
import type { Wiring } from './wiring.js';
import type { Zones } from './zones.js';

/** Owner of what boot took: no request. */
const ATOMIC_POOL = -1;
/** Owner of what was in use before a recording. */
const HELD_AT_START = -2;

/** One area when the run has ended. Pages; peaks over the whole run. */
export interface AreaEnd {
  readonly index: number;
  readonly used: number;
  readonly peakUsed: number;
  readonly maxchunk: number;
  readonly allocPagesSuccess: number;
  readonly allocPagesFail: number;
}

export interface AreaParts {
  owns(actor: number): boolean;
  readonly walk: Walker;
  readonly movable: Movable;
  readonly controllers: Controllers;
  stream(name: string): Stream;
}

export class Areas {
  readonly #wiring: Wiring;
  readonly #zones: Zones;
  readonly #walk: Walker;
  /**
   * Per actor: a ticket is part of a message, so its number must not depend on who else is on the
   * shard.
   */
  readonly #inFlight: InFlight[] = [];
  readonly #mutex: AllocMutex<Flight>;
  readonly #ledger: PageLedger;
  /** Area -> its state; undefined where another shard owns it. */
  readonly owned: readonly (cma.CmaArea | undefined)[];
  /** Area -> cma->lock. */
  readonly #locks: Locks;
  readonly #contig: ContigRange;
  readonly #controllers: Controllers;

  constructor(wiring: Wiring, zones: Zones, parts: AreaParts) {
    const { owns, walk, movable, controllers, stream } = parts;
    this.#wiring = wiring;
    this.#zones = zones;
    this.#walk = walk;
    this.#controllers = controllers;
    this.#ledger = new PageLedger(wiring.recorder, wiring.checks);
    const { areas } = wiring.layout;
    const here = (index: number): boolean => owns(wiring.areaOwner[index]);
    this.owned = areas.map((area) => (here(area.index) ? cma.cmaAreaFromLayout(area) : undefined));
    const { costs, latency: ways, rules } = wiring;
    this.#locks = new Locks(areas.length, { costs, ways, isMutex: rules.areaMutex });
    const area = (index: number): cma.CmaArea => this.area(index);
    this.#contig = new ContigRange(wiring, { movable, controllers, area, stream });
    this.#mutex = allocMutex<Flight>(rules.mutex, wiring, (loop, flight, way) =>
      this.#contigRange(loop, flight, way),
    );
  }

  /** Requests begun and not ended. */
  get inFlight(): number {
    return this.#inFlight.reduce((sum, slab) => sum + slab.size, 0);
  }

  #slab(actor: number): InFlight {
    this.#inFlight[actor] ??= new InFlight();
    return this.#inFlight[actor];
  }

  area(index: number): cma.CmaArea {
    const area = this.owned[index];
    if (!area) throw new Error(`area ${index} of another shard, expected one of this shard`);
    return area;
  }

  /**
   * dma_atomic_pool_init(): what boot takes from the default area, or from the first node's buddy.
   */
  reserveAtomicPools(pools: readonly AtomicPool[]): void {
    const { defaultArea, cmaAlignment } = this.#wiring.directory;
    const area = this.owned[defaultArea];
    if (!area) return;
    for (const { order, fromDefaultArea } of pools) {
      if (!fromDefaultArea) continue;
      const { errno, pfn } = cma.cmaAlloc(area, 2 ** order, Math.min(order, cmaAlignment));
      if (errno !== 0) continue;
      this.#ledger.granted(area, pfn, 2 ** order, ATOMIC_POOL);
      this.#zones.takeCma(area.nid, area.zone, 2 ** order);
    }
  }

  /** Pages that somebody holds when the run begins, at their place and not where a search leads. */
  hold(held: readonly HeldAtStart[]): void {
    for (const { area: index, pfn, pages } of held) {
      const area = this.owned[index];
      if (!area) continue;
      cma.cmaClaim(area, (pfn - area.basePfn) / 2 ** area.orderPerBit, pages);
      this.#ledger.granted(area, pfn, pages, HELD_AT_START);
      this.#zones.takeCma(area.nid, area.zone, pages);
    }
  }

  /** The areas of this shard as they stand. */
  finish(): AreaEnd[] {
    this.#ledger.auditAll(this.#wiring, this.#zones, this.owned);
    return this.owned.flatMap((area) => {
      if (!area) return [];
      const { used, maxchunk } = cma.cmaState(area);
      const { index, usedPeak: peakUsed, allocPagesSuccess, allocPagesFail } = area;
      return { index, used, peakUsed, maxchunk, allocPagesSuccess, allocPagesFail };
    });
  }

  /** Performs an area step of a request. */
  attempt(loop: Loop, request: Request): void {
    const walk = this.#walk;
    const index = walk.area(request);
    const area = this.area(index);
    const count = walk.pagesAsked(request);
    const order = walk.alignOrder(request);
    const slab = this.#slab(loop.actor);
    const flight = slab.open(request);
    if (!cma.cmaMayHold(area, count)) {
      const { id, step } = flight;
      const asked = { id, time: loop.now, step, area: index, count, align: order };
      this.#wiring.recorder.returnedAtOnce(asked);
      walk.leaveArea(loop, flight, 0);
      slab.close(flight);
      return;
    }
    flight.place = this.#placeOf(flight.id);
    flight.area = index;
    flight.count = Pages(count);
    flight.order = order;
    flight.entered = Ns(loop.now);
    this.#search(loop, flight, 0);
  }

  /** TARGETS and TARGETED: pages on other nodes to migrate to. */
  targets(loop: Loop, type: number, targets: Targets): void {
    if (type !== TARGETED) this.#contig.passTargets(loop, targets);
    else this.#contig.migrate(loop, this.#slab(loop.actor).of(targets.ticket), targets.got);
  }

  /** A mutex message about the actor `other`. */
  mutexMessage(loop: Loop, type: number, other: number): void {
    this.#mutex.receive(loop, type, other);
  }

  /** Looks for the next window from bit `start` and claims it, or leaves the area. */
  #search(loop: Loop, flight: Flight, start: number): void {
    const { id, count, order, place } = flight;
    const area = this.area(flight.area);
    const bit = cma.cmaSearch(area, count, order, start);
    const end = bit < 0 ? area.bitmap.size : bit;
    this.#wiring.recorder.searched(id, loop.now, area, { start, bit, count, align: order });
    const spent = this.#wiring.costs.search(end - start);
    const wait = this.#locks.take(area.index, loop.now, place, spent);
    this.#waited(flight, wait);
    spend(flight, part.search, spent);
    const work = flight.work + wait + spent;
    if (bit === cma.NO_WINDOW) {
      this.#leave(loop, flight, work, 0);
      return;
    }
    cma.cmaClaim(area, bit, count);
    this.#ledger.claimed(area.index, count);
    flight.bit = bit;
    flight.work = Ns(work);
    flight.since = Ns(loop.now);
    this.#mutex.acquire(loop, flight);
  }

  /** Position of the node whose CPU made a request. */
  #placeOf(id: number): number {
    return this.#wiring.place[asker(id)];
  }

  #waited(flight: Flight, ns: number): void {
    flight.lockWait = Ns(flight.lockWait + ns);
    spend(flight, part.lock, ns);
  }

  /** alloc_contig_range() under the mutex, whose line arrives in `way` ns. */
  #contigRange(loop: Loop, flight: Flight, way: number): void {
    const { mutexSpin, mutexWake, lockContended } = this.#wiring.costs;
    const queued = loop.now - flight.since;
    const handOff = queued > mutexSpin ? mutexWake : queued > 0 ? lockContended : 0;
    this.#waited(flight, queued + handOff + way);
    flight.work = Ns(flight.work + handOff + way);
    this.#contig.begin(loop, flight);
  }

  contigDone(loop: Loop, { ticket, errno }: ContigDone): void {
    const slab = this.#slab(loop.actor);
    const flight = slab.of(ticket);
    const area = this.area(flight.area);
    this.#contig.end(area.index, flight);
    this.#mutex.release(loop, area.index);
    const { bit, count } = flight;
    this.#ledger.claimed(area.index, -count);
    if (errno !== 0) {
      flight.retries += 1;
      const next = cma.cmaAbandon(area, bit, count, flight.order);
      // Only -EBUSY goes on to the next window.
      if (errno === cma.EBUSY) this.#search(loop, flight, next);
      else this.#leave(loop, flight, 0, errno);
      return;
    }
    const pfn = cma.cmaCommit(area, bit, count);
    this.#ledger.granted(area, pfn, count, flight.id);
    this.#zones.takeCma(area.nid, area.zone, count);
    this.#returned(loop, flight, 0, 0);
    this.#place(loop, flight, area, pfn);
    slab.close(flight);
  }

  /**
   * Grants the pages, unless the device cannot reach them: then they go back and the buddy is next.
   */
  #place(loop: Loop, flight: Flight, area: cma.CmaArea, pfn: number): void {
    const { directory, zoneIndex } = this.#wiring;
    const { size, maskBits, count: pages } = flight;
    const isCoherent = flight.mode === 'coherent';
    if (isCoherent && !coherentOk(pfn, size, directory.pageShift, maskBits)) {
      mark('pages of an area beyond the mask go back to it');
      const work = this.#giveBack(loop, flight, area, pfn);
      this.#walk.leaveReach(loop, flight, work);
      return;
    }
    const zero = isCoherent ? this.#controllers.zero(loop, flight, area.nid, pages) : 0;
    const nid = Nid(area.nid);
    const zone = zoneIndex(area.zone);
    const page = { pfn: Pfn(pfn), pages, source: area.index, nid, zone, zero };
    this.#walk.grant(loop, flight, 0, page);
  }

  /**
   * dma_free_contiguous() inside the call; returns its time. The policy's free list may miss the
   * area.
   */
  #giveBack(loop: Loop, flight: Flight, area: cma.CmaArea, pfn: number): number {
    const { directory, policies, recorder, costs } = this.#wiring;
    const { id, count: pages } = flight;
    const owner = releaseOwner(directory, policies[flight.policy], flight, {
      pfn,
      nid: area.nid,
    });
    const free = { id, time: loop.now, pfn, pages };
    if (owner === NO_AREA) this.#leak(area, free);
    else this.#release(area, free);
    recorder.tell('gaveBack', { ...free, area: area.index });
    return Math.round(pages * costs.pageRelease);
  }

  /**
   * cma_alloc() returns NULL after `work` more ns. `errno`: of the last window; 0 if none was
   * found.
   */
  #leave(loop: Loop, flight: Flight, work: number, errno: number): void {
    cma.cmaFail(this.area(flight.area), flight.count);
    const searched = flight.retries > 0 ? cma.EBUSY : this.#wiring.rules.emptySearchErrno;
    this.#returned(loop, flight, errno === 0 ? searched : errno, work);
    this.#walk.leaveArea(loop, flight, work);
    this.#slab(loop.actor).close(flight);
  }

  /** Tells what cma_alloc() returns and what its time was spent on. `work`: ns still to come. */
  #returned(loop: Loop, flight: Flight, errno: number, work: number): void {
    this.#wiring.recorder.returned(flight, { time: loop.now, errno, work });
  }

  /** cma_release() at the area that owns the pages, or __free_pages() of pages nobody released. */
  release(loop: Loop, release: PageRelease): void {
    const { id, pfn, pages, leakedFrom } = release;
    const isLeak = leakedFrom !== NO_AREA;
    const area = this.area(isLeak ? leakedFrom : release.area);
    const free = { id, time: loop.now, pfn, pages };
    if (isLeak) this.#leak(area, free);
    else this.#release(area, free);
    const { costs } = this.#wiring;
    // free_contig_range() first, then the bits under the lock: it is taken as if at once.
    const wait = this.#locks.take(area.index, loop.now, this.#placeOf(id), costs.bitmapLock);
    const work = Math.round(wait + costs.bitmapLock + pages * costs.pageRelease);
    const source = isLeak ? LEAKED : area.index;
    this.#walk.released(loop, release, work, { source, nid: Nid(area.nid) });
  }

  #release(area: cma.CmaArea, free: FreeCall): void {
    const { pfn, pages } = free;
    const used = cma.cmaUsed(area);
    const leaked = area.leaked.weight;
    const accepted = cma.cmaRelease(area, pfn, pages, this.#wiring.rules.wholeRange);
    const returned = Math.max(0, accepted);
    if (returned > 0) this.#zones.returnCma(area.nid, area.zone, returned);
    const change = {
      returned,
      bits: used - cma.cmaUsed(area),
      leaks: leaked - area.leaked.weight,
    };
    this.#ledger.released(area, free, change);
  }

  /** Pages back in the buddy whose bits stay set for ever. */
  #leak(area: cma.CmaArea, free: FreeCall): void {
    const { pfn } = free;
    const inside = Math.min(free.pages, area.basePfn + area.count - pfn);
    const leaked = area.leaked.weight;
    const returned = cma.cmaFreeToBuddy(area, pfn, inside);
    this.#zones.returnCma(area.nid, area.zone, returned);
    this.#ledger.leaked(area, { ...free, pages: inside }, area.leaked.weight - leaked);
  }
}
