/**
 * The buddy zones of this shard's nodes, and the memory that a timeline keeps from them.
 */

import { buddyBlocks } from '../mm/alloc/buddy.js';
import {
  getPageFromFreelist,
  gfpZone,
  minFree,
  type WatermarkOptions,
  type Zone,
  zoneAlloc,
  zoneFree,
  zoneFreePages,
  zoneGiveCma,
  zoneOfPfn,
  zonesFromLayout,
  zoneTakeCma,
} from '../mm/alloc/zones.js';
import { Locks } from './locks.js';
import type { ZoneState } from './recorder.js';
import type { Wiring } from './wiring.js';

/** A block that somebody outside the model's requests holds: a timeline, movable pages. */
export interface Taken {
  readonly zone: Zone;
  readonly pfn: number;
  readonly order: number;
}

/** One zone when the run has ended. */
export interface ZoneEnd {
  readonly nid: number;
  readonly zone: string;
  /** Free blocks per order, pages of CMA areas left out. */
  readonly blocks: readonly number[];
}

export class Zones {
  readonly #wiring: Wiring;
  /** nid -> zones, highest first. */
  readonly #zones = new Map<number, readonly Zone[]>();
  readonly #taken = new Map<number, Taken[]>();
  /** zone->lock: four per node, by position. */
  readonly #locks: Locks;
  /** Zone -> pages its buddy had at the start less what requests and the timeline hold. */
  readonly #expected = new Map<Zone, number>();
  /** First pfn of the block that alloc() took last. */
  allocated = -1;

  constructor(wiring: Wiring, owns: (actor: number) => boolean, options: WatermarkOptions) {
    this.#wiring = wiring;
    const kept = minFree(wiring.layout, options);
    const { costs, latency: ways } = wiring;
    this.#locks = new Locks(4 * wiring.nidOf.length, { costs, ways, isMutex: false });
    for (const { nid } of wiring.layout.nodes) {
      const actor = wiring.nodeOf[nid];
      if (!owns(actor)) continue;
      const zones = zonesFromLayout(wiring.layout, nid, kept, options);
      this.#zones.set(nid, zones);
      for (const zone of zones) this.#expected.set(zone, zone.buddy.free);
    }
  }

  of(nid: number): readonly Zone[] {
    return this.#zones.get(nid) ?? [];
  }

  /** True if node `nid` has a zone that these flags allow. */
  allows(nid: number, gfp: number): boolean {
    const highest = gfpZone(gfp);
    return this.of(nid).some(({ index }) => index <= highest);
  }

  /** Takes a block from the first zone of node `nid` that may serve it: its index, or -1. */
  alloc(nid: number, order: number, gfp: number, round: 0 | 1): number {
    const zone = getPageFromFreelist(this.of(nid), order, gfp, round);
    if (!zone) return -1;
    this.allocated = zoneAlloc(zone, order);
    this.#expect(zone, -(2 ** order));
    return zone.index;
  }

  /** A CPU of node `place` takes the lock of a zone for `hold` ns: ns until it has it. */
  lock(nid: number, zone: number, by: { now: number; place: number; hold: number }): number {
    return this.#locks.take(4 * this.#wiring.nodeOf[nid] + zone, by.now, by.place, by.hold);
  }

  free(nid: number, pfn: number, order: number): void {
    const zone = this.#zoneOf(nid, pfn);
    zoneFree(zone, pfn, order);
    this.#expect(zone, 2 ** order);
  }

  /** Pages that are neither free nor with anybody: 0, or we have lost count. */
  lost(zone: Zone): number {
    return this.#expected.get(zone)! - zone.buddy.free;
  }

