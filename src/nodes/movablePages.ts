/**
 * Movable pages of programs: page cache and anonymous memory, which borrow CMA pages and are in the
 * way.
 *
 * Per node a number of pages, part of them in blocks of its zones, part in its areas; which pages
 * of an area they are is drawn when somebody wants a window (mm/alloc/movable.ts). Nothing happens
 * by itself: what programs have freed and asked for anew is made up for when a node is next
 * touched, so an idle node costs nothing. So does kswapd, which drops clean page cache outside the
 * areas. Left out: zones one by one (they are added up per node), swap and write-back: pages that
 * are not clean cache stay.
 */
import { type CmaArea, cmaUsed } from '../mm/alloc/cma.js';
import { cmaDrift, cmaShare } from '../mm/alloc/movable.js';
import { Bytes, type Nid, Ns } from '../mm/units.js';
import type { Wiring } from './wiring.js';
import type { Taken, Zones } from './zones.js';

/** What programs of a node do, for the whole run. */
export interface MovablePressure {
  readonly nid: Nid;
  /** Memory they want, in whole pages. */
  readonly movable: Bytes;
  /**
   * Share of the node's CMA pages they hold at the start, 0 to 1; null: what the kernel's rule
   * yields.
   */
  readonly cma: number | null;
  /** Share of the pages that is clean page cache: dropped, not copied. */
  readonly clean: number;
  /** Mean time until a page has been freed and asked for anew; 0: never. */
  readonly renew: Ns;
  /** Share of the pages that is pinned at any time, and for how long on average. */
  readonly pinned: number;
  readonly pin: Ns;
}

interface NodeState {
  readonly pressure: Omit<MovablePressure, 'nid'>;
  readonly nid: number;
  /** Pages that programs want. */
  readonly pages: number;
  /** Blocks outside CMA areas. */
  readonly held: Taken[];
  heldPages: number;
  /** When the pages renewed so far were all renewed, ns. */
  settled: number;
}

const idle: Omit<MovablePressure, 'nid'> = {
  movable: Bytes(0),
  cma: null,
  clean: 0,
  renew: Ns(0),
  pinned: 0,
  pin: Ns(0),
};

export class Movable {
  readonly #wiring: Wiring;
  readonly #zones: Zones;
  readonly #areaOf: (index: number) => CmaArea;
  /** nid -> state, where there is pressure or pages were moved to. */
  readonly #nodes = new Map<number, NodeState>();
  /** nid -> active areas on it. */
  readonly #areas = new Map<number, number[]>();
  /** Area -> pages of it that movable users hold. */
  readonly #borrowed: Float64Array;
  /** Clean pages that the last targets() dropped. */
  reclaimed = 0;

  constructor(wiring: Wiring, zones: Zones, areaOf: (index: number) => CmaArea) {
    this.#wiring = wiring;
    this.#zones = zones;
    this.#areaOf = areaOf;
    this.#borrowed = new Float64Array(wiring.layout.areas.length);
    for (const { index, nid, count } of wiring.layout.areas) {
      if (count > 0) this.#areas.set(nid, [...(this.#areas.get(nid) ?? []), index]);
    }
  }

