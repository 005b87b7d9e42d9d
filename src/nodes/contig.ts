/**
 * alloc_contig_range(): empties a window of an area, step by step, or says what is in the way.
 *
 * Models mm/page_alloc.c: start_isolate_page_range(), drain_all_pages(), lru_cache_disable(),
 * __alloc_contig_migrate_range() (clean page cache dropped, the rest copied, five tries on a batch
 * that stays), test_pages_isolated(), isolate_freepages_range(), undo. What happens is decided when
 * the call begins; its time is the sum of its parts. Left out: single batches (a failing one is
 * timed as what precedes it and its five tries), signals, write-back.
 */
import * as cma from '../mm/alloc/cma.js';
import { drawBorrowed, poisson } from '../mm/alloc/movable.js';
import { Nid, Ns, Pages } from '../mm/units.js';
import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import { CONTIG_DONE, ContigDone, TARGETED, TARGETS, Targets } from '../wire/messages.js';
import type { Controllers } from './controllers.js';
import { type Flight, part, spend } from './inflight.js';
import type { Movable } from './movablePages.js';
import type { GiveUp } from './recorder.js';
import { between, type Wiring } from './wiring.js';

/** __alloc_contig_migrate_range() gives up after so many tries without progress. */
const TRIES = 5;
const NOTHING = -1;

/** A page that stays where it is for a while; counted from the area's first. */
interface Pin {
  readonly page: number;
  readonly until: number;
}

export interface ContigParts {
  readonly movable: Movable;
  readonly controllers: Controllers;
  area(index: number): cma.CmaArea;
  stream(name: string): Stream;
}

export class ContigRange {
  readonly #wiring: Wiring;
  readonly #movable: Movable;
  readonly #controllers: Controllers;
  readonly #areaOf: (index: number) => cma.CmaArea;
  readonly #streamOf: (name: string) => Stream;
  /** Area -> its streams: how long lru_cache_disable() takes, and what lies in a window. */
  readonly #lru: Stream[] = [];
  readonly #pages: Stream[] = [];
  /** Area -> pages known to stay, of those not yet let go. */
  readonly #pins: Pin[][] = [];
  /** Area -> requests whose pageblocks are isolated; kept where nothing else keeps calls apart. */
  readonly #isolated: Flight[][] = [];
  readonly #targets = new Targets();
  readonly #done = new ContigDone();

  constructor(wiring: Wiring, parts: ContigParts) {
    this.#wiring = wiring;
    this.#movable = parts.movable;
    this.#controllers = parts.controllers;
    this.#areaOf = parts.area;
    this.#streamOf = parts.stream;
  }

  /** Begins on the window that a request has claimed; CONTIG_DONE follows. */
  begin(loop: Loop, flight: Flight): void {
    const area = this.#areaOf(flight.area);
    if (!this.#isolate(area, flight)) {
      this.#giveUp(flight, 'collision');
      this.#finish(loop, flight, cma.EBUSY);
      return;
    }
    const { costs, cpus } = this.#wiring;
    this.#spend(flight, part.drainPcp, costs.drainAllPages(cpus));
    const lru = this.#draws(this.#lru, area, 'lru');
    const draw = lru.logNormal(costs.drainLru, costs.drainLruSigma);
    this.#spend(flight, part.drainLru, Math.round(draw));
    this.#survey(loop, area, flight);
    const { copies } = flight;
    const local = copies > 0 ? this.#movable.targets(area.nid, copies) : 0;
    flight.local = Pages(local);
    if (copies > 0) {
      this.#spend(flight, part.drop, Math.round(this.#movable.reclaimed * costs.pageDrop));
    }
    if (local < copies && this.#askOthers(loop, area, flight, copies - local)) return;
    this.migrate(loop, flight, 0);
  }

  /** TARGETS at a node: takes what it can give and passes the rest of the question on. */
  passTargets(loop: Loop, asked: Targets): void {
    const nid = this.#wiring.nidOf[loop.actor];
    this.#movable.settle(nid, loop.now);
    const got = this.#movable.targets(nid, asked.left);
    const left = asked.left - got;
    const next = left > 0 ? this.#nextNode(asked.nid, asked.walk + 1) : NOTHING;
    const to = next === NOTHING ? asked.replyTo : this.#wiring.nodeOf[next];
    const type = next === NOTHING ? TARGETED : TARGETS;
    const way = between(this.#wiring, loop.actor, to);
    const out = this.#targets.post(loop, to, way, type).copy(asked.m, asked.at);
    out.left = Pages(left);
    out.got = Pages(asked.got + got);
    out.walk = asked.walk + 1;
  }

  /** undo_isolate_page_range() has been done: others may isolate these pageblocks. */
  end(area: number, flight: Flight): void {
    const isolated = this.#isolated[area];
    const at = isolated ? isolated.indexOf(flight) : NOTHING;
    if (isolated && at >= 0) isolated.splice(at, 1);
  }

  #spend(flight: Flight, which: number, ns: number): void {
    spend(flight, which, ns);
    flight.work = Ns(flight.work + ns);
  }

  #giveUp(flight: Flight, why: GiveUp): void {
    this.#wiring.recorder.tell('windowLost', { id: flight.id, why });
  }

