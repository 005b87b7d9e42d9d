/**
 * alloc_contig_range(): empties a window of an area, step by step, or says what is in the way.
 *
 * Models mm/page_alloc.c: start_isolate_page_range(), drain_all_pages(), lru_cache_disable(),
 * __alloc_contig_migrate_range() (clean page cache dropped, the rest copied, five tries on a batch that stays),
 * test_pages_isolated(), isolate_freepages_range(), undo. What happens is decided when the call begins; its
 * time is the sum of its parts. Left out: single batches (a failing one is timed as what precedes it and its
 * five tries), signals, write-back.
 */
import * as cma from '../mm/alloc/cma.js';
import { drawBorrowed, poisson } from '../mm/alloc/movable.js';
import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import { request } from '../wire/dma.js';
import { CONTIG_DONE, contigDone, TARGETED, TARGETS, targets } from '../wire/messages.js';
import type { Controllers } from './controllers.js';
import { InFlight, part, ticket } from './inflight.js';
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
  /** Requests in flight at an actor. */
  slab(actor: number): InFlight;
  readonly movable: Movable;
  readonly controllers: Controllers;
  area(index: number): cma.CmaArea;
  stream(name: string): Stream;
}

export class ContigRange {
  readonly #wiring: Wiring;
  readonly #slabOf: (actor: number) => InFlight;
  /** Of the actor whose turn it is. */
  #inFlight = new InFlight();
  readonly #movable: Movable;
  readonly #controllers: Controllers;
  readonly #areaOf: (index: number) => cma.CmaArea;
  readonly #streamOf: (name: string) => Stream;
  /** Area -> its streams: how long lru_cache_disable() takes, and what lies in a window. */
  readonly #lru: Stream[] = [];
  readonly #pages: Stream[] = [];
  /** Area -> pages known to stay, of those not yet let go. */
  readonly #pins: Pin[][] = [];
  /** Area -> tickets whose pageblocks are isolated; kept where nothing else keeps calls apart. */
  readonly #isolated: number[][] = [];

  constructor(wiring: Wiring, parts: ContigParts) {
    this.#wiring = wiring;
    this.#slabOf = parts.slab;
    this.#movable = parts.movable;
    this.#controllers = parts.controllers;
    this.#areaOf = parts.area;
    this.#streamOf = parts.stream;
  }

  /** Begins on the window that `row` has claimed; CONTIG_DONE follows. */
  begin(loop: Loop, row: number): void {
    this.#inFlight = this.#slabOf(loop.actor);
    const { rows } = this.#inFlight;
    const area = this.#areaOf(rows[row + ticket.area]);
    if (!this.#isolate(area, row)) {
      this.#giveUp(row, 'collision');
      this.#finish(loop, row, cma.EBUSY);
      return;
    }
    const { costs, cpus } = this.#wiring;
    this.#spend(row, part.drainPcp, costs.drainAllPages(cpus));
    const lru = this.#draws(this.#lru, area, 'lru');
    const draw = lru.logNormal(costs.drainLru, costs.drainLruSigma);
    this.#spend(row, part.drainLru, Math.round(draw));
    this.#survey(loop, area, row);
    const copies = rows[row + ticket.copies];
    const local = copies > 0 ? this.#movable.targets(area.nid, copies) : 0;
    rows[row + ticket.local] = local;
    if (copies > 0)
      this.#spend(row, part.drop, Math.round(this.#movable.reclaimed * costs.pageDrop));
    if (local < copies && this.#askOthers(loop, area, row, copies - local)) return;
    this.#migrate(loop, row, 0);
  }

  /** TARGETS at a node: takes what it can give and passes the rest of the question on. */
  passTargets(loop: Loop, nid: number, m: Float64Array, at: number): void {
    this.#movable.settle(nid, loop.now);
    const got = this.#movable.targets(nid, m[at + targets.left]);
    const left = m[at + targets.left] - got;
    const next = left > 0 ? this.#nextNode(m[at + targets.nid], m[at + targets.walk] + 1) : NOTHING;
    const to = next === NOTHING ? m[at + targets.replyTo] : this.#wiring.nodeOf[next];
    const type = next === NOTHING ? TARGETED : TARGETS;
    const out = loop.post(to, between(this.#wiring, loop.actor, to), type);
    for (let i = 0; i < 8; i++) loop.out[out + i] = m[at + i];
    loop.out[out + targets.left] = left;
    loop.out[out + targets.got] = m[at + targets.got] + got;
    loop.out[out + targets.walk] = m[at + targets.walk] + 1;
  }

  /** TARGETED: all that other nodes could give. */
  targeted(loop: Loop, m: Float64Array, at: number): void {
    this.#inFlight = this.#slabOf(loop.actor);
    this.#migrate(loop, m[at + targets.ticket], m[at + targets.got]);
  }

  /** undo_isolate_page_range() has been done: others may isolate these pageblocks. */
  end(area: number, row: number): void {
    const isolated = this.#isolated[area];
    const at = isolated ? isolated.indexOf(row) : NOTHING;
    if (isolated && at >= 0) isolated.splice(at, 1);
  }

  #spend(row: number, which: number, ns: number): void {
    this.#inFlight.spend(row, which, ns);
    this.#inFlight.rows[row + ticket.work] += ns;
  }

  #giveUp(row: number, why: GiveUp): void {
    this.#wiring.recorder.tell('windowLost', { id: this.#inFlight.rows[row + request.id], why });
  }

  #draws(streams: Stream[], area: cma.CmaArea, what: string): Stream {
    streams[area.index] ??= this.#streamOf(`${area.index}.${area.name}.${what}`);
    return streams[area.index];
  }

