/**
 * The CMA areas that the actors of this shard own: cma_alloc() and cma_release() with their time.
 *
 * Models the loop of cma_alloc() (mm/cma.c): bits are set under the area's lock, alloc_contig_range() runs
 * under the allocation mutex, which is dropped between retries. A node's actor owns the areas on its node,
 * the coordinator the default area; both use this file.
 */

import * as cma from '../mm/alloc/cma.js';
import { coherentOk, NO_AREA, optimalGfpMask, releaseOwner } from '../mm/alloc/contiguous.js';
import type { AtomicPool } from '../mm/boot/atomicpool.js';
import { GFP_DMA, GFP_DMA32 } from '../mm/gfp.js';
import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import {
  FREED,
  freed,
  LEAKED,
  MODE_COHERENT,
  originMask,
  planMode,
  planPolicy,
  request,
} from '../wire/dma.js';
import { contigDone, release, TARGETED } from '../wire/messages.js';
import { ContigRange } from './contig.js';
import type { Controllers } from './controllers.js';
import { InFlight, part, ticket } from './inflight.js';
import { Locks } from './locks.js';
import type { Movable } from './movablePages.js';
import { type AllocMutex, mutexes } from './mutex.js';
import type { HeldAtStart } from './operations.js';
import { type Freed, Ledger } from './pageLedger.js';
import { alignOrder, asker, grant, leaveArea, pagesAsked, stepArea, toBuddy } from './walk.js';
import { between, type Wiring } from './wiring.js';
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
  readonly movable: Movable;
  readonly controllers: Controllers;
  stream(name: string): Stream;
}

export class Areas {
  readonly #wiring: Wiring;
  readonly #zones: Zones;
  /** Per actor: a ticket is part of a message, so its number must not depend on who else is on the shard. */
  readonly #inFlight: InFlight[] = [];
  readonly #mutex: AllocMutex;
  readonly #ledger: Ledger;
  /** Area -> its state; undefined where another shard owns it. */
  readonly owned: readonly (cma.CmaArea | undefined)[];
  /** Area -> cma->lock. */
  readonly #locks: Locks;
  readonly #contig: ContigRange;
  readonly #controllers: Controllers;

  constructor(wiring: Wiring, zones: Zones, parts: AreaParts) {
    const { owns, movable, controllers, stream } = parts;
    this.#wiring = wiring;
    this.#zones = zones;
    this.#controllers = controllers;
    this.#ledger = new Ledger(wiring.recorder, wiring.checks);
    const { areas } = wiring.layout;
    const here = (index: number): boolean => owns(wiring.areaOwner[index]);
    this.owned = areas.map((area) => (here(area.index) ? cma.cmaAreaFromLayout(area) : undefined));
    const { costs, latency: ways, rules } = wiring;
    this.#locks = new Locks(areas.length, { costs, ways, isMutex: rules.areaMutex });
    const area = (index: number): cma.CmaArea => this.area(index);
    const slab = (actor: number): InFlight => this.#slab(actor);
    this.#contig = new ContigRange(wiring, { slab, movable, controllers, area, stream });
    this.#mutex = new mutexes[rules.mutex](wiring, (loop, _actor, row, way) =>
      this.#contigRange(loop, row, way),
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
    if (!area) throw new Error(`area ${index} is owned by this shard`);
    return area;
  }