  #expect(zone: Zone, pages: number): void {
    this.#expected.set(zone, this.#expected.get(zone)! + pages);
  }

  /** `count` pages of an area leave the buddy; returns how many movable users held. */
  takeCma(nid: number, zone: string, count: number): number {
    return zoneTakeCma(this.#named(nid, zone), count);
  }

  returnCma(nid: number, zone: string, count: number): void {
    zoneGiveCma(this.#named(nid, zone), count);
  }

  /** A timeline takes up to `pages` pages of a node away. */
  take(nid: number, pages: number): void {
    const taken = this.#taken.get(nid) ?? [];
    this.#taken.set(nid, taken);
    this.hold(nid, pages, taken);
  }

  /** Gives back up to `pages` pages of what take() holds, in whole blocks, last taken first. */
  give(nid: number, pages: number): void {
    const taken = this.#taken.get(nid) ?? [];
    let left = pages;
    while (taken.length > 0 && left >= 2 ** taken.at(-1)!.order) left -= this.#letGo(taken);
  }

  /**
   * Takes up to `pages` pages out of the buddy into `held`, largest blocks first; watermarks do not
   * protect them. Returns how many it got.
   */
  hold(nid: number, pages: number, held: Taken[]): number {
    let left = pages;
    for (let order = this.#wiring.layout.maxPageOrder; order >= 0; order--) {
      for (const zone of this.of(nid)) {
        while (left >= 2 ** order) {
          const pfn = zoneAlloc(zone, order);
          if (pfn < 0) break;
          held.push({ zone, pfn, order });
          this.#expect(zone, -(2 ** order));
          left -= 2 ** order;
        }
      }
    }
    return pages - left;
  }

  /** Gives exactly `pages` of the pages in `held` back. */
  drop(nid: number, pages: number, held: Taken[]): void {
    let left = pages;
    while (left > 0) left -= this.#letGo(held);
    // The last block was larger than what had to go.
    if (left < 0) this.hold(nid, -left, held);
  }

  #letGo(held: Taken[]): number {
    const { zone, pfn, order } = held.pop()!;
    zoneFree(zone, pfn, order);
    this.#expect(zone, 2 ** order);
    return 2 ** order;
  }

  /** Pages free outside CMA areas, and the watermarks, of all zones of a node. */
  freeOther(nid: number): number {
    return this.of(nid).reduce((sum, zone) => sum + zone.buddy.free, 0);
  }

  mark(nid: number, mark: 'min' | 'low'): number {
    return this.of(nid).reduce((sum, zone) => sum + zone.watermark[mark], 0);
  }

  /** Movable users take `count` free pages of an area, or leave them (negative). */
  borrowCma(nid: number, name: string, count: number): void {
    const zone = this.#named(nid, name);
    zone.freeCma -= count;
    zone.borrowedCma += count;
  }

  /** The zones of this shard as they stand. */
  finish(): ZoneEnd[] {
    return [...this.#zones].flatMap(([nid, zones]) =>
      zones.map(({ name, buddy }): ZoneEnd => {
        const blocks = new Array<number>(this.#wiring.layout.maxPageOrder + 1).fill(0);
        for (const [, order] of buddyBlocks(buddy)) blocks[order] += 1;
        return { nid, zone: name, blocks };
      }),
    );
  }

  /** What a recording's `zones` row says of a node, without the number of the row. */
  states(nid: number): Omit<ZoneState, 'id'>[] {
    const node = this.#wiring.layout.nodes.find((candidate) => candidate.nid === nid)!;
    return node.zones.map((layout) => {
      const zone = this.of(nid).find((candidate) => candidate.name === layout.name);
      return {
        nid,
        zone: layout.name,
        startPfn: layout.startPfn,
        spanned: layout.spanned,
        present: layout.present,
        managed: layout.managed,
        free: zone ? zoneFreePages(zone) : 0,
        freeCma: zone ? zone.freeCma : 0,
      };
    });
  }

  #named(nid: number, name: string): Zone {
    const zone = this.of(nid).find((candidate) => candidate.name === name);
    if (!zone)
      throw new Error(`zone ${name} of node ${nid} of another shard, expected one of this shard`);
    return zone;
  }

  #zoneOf(nid: number, pfn: number): Zone {
    const zone = zoneOfPfn(this.of(nid), pfn);
    if (!zone) throw new Error(`pfn ${pfn}, expected one in a zone of node ${nid}`);
    return zone;
  }
}
