/**
 * Who owns which page: kept beside the bitmaps, so that the two can be held against each other.
 *
 * Counts are kept always. Owners page by page only when a run is asked to check itself: a free that
 * takes another request's pages along is then seen when it happens. What a policy does wrong is a
 * finding; what does not add up is our own fault and stops the run.
 */

import * as cma from '../mm/alloc/cma.js';
import { zoneFreePages } from '../mm/alloc/zones.js';
import type { Finding, RunRecorder } from './recorder.js';
import type { Wiring } from './wiring.js';
import type { Zones } from './zones.js';

/** An invariant of ours does not hold: exit 3, with the seed. */
export class BrokenInvariant extends Error {}

/** Pages of one area by what the actors did, not by what the bitmap says. */
interface AreaCount {
  /** Bits set for windows that alloc_contig_range() has not ended for. */
  claimed: number;
  /** Granted, to requests and to atomic pools, less what came back. */
  held: number;
  /** In the buddy with their bit set. */
  leaked: number;
}

export class PageLedger {
  readonly #recorder: RunRecorder;
  readonly #counts: AreaCount[] = [];
  /** Page -> request that holds it; null unless the run checks itself. */
  readonly #owners: Map<number, number> | null;

  constructor(recorder: RunRecorder, checks: boolean) {
    this.#recorder = recorder;
    this.#owners = checks ? new Map() : null;
  }

  #of(area: number): AreaCount {
    this.#counts[area] ??= { claimed: 0, held: 0, leaked: 0 };
    return this.#counts[area];
  }

  /** `pages` is negative when a window is given up or becomes an allocation. */
  claimed(area: number, pages: number): void {
    this.#of(area).claimed += pages;
  }

  granted(area: cma.CmaArea, pfn: number, pages: number, id: number): void {
    this.#of(area.index).held += pages;
    if (!this.#owners) return;
    for (let page = pfn; page < pfn + pages; page++) {
      const owner = this.#owners.get(page);
      if (owner !== undefined) {
        throw new BrokenInvariant(
          `page ${page} of ${area.name} has one owner: ${owner}, not ${id} too`,
        );
      }
      this.#owners.set(page, id);
    }
    this.audit(area);
  }

  /** cma_release() of the pages has changed the area. */
  released(area: cma.CmaArea, free: FreeCall, change: Change): void {
    const { pfn, pages } = free;
    const count = this.#of(area.index);
    count.held -= change.bits - change.leaks;
    count.leaked -= change.leaks;
    if (change.returned < pages) {
      const missing = pages - change.returned;
      const text = `${missing} of ${pages} pages from pfn ${hex(pfn)} were not held`;
      const taken = `${text} when ${area.name} took them back`;
      this.#find('double-free', area, { ...free, pages: missing }, taken);
    }
    if (!this.#owners) return;
    const owner = this.#owners.get(pfn);
    for (let page = pfn; page < pfn + pages; page++) {
      const other = this.#owners.get(page);
      if (other !== undefined && other !== owner) {
        const text = `page ${hex(page)} of ${area.name} went back with pages of another request`;
        this.#find('foreign-free', area, { ...free, pfn: page, pages: 1 }, text);
      }
      this.#owners.delete(page);
    }
    this.audit(area);
  }

  /** __free_pages() took pages of the area; the bits of `leaks` of them stay set. */
  leaked(area: cma.CmaArea, free: FreeCall, leaks: number): void {
    const { pfn, pages } = free;
    const count = this.#of(area.index);
    count.held -= leaks;
    count.leaked += leaks;
    const text = `${pages} pages of ${area.name} from pfn ${hex(pfn)} went to the buddy`;
    this.#find('leak', area, free, `${text}; their bits stay set`);
    for (let page = pfn; this.#owners && page < pfn + pages; page++) this.#owners.delete(page);
  }

  /** Holds one area's bitmap against the counts. @throws BrokenInvariant */
  audit(area: cma.CmaArea): void {
    const { claimed, held, leaked } = this.#of(area.index);
    const used = cma.cmaUsed(area);
    if (used !== claimed + held + leaked) {
      throw new BrokenInvariant(
        `${area.name}: ${used} bits set = ${claimed} claimed + ${held} held + ${leaked} leaked`,
      );
    }
  }

  /** Pages of an area that somebody holds, by request or by pin: a pin may hold what had leaked. */
  #outOfBuddy(area: cma.CmaArea): number {
    const { claimed } = this.#of(area.index);
    return cma.cmaUsed(area) - claimed - area.leaked.weight + area.pinned.weight;
  }

  /** Holds every area and zone of this shard against the counts. @throws BrokenInvariant */
  auditAll(wiring: Wiring, zones: Zones, areas: readonly (cma.CmaArea | undefined)[]): void {
    for (const area of areas) if (area) this.audit(area);
    for (const { nid } of wiring.layout.nodes) {
      for (const zone of zones.of(nid)) {
        const own = areas.filter((area) => area && area.nid === nid && area.zone === zone.name);
        const outOfBuddy = own.reduce((sum, area) => sum + this.#outOfBuddy(area!), 0);
        const pages = own.reduce((sum, area) => sum + area!.count, 0);
        if (zone.freeCma + zone.borrowedCma + outOfBuddy !== pages) {
          throw new BrokenInvariant(
            `node ${nid}, zone ${zone.name}: ${pages} CMA pages = ${zone.freeCma} free + ` +
              `${zone.borrowedCma} borrowed + ${outOfBuddy} held`,
          );
        }
        const lost = zones.lost(zone);
        if (lost !== 0) {
          throw new BrokenInvariant(
            `node ${nid}, zone ${zone.name}: ${zoneFreePages(zone)} free and ${lost} pages lost`,
          );
        }
      }
    }
  }

  #find(kind: Finding['kind'], area: cma.CmaArea, free: FreeCall, text: string): void {
    const { time, id, pfn, pages } = free;
    this.#recorder.tell('found', { time, kind, id, pfn, pages, area: area.index, text });
  }
}

/** What a release did to an area. */
export interface Change {
  /** Pages that went back to the buddy: less than asked if some were not held. */
  readonly returned: number;
  /** Bits cleared, in pages, and how many of those pages were in the buddy all along. */
  readonly bits: number;
  readonly leaks: number;
}

/** The free a finding is about. */
export interface FreeCall {
  readonly id: number;
  readonly time: number;
  readonly pfn: number;
  readonly pages: number;
}

/** As base_pfn is printed. */
function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}