  /** dma_atomic_pool_init(): what boot takes from the default area, or from the first node's buddy. */
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
  attempt(loop: Loop, m: Float64Array, at: number): void {
    const index = stepArea(this.#wiring, m, at);
    const area = this.area(index);
    const count = pagesAsked(this.#wiring, m, at);
    const align = alignOrder(this.#wiring, m, at);
    const id = m[at + request.id];
    const row = this.#slab(loop.actor).open(m, at);
    const { rows } = this.#slab(loop.actor);
    if (!cma.cmaMayHold(area, count)) {
      this.#wiring.recorder.returnedAtOnce({ id, time: loop.now, area: index, count, align });
      leaveArea(this.#wiring, loop, rows, row, 0);
      this.#slab(loop.actor).close(row);
      return;
    }
    rows[row + ticket.area] = index;
    rows[row + ticket.count] = count;
    rows[row + ticket.align] = align;
    rows[row + ticket.entered] = loop.now;
    this.#search(loop, row, 0);
  }

  /** TARGETS and TARGETED: pages on other nodes to migrate to. */
  targets(loop: Loop, type: number, m: Float64Array, at: number): void {
    if (type === TARGETED) this.#contig.targeted(loop, m, at);
    else this.#contig.passTargets(loop, this.#wiring.nidOf[loop.actor], m, at);
  }

  /** A mutex message for an actor of this shard. */
  mutexMessage(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void {
    this.#mutex.receive(loop, actor, type, m, at);
  }

  /** Looks for the next window from bit `start` and claims it, or leaves the area. */
  #search(loop: Loop, row: number, start: number): void {
    const slab = this.#slab(loop.actor);
    const { rows } = slab;
    const area = this.area(rows[row + ticket.area]);
    const count = rows[row + ticket.count];
    const bit = cma.cmaSearch(area, count, rows[row + ticket.align], start);
    const end = bit < 0 ? area.bitmap.size : bit;
    const found = { start, bit, count, align: rows[row + ticket.align] };
    this.#wiring.recorder.searched(rows[row + request.id], loop.now, area, found);
    const spent = this.#wiring.costs.search(end - start);
    const place = this.#placeOf(rows[row + request.id]);
    const wait = this.#locks.take(area.index, loop.now, place, spent);
    this.#waited(loop, row, wait);
    slab.spend(row, part.search, spent);
    const work = rows[row + ticket.work] + wait + spent;
    if (bit === cma.NO_WINDOW) {
      this.#leave(loop, row, area, work);
      return;
    }
    cma.cmaClaim(area, bit, count);
    this.#ledger.claimed(area.index, count);
    rows[row + ticket.bit] = bit;
    rows[row + ticket.work] = work;
    rows[row + ticket.since] = loop.now;
    this.#mutex.acquire(loop, loop.actor, area.index, row, place);
  }

  /** Position of the node whose CPU made a request. */
  #placeOf(id: number): number {
    return this.#wiring.place[asker(id)];
  }

  #waited(loop: Loop, row: number, ns: number): void {
    this.#slab(loop.actor).rows[row + request.extra] += ns;
    this.#slab(loop.actor).spend(row, part.lock, ns);
  }

  /** alloc_contig_range() under the mutex, whose line arrives in `way` ns. */
  #contigRange(loop: Loop, row: number, way: number): void {
    const { rows } = this.#slab(loop.actor);
    const { mutexSpin, mutexWake, lockContended } = this.#wiring.costs;
    const queued = loop.now - rows[row + ticket.since];
    const handOff = queued > mutexSpin ? mutexWake : queued > 0 ? lockContended : 0;
    this.#waited(loop, row, queued + handOff + way);
    rows[row + ticket.work] += handOff + way;
    this.#contig.begin(loop, row);
  }

  contigDone(loop: Loop, m: Float64Array, at: number): void {
    const row = m[at + contigDone.ticket];
    const errno = m[at + contigDone.errno];
    const { rows } = this.#slab(loop.actor);
    const area = this.area(rows[row + ticket.area]);
    this.#contig.end(area.index, row);
    this.#mutex.release(loop, loop.actor, area.index);
    this.#ledger.claimed(area.index, -rows[row + ticket.count]);
    const bit = rows[row + ticket.bit];
    const count = rows[row + ticket.count];
    if (errno !== 0) {
      rows[row + ticket.retries] += 1;
      const next = cma.cmaAbandon(area, bit, count, rows[row + ticket.align]);
      // Only -EBUSY goes on to the next window.
      if (errno === cma.EBUSY) this.#search(loop, row, next);
      else this.#leave(loop, row, area, 0, errno);
      return;
    }
    const pfn = cma.cmaCommit(area, bit, count);
    this.#ledger.granted(area, pfn, count, rows[row + request.id]);
    this.#zones.takeCma(area.nid, area.zone, count);
    this.#returned(loop, row, 0, 0);
    this.#place(loop, row, area, pfn);
    this.#slab(loop.actor).close(row);
  }

  /** Grants the pages, unless the device cannot reach them: then they go back and the buddy is next. */
  #place(loop: Loop, row: number, area: cma.CmaArea, pfn: number): void {
    const { rows } = this.#slab(loop.actor);
    const wiring = this.#wiring;
    const pages = rows[row + ticket.count];
    const mask = originMask(rows[row + request.origin]);
    const { pageShift } = wiring.directory;
    const coherent = planMode(rows[row + request.plan]) === MODE_COHERENT;
    if (coherent && !coherentOk(pfn, rows[row + request.size], pageShift, mask)) {
      const work = this.#giveBack(loop, row, area, pfn, pages);
      const gfp = rows[row + request.gfp] & ~(GFP_DMA | GFP_DMA32);
      toBuddy(wiring, loop, rows, row, gfp | optimalGfpMask(wiring.limits, mask), work);
      return;
    }
    const zone = wiring.zoneIndex(area.zone);
    const zero = coherent ? this.#controllers.zero(loop, rows, row, area.nid, pages) : 0;
    const page = { pfn, pages, source: area.index, nid: area.nid, zone, zero };
    grant(wiring, loop, rows, row, 0, page);
  }

