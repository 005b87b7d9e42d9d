/**
 * Pages that need not lie together: taken block by block from the zones of node after node.
 *
 * Models __iommu_dma_alloc_pages(), which tries the block an IOMMU maps by one entry and then
 * single pages, and alloc_pages_bulk() of page pools. Each node keeps what it gave under the number
 * of the request, and a free walks the same zonelist. Left out: the per-CPU lists, __GFP_NORETRY.
 */

import { releaseCount } from '../mm/alloc/contiguous.js';
import { Nid, Pages, Pfn } from '../mm/units.js';
import type { Loop } from '../sim/model.js';
import { BUDDY, type Recall, type Request } from '../wire/request.js';
import type { Controllers } from './controllers.js';
import type { Walker } from './walk.js';
import type { Wiring } from './wiring.js';
import type { Zones } from './zones.js';

/** A run of blocks of one order that follow each other: first pfn, order, number of blocks. */
const RUN = 3;

export class Bulk {
  readonly #wiring: Wiring;
  readonly #zones: Zones;
  readonly #controllers: Controllers;
  readonly #walk: Walker;
  /** Per node: request -> runs it gave. */
  readonly #given = new Map<number, Map<number, number[]>>();

  constructor(wiring: Wiring, parts: { zones: Zones; controllers: Controllers; walk: Walker }) {
    this.#wiring = wiring;
    this.#zones = parts.zones;
    this.#controllers = parts.controllers;
    this.#walk = parts.walk;
  }

  /**
   * Takes what this node has of the pages a request still wants. True if it then has all of them,
   * and was granted; otherwise the request goes on.
   */
  take(loop: Loop, request: Request): boolean {
    const { costs, layout, nidOf } = this.#wiring;
    const { id, gfp, mode, blockOrder } = request;
    const nid = Nid(nidOf[loop.actor]);
    const round = this.#walk.round(request);
    const asked = releaseCount(request.size, layout.pageShift);
    const runs = this.#runs(nid, id);
    let had: number = request.got;
    let work = 0;
    let zone = -1;
    for (
      let order = mode === 'bulk' ? layout.maxPageOrder : blockOrder;
      had < asked && order >= 0;
    ) {
      zone = 2 ** order <= asked - had ? this.#zones.alloc(nid, order, gfp, round) : -1;
      if (zone < 0) {
        // After the blocks that an IOMMU maps at once come single pages.
        order = mode === 'bulk' || order === 0 ? order - 1 : 0;
        continue;
      }
      note(runs, this.#zones.allocated, order);
      work += costs.buddyAlloc(order);
      had += 2 ** order;
    }
    request.got = Pages(had);
    if (runs.length === 0) this.#given.get(nid)!.delete(id);
    if (had < asked) return false;
    // dma-iommu asks for pages that are clear; a page pool does not care.
    const zero = mode === 'iommu' ? this.#controllers.zero(loop, request, nid, asked) : 0;
    const pfn = Pfn(runs[0] ?? 0);
    const page = { pfn, pages: Pages(asked), source: BUDDY, nid, zone, zero };
    this.#walk.grant(loop, request, work, page);
    return true;
  }

  /** Gives back what this node holds of a request, then asks the next until all are back. */
  recall(loop: Loop, recall: Recall): void {
    const { costs, nidOf } = this.#wiring;
    const nid = Nid(nidOf[loop.actor]);
    const pfn = Pfn(this.#given.get(nid)?.get(recall.of)?.[0] ?? 0);
    const back = this.#giveBack(nid, recall.of);
    const left = Pages(recall.left - back);
    const work = back * costs.pageRelease;
    if (left === 0) {
      this.#walk.recalled(loop, recall, work, { pfn, nid });
    } else if (!this.#walk.recallNext(loop, recall, left, work)) {
      throw new Error(`${left} pages of a request, expected some node to have them`);
    }
  }

  #giveBack(nid: number, id: number): number {
    const runs = this.#given.get(nid)?.get(id) ?? [];
    let pages = 0;
    for (let run = 0; run < runs.length; run += RUN) {
      const order = runs[run + 1];
      for (let block = 0; block < runs[run + 2]; block++) {
        this.#zones.free(nid, runs[run] + block * 2 ** order, order);
        pages += 2 ** order;
      }
    }
    this.#given.get(nid)?.delete(id);
    return pages;
  }

  #runs(nid: number, id: number): number[] {
    const node = this.#given.get(nid) ?? new Map<number, number[]>();
    this.#given.set(nid, node);
    const runs = node.get(id) ?? [];
    node.set(id, runs);
    return runs;
  }
}

function note(runs: number[], pfn: number, order: number): void {
  const last = runs.length - RUN;
  if (last >= 0 && runs[last + 1] === order && runs[last] + runs[last + 2] * 2 ** order === pfn) {
    runs[last + 2]++;
  } else {
    runs.push(pfn, order, 1);
  }
}
