/**
 * The buddy zones of this shard's nodes, and the memory that a timeline keeps from them.
 */

import {
  getPageFromFreelist,
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
} from '../mm/zones.js';
import type { ZoneState } from './log.js';
import type { Wiring } from './wiring.js';

/** A block that a timeline holds. */
interface Taken {
  readonly zone: Zone;
  readonly pfn: number;
  readonly order: number;
}

export class Zones {
  readonly #wiring: Wiring;
  /** nid -> zones, highest first. */
  readonly #zones = new Map<number, readonly Zone[]>();
  readonly #taken = new Map<number, Taken[]>();
  /** Zone -> pages its buddy had at the start less what requests and the timeline hold. */
  readonly #expected = new Map<Zone, number>();
  /** First pfn of the block that alloc() took last. */
  allocated = -1;

  constructor(wiring: Wiring, owns: (actor: number) => boolean, options: WatermarkOptions) {
    this.#wiring = wiring;
    const kept = minFree(wiring.layout, options);
    for (const { nid } of wiring.layout.nodes) {
      const actor = wiring.nodeOf[nid]!;
      if (!owns(actor)) continue;
      const zones = zonesFromLayout(wiring.layout, nid, kept, options);
      this.#zones.set(nid, zones);
      for (const zone of zones) this.#expected.set(zone, zone.buddy.free);
    }
  }

  of(nid: number): readonly Zone[] {
    return this.#zones.get(nid) ?? [];
  }

  /** Takes a block from the first zone of node `nid` that may serve it: its index, or -1. */
  alloc(nid: number, order: number, gfp: number, round: 0 | 1): number {
    const zone = getPageFromFreelist(this.of(nid), order, gfp, round);
    if (!zone) return -1;
    this.allocated = zoneAlloc(zone, order);
    this.#expect(zone, -(2 ** order));
    return zone.index;
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

  /** Takes up to `pages` pages of a node away, largest blocks first; watermarks do not protect them. */
  take(nid: number, pages: number): void {
    let left = pages;
    const taken = this.#taken.get(nid) ?? [];
    this.#taken.set(nid, taken);
    for (let order = this.#wiring.layout.maxPageOrder; order >= 0; order--) {
      for (const zone of this.of(nid)) {
        while (left >= 2 ** order) {
          const pfn = zoneAlloc(zone, order);
          if (pfn < 0) break;
          taken.push({ zone, pfn, order });
          this.#expect(zone, -(2 ** order));
          left -= 2 ** order;
        }
      }
    }
  }

  /** Gives back up to `pages` pages of what take() holds, in whole blocks, last taken first. */
  give(nid: number, pages: number): void {
    const taken = this.#taken.get(nid) ?? [];
    let left = pages;
    while (taken.length > 0 && left >= 2 ** taken.at(-1)!.order) {
      const { zone, pfn, order } = taken.pop()!;
      zoneFree(zone, pfn, order);
      this.#expect(zone, 2 ** order);
      left -= 2 ** order;
    }
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
    if (!zone) throw new Error(`zone ${name} of node ${nid} is owned by this shard`);
    return zone;
  }

  #zoneOf(nid: number, pfn: number): Zone {
    const zone = zoneOfPfn(this.of(nid), pfn);
    if (!zone) throw new Error(`pfn ${pfn} lies in a zone of node ${nid}`);
    return zone;
  }
}