  /** dma_free_contiguous() inside the call; returns its time. The policy's free list may miss the area. */
  #giveBack(loop: Loop, row: number, area: cma.CmaArea, pfn: number, pages: number): number {
    const { rows } = this.#slab(loop.actor);
    const wiring = this.#wiring;
    const id = rows[row + request.id];
    const policy = wiring.policies[planPolicy(rows[row + request.plan])];
    const asked = {
      gfp: rows[row + request.gfp],
      devNode: rows[row + request.devNode],
      devArea: rows[row + request.devArea],
      size: rows[row + request.size],
    };
    const owner = releaseOwner(wiring.directory, policy, asked, pfn, area.nid);
    const at = { id, time: loop.now };
    if (owner === NO_AREA) this.#leak(area, pfn, pages, at);
    else this.#release(area, pfn, pages, at);
    wiring.recorder.tell('gaveBack', { ...at, area: area.index, pfn, pages });
    return Math.round(pages * wiring.costs.pageRelease);
  }

  /** cma_alloc() returns NULL after `work` more ns. `errno`: of the last window; 0 if none was found. */
  #leave(loop: Loop, row: number, area: cma.CmaArea, work: number, errno = 0): void {
    const { rows } = this.#slab(loop.actor);
    cma.cmaFail(area, rows[row + ticket.count]);
    const tried = rows[row + ticket.retries] > 0;
    const searched = tried ? cma.EBUSY : this.#wiring.rules.emptySearchErrno;
    this.#returned(loop, row, errno === 0 ? searched : errno, work);
    leaveArea(this.#wiring, loop, rows, row, work);
    this.#slab(loop.actor).close(row);
  }

  /** Tells what cma_alloc() returns and what its time was spent on. `work`: ns still to come. */
  #returned(loop: Loop, row: number, errno: number, work: number): void {
    this.#wiring.recorder.returned(this.#slab(loop.actor), row, { time: loop.now, errno, work });
  }

  /** cma_release() at the area that owns the pages, or __free_pages() of pages nobody released. */
  release(loop: Loop, m: Float64Array, at: number): void {
    const id = m[at + release.id];
    const pfn = m[at + release.pfn];
    const pages = m[at + release.pages];
    const leakedFrom = m[at + release.leakedFrom];
    const area = this.area(leakedFrom === NO_AREA ? m[at + release.area] : leakedFrom);
    if (leakedFrom === NO_AREA) this.#release(area, pfn, pages, { id, time: loop.now });
    else this.#leak(area, pfn, pages, { id, time: loop.now });
    const { costs } = this.#wiring;
    // free_contig_range() first, then the bits under the lock: it is taken as if at once.
    const wait = this.#locks.take(area.index, loop.now, this.#placeOf(id), costs.bitmapLock);
    const work = Math.round(wait + costs.bitmapLock + pages * costs.pageRelease);
    const source = leakedFrom === NO_AREA ? area.index : LEAKED;
    answerFreed(this.#wiring, loop, m, at, work, source, area.nid);
  }

  #release(area: cma.CmaArea, pfn: number, pages: number, at: Freed): void {
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
    this.#ledger.released(area, pfn, pages, change, at);
  }

  /** Pages back in the buddy whose bits stay set for ever. */
  #leak(area: cma.CmaArea, pfn: number, pages: number, at: Freed): void {
    const inside = Math.min(pages, area.basePfn + area.count - pfn);
    const leaked = area.leaked.weight;
    const returned = cma.cmaFreeToBuddy(area, pfn, inside);
    this.#zones.returnCma(area.nid, area.zone, returned);
    this.#ledger.leaked(area, pfn, inside, area.leaked.weight - leaked, at);
  }
}

/** Tells whoever freed that it is done. */
export function answerFreed(
  wiring: Wiring,
  loop: Loop,
  m: Float64Array,
  at: number,
  work: number,
  source: number,
  nid: number,
): void {
  const id = m[at + release.id];
  const pfn = m[at + release.pfn];
  const pages = m[at + release.pages];
  const leakedFrom = m[at + release.leakedFrom];
  const to = asker(id);
  const out = loop.post(to, work + between(wiring, loop.actor, to), FREED);
  loop.out[out + freed.id] = id;
  loop.out[out + freed.pfn] = pfn;
  loop.out[out + freed.pages] = pages;
  loop.out[out + freed.source] = source;
  loop.out[out + freed.nid] = nid;
  loop.out[out + freed.leakedFrom] = leakedFrom;
}