  /** Fills the memory of a node of this shard as its programs have it at the start. */
  begin(pressure: MovablePressure): void {
    const { nid, movable, cma: share } = pressure;
    const pages = Math.floor(movable / 2 ** this.#wiring.layout.pageShift);
    const node: NodeState = { pressure, nid, pages, held: [], heldPages: 0, settled: 0 };
    this.#nodes.set(nid, node);
    const wanted = Math.min(pages, this.#room(nid, 'low'));
    if (share === null) {
      this.#place(node, wanted);
      return;
    }
    const inAreas = Math.min(wanted, Math.round(share * this.#freeCma(nid)));
    this.#borrow(nid, inAreas);
    node.heldPages += this.#zones.hold(nid, wanted - inAreas, node.held);
  }

  /** Pages of an area that movable users hold, once settle() has been called. */
  borrowed(area: number): number {
    return this.#borrowed[area];
  }

  pressureOf(nid: number): Omit<MovablePressure, 'nid'> {
    return this.#nodes.get(nid)?.pressure ?? idle;
  }

  /** Brings a node up to `now`: programs have freed pages and asked for others. */
  settle(nid: number, now: number): void {
    const node = this.#nodes.get(nid);
    if (!node) return;
    // kswapd: free CMA pages do not count.
    this.#reclaim(node, this.#zones.mark(nid, 'low') - this.#zones.freeOther(nid));
    const { pages, pressure } = node;
    if (pressure.renew === 0) return;
    const perNs = pages / pressure.renew;
    const renewed = Math.floor((now - node.settled) * perNs);
    if (renewed < 1) return;
    node.settled += renewed / perNs;
    const missing = pages - node.heldPages - this.#borrowedOn(nid);
    const asked = Math.max(0, Math.min(missing, renewed, this.#room(nid, 'low')));
    this.#place(node, asked);
    this.#drift(node, Math.min(renewed - asked, node.heldPages + this.#borrowedOn(nid)));
  }

  /** The movable users of `pages` pages of an area have gone from it: the pages are free there. */
  evict(area: CmaArea, pages: number): void {
    this.#borrowed[area.index] -= pages;
    this.#zones.borrowCma(area.nid, area.zone, -pages);
  }

  /**
   * Allocates up to `pages` movable pages on a node, as targets of a migration; returns how many.
   * Goes down to the minimum, then reclaims.
   */
  targets(nid: number, pages: number): number {
    let node = this.#nodes.get(nid);
    if (!node) {
      node = { pressure: idle, nid, pages: 0, held: [], heldPages: 0, settled: 0 };
      this.#nodes.set(nid, node);
    }
    const room = this.#room(nid, 'min');
    this.reclaimed = this.#reclaim(node, pages - room);
    const got = Math.min(pages, room + this.reclaimed);
    this.#place(node, got);
    return got;
  }

  /** Free pages above the watermarks: movable requests count those of CMA areas too. */
  #room(nid: number, mark: 'min' | 'low'): number {
    const free = this.#zones.freeOther(nid) + this.#freeCma(nid);
    return Math.max(0, free - this.#zones.mark(nid, mark));
  }

  /** Drops up to `pages` clean pages that lie outside the areas; returns how many. */
  #reclaim(node: NodeState, pages: number): number {
    const clean = Math.floor(node.heldPages * node.pressure.clean);
    const dropped = Math.max(0, Math.min(pages, clean));
    if (dropped === 0) return 0;
    this.#zones.drop(node.nid, dropped, node.held);
    node.heldPages -= dropped;
    return dropped;
  }

  #place(node: NodeState, pages: number): void {
    const { nid } = node;
    const freeOther = this.#zones.freeOther(nid);
    const rule = this.#wiring.rules.movableUsesCma;
    const inAreas = cmaShare(rule, pages, this.#freeCma(nid), freeOther);
    this.#borrow(nid, inAreas);
    node.heldPages += this.#zones.hold(nid, pages - inAreas, node.held);
  }

  #drift(node: NodeState, renewed: number): void {
    const { nid } = node;
    const drift = cmaDrift(this.#wiring.rules.movableUsesCma, renewed, {
      borrowed: this.#borrowedOn(nid),
      other: node.heldPages,
      freeCma: this.#freeCma(nid),
      freeOther: this.#zones.freeOther(nid),
    });
    if (drift > 0) {
      const moved = Math.min(drift, node.heldPages, this.#freeCma(nid));
      this.#zones.drop(nid, moved, node.held);
      node.heldPages -= moved;
      this.#borrow(nid, moved);
    } else if (drift < 0) {
      const moved = this.#zones.hold(nid, -drift, node.held);
      node.heldPages += moved;
      this.#giveBack(nid, moved);
    }
  }

  #areasOn(nid: number): CmaArea[] {
    return (this.#areas.get(nid) ?? []).map(this.#areaOf);
  }

  #freeIn(area: CmaArea): number {
    const taken = cmaUsed(area) + area.pinned.weight - area.leaked.weight;
    return Math.max(0, area.count - taken - this.#borrowed[area.index]);
  }

  #freeCma(nid: number): number {
    return this.#areasOn(nid).reduce((sum, area) => sum + this.#freeIn(area), 0);
  }

  #borrowedOn(nid: number): number {
    return this.#areasOn(nid).reduce((sum, area) => sum + this.#borrowed[area.index], 0);
  }

  /** `pages` free pages of the node's areas, of each by how much it has free. */
  #borrow(nid: number, pages: number): void {
    this.#spread(nid, pages, (area) => this.#freeIn(area), 1);
  }

  #giveBack(nid: number, pages: number): void {
    this.#spread(nid, pages, (area) => this.#borrowed[area.index], -1);
  }

  #spread(nid: number, pages: number, weightOf: (area: CmaArea) => number, sign: 1 | -1): void {
    const areas = this.#areasOn(nid);
    let left = pages;
    let weights = areas.reduce((sum, area) => sum + weightOf(area), 0);
    for (const area of areas) {
      const weight = weightOf(area);
      const part = weights > 0 ? Math.round((left * weight) / weights) : 0;
      weights -= weight;
      left -= part;
      this.#borrowed[area.index] += sign * part;
      this.#zones.borrowCma(area.nid, area.zone, sign * part);
    }
  }
}