  /** Marks the window's pageblocks; false if another call has one of them. */
  #isolate(area: cma.CmaArea, row: number): boolean {
    const { rows } = this.#inFlight;
    const { rules, costs, layout } = this.#wiring;
    const unit = 2 ** rules.isolateOrder;
    const first = area.basePfn + rows[row + ticket.bit] * 2 ** area.orderPerBit;
    const from = Math.floor(first / unit);
    const to = Math.ceil((first + rows[row + ticket.count]) / unit);
    const blocks = unit / 2 ** layout.pageblockOrder;
    rows[row + ticket.blockFrom] = from;
    rows[row + ticket.blockTo] = to;
    const hit = rules.mutex === 'none' ? this.#collision(area, row, from, to) : NOTHING;
    if (hit !== NOTHING) {
      this.#spend(row, part.isolate, costs.isolate((hit - from) * blocks + 1));
      this.#spend(row, part.undo, costs.isolate((hit - from) * blocks));
      return false;
    }
    this.#spend(row, part.isolate, costs.isolate((to - from) * blocks));
    return true;
  }

  /** First of the units [from, to) that another call holds isolated, or NOTHING: then they are this call's. */
  #collision(area: cma.CmaArea, row: number, from: number, to: number): number {
    const { rows } = this.#inFlight;
    this.#isolated[area.index] ??= [];
    const isolated = this.#isolated[area.index];
    let first = Infinity;
    for (const other of isolated) {
      const begin = Math.max(from, rows[other + ticket.blockFrom]);
      if (begin < Math.min(to, rows[other + ticket.blockTo])) first = Math.min(first, begin);
    }
    if (first < Infinity) return first;
    isolated.push(row);
    return NOTHING;
  }

  /** What lies in the window: pages to copy, to drop, and the first that stays. */
  #survey(loop: Loop, area: cma.CmaArea, row: number): void {
    const { rows } = this.#inFlight;
    const movable = this.#movable;
    movable.settle(area.nid, loop.now);
    const first = rows[row + ticket.bit] * 2 ** area.orderPerBit;
    const end = first + rows[row + ticket.count];
    const fresh = Math.max(first, rows[row + ticket.emptied]);
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
    const pinnedAt = this.#drawPin(area, reached, row);
    if (pinnedAt !== NOTHING) {
      stuck = fresh + Math.floor(((pinnedAt + 0.5) * here) / inWay);
      reached = pinnedAt;
    }
    const drops = Math.round(reached * movable.pressureOf(area.nid).clean);
    rows[row + ticket.drops] = drops;
    rows[row + ticket.copies] = reached - drops;
    rows[row + ticket.stuck] = stuck;
    rows[row + ticket.emptied] = Math.max(
      rows[row + ticket.emptied],
      stuck === NOTHING ? end : stuck,
    );
  }

  /** First page of [first, end) that is known to stay: pinned by a replay, or drawn and not yet let go. */
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
   * Which of `reached` pages, the first of them, is pinned for longer than all tries take, or NOTHING. Those
   * let go meanwhile cost the wait for it.
   */
  #drawPin(area: cma.CmaArea, reached: number, row: number): number {
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
      this.#spend(row, part.migrate, Math.round(brief * Math.min(wait, patience)));
    }
    return isStuck ? at : NOTHING;
  }

  /** A page outlasted all tries: how much longer it stays does not depend on how long it has. */
  #remember(loop: Loop, area: cma.CmaArea, row: number): void {
    const page = this.#inFlight.rows[row + ticket.stuck];
    const { pin: pinNs } = this.#movable.pressureOf(area.nid);
    this.#pins[area.index] ??= [];
    const pins = this.#pins[area.index];
    if (pinNs === 0 || pins.some((pin) => pin.page === page)) return;
    const gaveUp = loop.now + this.#inFlight.rows[row + ticket.work];
    const more = this.#draws(this.#pages, area, 'movable').exponential(pinNs);
    pins.push({ page, until: gaveUp + more });
  }

  /** Node `walk` places down the zonelist of `nid`, or NOTHING past its end. */
  #nextNode(nid: number, walk: number): number {
    const list = this.#wiring.layout.fallback.get(nid);
    return list && walk < list.length ? list[walk] : NOTHING;
  }

  /** Asks the nodes after the area's own for `left` pages to copy to; false if there are none. */
  #askOthers(loop: Loop, area: cma.CmaArea, row: number, left: number): boolean {
    const next = this.#nextNode(area.nid, 1);
    if (next === NOTHING) return false;
    const to = this.#wiring.nodeOf[next];
    const out = loop.post(to, between(this.#wiring, loop.actor, to), TARGETS);
    loop.out[out + targets.ticket] = row;
    loop.out[out + targets.left] = left;
    loop.out[out + targets.nid] = area.nid;
    loop.out[out + targets.walk] = 1;
    loop.out[out + targets.replyTo] = loop.actor;
    return true;
  }

  /** Moves what is in the way to the pages found for it, `remote` of them on other nodes. */
  #migrate(loop: Loop, row: number, remote: number): void {
    const { rows } = this.#inFlight;
    const { costs } = this.#wiring;
    const area = this.#areaOf(rows[row + ticket.area]);
    const wanted = rows[row + ticket.copies];
    const copied = rows[row + ticket.local] + remote;
    const gone = copied + rows[row + ticket.drops];
    if (gone > 0) this.#movable.evict(area, gone);
    if (copied > 0) {
      const place = this.#wiring.place[loop.actor];
      const ns = costs.migrate(copied, remote, this.#controllers.stretch(place, loop.now));
      this.#spend(row, part.migrate, ns);
      // Each page is read and written.
      const bytes = copied * costs.pageSize * 2;
      this.#controllers.flow(place, loop.now, bytes, ns);
    }
    this.#spend(row, part.drop, Math.round(rows[row + ticket.drops] * costs.pageDrop));
    if (copied < wanted) {
      this.#giveUp(row, 'target');
      this.#undo(loop, row, cma.ENOMEM);
      return;
    }
    if (rows[row + ticket.stuck] === NOTHING) {
      this.#spend(row, part.freeze, Math.round(rows[row + ticket.count] * costs.pageFreeze));
      this.#undo(loop, row, 0);
      return;
    }
    this.#spend(row, part.migrate, TRIES * costs.migrateRetry);
    this.#remember(loop, area, row);
    this.#giveUp(row, 'stuck');
    this.#undo(loop, row, cma.EBUSY);
  }

  /** undo_isolate_page_range() of what is isolated, and the end of the call. */
  #undo(loop: Loop, row: number, errno: number): void {
    const { rows } = this.#inFlight;
    const { rules, costs, layout } = this.#wiring;
    const units = rows[row + ticket.blockTo] - rows[row + ticket.blockFrom];
    const blocks = units * 2 ** (rules.isolateOrder - layout.pageblockOrder);
    this.#spend(row, part.undo, costs.isolate(blocks));
    this.#finish(loop, row, errno);
  }

  /** CONTIG_DONE when all parts have taken their time. */
  #finish(loop: Loop, row: number, errno: number): void {
    const { rows } = this.#inFlight;
    const out = loop.post(loop.actor, rows[row + ticket.work], CONTIG_DONE);
    rows[row + ticket.work] = 0;
    loop.out[out + contigDone.ticket] = row;
    loop.out[out + contigDone.errno] = errno;
  }
}