  #draws(streams: Stream[], area: cma.CmaArea, what: string): Stream {
    streams[area.index] ??= this.#streamOf(`${area.index}.${area.name}.${what}`);
    return streams[area.index];
  }

  /** Marks the window's pageblocks; false if another call has one of them. */
  #isolate(area: cma.CmaArea, flight: Flight): boolean {
    const { rules, costs, layout } = this.#wiring;
    const unit = 2 ** rules.isolateOrder;
    const first = area.basePfn + flight.bit * 2 ** area.orderPerBit;
    const from = Math.floor(first / unit);
    const to = Math.ceil((first + flight.count) / unit);
    const blocks = unit / 2 ** layout.pageblockOrder;
    flight.blockFrom = from;
    flight.blockTo = to;
    const hit = rules.mutex === 'none' ? this.#collision(area, flight) : NOTHING;
    if (hit !== NOTHING) {
      this.#spend(flight, part.isolate, costs.isolate((hit - from) * blocks + 1));
      this.#spend(flight, part.undo, costs.isolate((hit - from) * blocks));
      return false;
    }
    this.#spend(flight, part.isolate, costs.isolate((to - from) * blocks));
    return true;
  }

  /** First of its units that another call holds isolated, or NOTHING: then they are this call's. */
  #collision(area: cma.CmaArea, flight: Flight): number {
    this.#isolated[area.index] ??= [];
    const isolated = this.#isolated[area.index];
    let first = Infinity;
    for (const other of isolated) {
      const begin = Math.max(flight.blockFrom, other.blockFrom);
      if (begin < Math.min(flight.blockTo, other.blockTo)) first = Math.min(first, begin);
    }
    if (first < Infinity) return first;
    isolated.push(flight);
    return NOTHING;
  }

  /** What lies in the window: pages to copy, to drop, and the first that stays. */
  #survey(loop: Loop, area: cma.CmaArea, flight: Flight): void {
    const movable = this.#movable;
    movable.settle(area.nid, loop.now);
    const first = flight.bit * 2 ** area.orderPerBit;
    const end = first + flight.count;
    const fresh = Math.max(first, flight.emptied);
    const here = end - fresh;
    const borrowed = movable.borrowed(area.index);
    let inWay = 0;
    if (borrowed > 0) {
      const others = cma.cmaUsed(area) - (end - first) + area.pinned.weight;
      const free = Math.max(here, area.count - others);
      const draw = this.#draws(this.#pages, area, 'movable');
      inWay = drawBorrowed(draw, here, Math.min(borrowed, free), free);
    }
    let stuck = this.#knownStuck(loop, area, first, end);
    // Of the pages in the way, evenly spread, those before the one that stays are reached.
    const before = (page: number) =>
      here > 0 ? Math.max(0, Math.floor((inWay * (page - fresh)) / here)) : 0;
    let reached = stuck === NOTHING ? inWay : before(stuck);
    const pinnedAt = this.#drawPin(area, reached, flight);
    if (pinnedAt !== NOTHING) {
      stuck = fresh + Math.floor(((pinnedAt + 0.5) * here) / inWay);
      reached = pinnedAt;
    }
    const drops = Math.round(reached * movable.pressureOf(area.nid).clean);
    flight.drops = Pages(drops);
    flight.copies = Pages(reached - drops);
    flight.stuck = stuck;
    flight.emptied = Math.max(flight.emptied, stuck === NOTHING ? end : stuck);
  }

  /**
   * First page of [first, end) that is known to stay: pinned by a replay, or drawn and not yet let
   * go.
   */
  #knownStuck(loop: Loop, area: cma.CmaArea, first: number, end: number): number {
    let stuck = Infinity;
    if (area.pinned.weight > 0) stuck = cma.cmaFirstPinned(area, first, end - first);
    const pins = this.#pins[area.index];
    if (pins && pins.length > 0) {
      const left = pins.filter((pin) => pin.until > loop.now);
      this.#pins[area.index] = left;
      for (const { page } of left) if (page >= first && page < end) stuck = Math.min(stuck, page);
    }
    return stuck < Infinity && stuck >= 0 ? stuck : NOTHING;
  }

  /**
   * Which of `reached` pages, the first of them, is pinned for longer than all tries take, or
   * NOTHING. Those let go meanwhile cost the wait for it.
   */
  #drawPin(area: cma.CmaArea, reached: number, flight: Flight): number {
    const { pinned, pin: pinNs } = this.#movable.pressureOf(area.nid);
    if (pinned === 0 || pinNs === 0 || reached === 0) return NOTHING;
    const patience = TRIES * this.#wiring.costs.migrateRetry;
    const outlasts = Math.exp(-patience / pinNs);
    const draw = this.#draws(this.#pages, area, 'movable');
    const stays = pinned * outlasts;
    const at = Math.floor(Math.log(1 - draw.uniform()) / Math.log(1 - Math.min(stays, 1 - 1e-12)));
    const isStuck = at < reached;
    const brief = poisson(draw, Math.min(16, (isStuck ? at : reached) * pinned * (1 - outlasts)));
    if (brief > 0) {
      const wait = pinNs - (patience * outlasts) / (1 - outlasts);
      this.#spend(flight, part.migrate, Math.round(brief * Math.min(wait, patience)));
    }
    return isStuck ? at : NOTHING;
  }

  /** A page outlasted all tries: how much longer it stays does not depend on how long it has. */
  #remember(loop: Loop, area: cma.CmaArea, flight: Flight): void {
    const page = flight.stuck;
    const { pin: pinNs } = this.#movable.pressureOf(area.nid);
    this.#pins[area.index] ??= [];
    const pins = this.#pins[area.index];
    if (pinNs === 0 || pins.some((pin) => pin.page === page)) return;
    const gaveUp = loop.now + flight.work;
    const more = this.#draws(this.#pages, area, 'movable').exponential(pinNs);
    pins.push({ page, until: gaveUp + more });
  }

  /** Node `walk` places down the zonelist of `nid`, or NOTHING past its end. */
  #nextNode(nid: number, walk: number): number {
    const list = this.#wiring.layout.fallback.get(nid);
    return list && walk < list.length ? list[walk] : NOTHING;
  }

  /** Asks the nodes after the area's own for `left` pages to copy to; false if there are none. */
  #askOthers(loop: Loop, area: cma.CmaArea, flight: Flight, left: number): boolean {
    const next = this.#nextNode(area.nid, 1);
    if (next === NOTHING) return false;
    const to = this.#wiring.nodeOf[next];
    const out = this.#targets.post(loop, to, between(this.#wiring, loop.actor, to), TARGETS);
    out.ticket = flight.ticket;
    out.left = Pages(left);
    out.nid = Nid(area.nid);
    out.walk = 1;
    out.replyTo = loop.actor;
    return true;
  }

  /** Moves what is in the way to the pages found for it, `remote` of them on other nodes. */
  migrate(loop: Loop, flight: Flight, remote: number): void {
    const { costs } = this.#wiring;
    const area = this.#areaOf(flight.area);
    const wanted = flight.copies;
    const copied = flight.local + remote;
    const gone = copied + flight.drops;
    if (gone > 0) this.#movable.evict(area, gone);
    if (copied > 0) {
      const place = this.#wiring.place[loop.actor];
      const ns = costs.migrate(copied, remote, this.#controllers.stretch(place, loop.now));
      this.#spend(flight, part.migrate, ns);
      // Each page is read and written.
      const bytes = copied * costs.pageSize * 2;
      this.#controllers.flow(place, loop.now, bytes, ns);
    }
    this.#spend(flight, part.drop, Math.round(flight.drops * costs.pageDrop));
    if (copied < wanted) {
      this.#giveUp(flight, 'target');
      this.#undo(loop, flight, cma.ENOMEM);
      return;
    }
    if (flight.stuck === NOTHING) {
      this.#spend(flight, part.freeze, Math.round(flight.count * costs.pageFreeze));
      this.#undo(loop, flight, 0);
      return;
    }
    this.#spend(flight, part.migrate, TRIES * costs.migrateRetry);
    this.#remember(loop, area, flight);
    this.#giveUp(flight, 'stuck');
    this.#undo(loop, flight, cma.EBUSY);
  }

  /** undo_isolate_page_range() of what is isolated, and the end of the call. */
  #undo(loop: Loop, flight: Flight, errno: number): void {
    const { rules, costs, layout } = this.#wiring;
    const units = flight.blockTo - flight.blockFrom;
    const blocks = units * 2 ** (rules.isolateOrder - layout.pageblockOrder);
    this.#spend(flight, part.undo, costs.isolate(blocks));
    this.#finish(loop, flight, errno);
  }

  /** CONTIG_DONE when all parts have taken their time. */
  #finish(loop: Loop, flight: Flight, errno: number): void {
    const done = this.#done.post(loop, loop.actor, flight.work, CONTIG_DONE);
    flight.work = Ns(0);
    done.ticket = flight.ticket;
    done.errno = errno;
  }
}
