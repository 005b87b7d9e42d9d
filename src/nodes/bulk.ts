/**
 * Pages that need not lie together: taken block by block from the zones of node after node.
 *
 * Models __iommu_dma_alloc_pages(), which tries the block an IOMMU maps by one entry and then single
 * pages, and alloc_pages_bulk() of page pools. Each node keeps what it gave under the number of the
 * request, and a free walks the same zonelist. Left out: the per-CPU lists, __GFP_NORETRY.
 */

import type { Loop } from '../sim/model.js';
import {
  BUDDY,
  BULK_ANY_ORDER,
  FREED,
  freed,
  originMask,
  originNode,
  originWalk,
  packOrigin,
  planAlign,
  REFUSED,
  refused,
  request,
} from '../wire/dma.js';
import { RELEASE_BULK } from '../wire/messages.js';
import type { Controllers } from './controllers.js';
import { asker, grant, walkNode } from './walk.js';
import { between, forward, type Wiring } from './wiring.js';
import type { Zones } from './zones.js';

/** A run of blocks of one order that follow each other: first pfn, order, number of blocks. */
const RUN = 3;

export class Bulk {
  readonly #wiring: Wiring;
  readonly #zones: Zones;
  readonly #controllers: Controllers;
  /** Per node: request -> runs it gave. */
  readonly #given = new Map<number, Map<number, number[]>>();

  constructor(wiring: Wiring, zones: Zones, controllers: Controllers) {
    this.#wiring = wiring;
    this.#zones = zones;
    this.#controllers = controllers;
  }

  /**
   * Takes what this node has of the pages a request still wants. True if it then has all of them,
   * and was granted; otherwise the request goes on. `devArea` of the payload counts them.
   */
  take(loop: Loop, nid: number, round: 0 | 1, m: Float64Array, at: number): boolean {
    const { costs, layout } = this.#wiring;
    const id = m[at + request.id];
    const asked = Math.ceil(m[at + request.size] / 2 ** layout.pageShift);
    const gfp = m[at + request.gfp];
    const blocks = planAlign(m[at + request.plan]);
    const runs = this.#runs(nid, id);
    let had = m[at + request.devArea];
    let work = 0;
    let zone = -1;
    for (let order = firstOrder(blocks, layout.maxPageOrder); had < asked && order >= 0; ) {
      zone = 2 ** order <= asked - had ? this.#zones.alloc(nid, order, gfp, round) : -1;
      if (zone < 0) {
        order = nextOrder(order, blocks);
        continue;
      }
      note(runs, this.#zones.allocated, order);
      work += costs.buddyAlloc(order);
      had += 2 ** order;
    }
    m[at + request.devArea] = had;
    if (runs.length === 0) this.#given.get(nid)!.delete(id);
    if (had < asked) return false;
    // dma-iommu asks for pages that are clear; a page pool does not care.
    const isClear = blocks !== BULK_ANY_ORDER;
    const zero = isClear ? this.#controllers.zero(loop, m, at, nid, asked) : 0;
    const page = { pfn: runs[0] ?? 0, pages: asked, source: BUDDY, nid, zone, zero };
    grant(this.#wiring, loop, m, at, work, page);
    return true;
  }

  /** RELEASE_BULK: gives back what this node holds, then asks the next until all are back. */
  release(loop: Loop, nid: number, m: Float64Array, at: number): void {
    const wiring = this.#wiring;
    const of = m[at + request.extra];
    const pfn = this.#given.get(nid)?.get(of)?.[0] ?? 0;
    const back = this.#giveBack(nid, of);
    const left = m[at + request.devArea] - back;
    const work = back * wiring.costs.pageRelease;
    const origin = m[at + request.origin];
    const walk = originWalk(origin) + 1;
    const next = walkNode(wiring, m, at, walk);
    if (left === 0) {
      this.#answer(loop, m, at, work, { pfn, nid });
      return;
    }
    if (next === undefined) throw new Error(`${left} pages of a request are with some node`);
    const out = forward(wiring, loop, wiring.nodeOf[next], RELEASE_BULK, work, m, at);
    loop.out[out + request.devArea] = left;
    loop.out[out + request.origin] = packOrigin(originNode(origin), originMask(origin), walk);
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

  /** A request that named itself was refused; a free names the request that was granted. */
  #answer(
    loop: Loop,
    m: Float64Array,
    at: number,
    work: number,
    last: { pfn: number; nid: number },
  ): void {
    const id = m[at + request.id];
    const isFree = m[at + request.extra] !== id;
    const to = asker(id);
    const delay = work + between(this.#wiring, loop.actor, to);
    const out = loop.post(to, delay, isFree ? FREED : REFUSED);
    loop.out[out + freed.id] = id;
    if (!isFree) {
      loop.out[out + refused.errno] = 12;
      return;
    }
    const pages = m[at + request.size] / 2 ** this.#wiring.layout.pageShift;
    loop.out[out + freed.pages] = Math.ceil(pages);
    loop.out[out + freed.source] = BUDDY;
    loop.out[out + freed.pfn] = last.pfn;
    loop.out[out + freed.nid] = last.nid;
  }

  #runs(nid: number, id: number): number[] {
    const node = this.#given.get(nid) ?? new Map<number, number[]>();
    this.#given.set(nid, node);
    const runs = node.get(id) ?? [];
    node.set(id, runs);
    return runs;
  }
}

function firstOrder(blocks: number, maxPageOrder: number): number {
  return blocks === BULK_ANY_ORDER ? maxPageOrder : blocks;
}

/** After blocks of `order` come smaller ones, or at once single pages; -1: nothing is smaller. */
function nextOrder(order: number, blocks: number): number {
  if (blocks === BULK_ANY_ORDER || order === 0) return order - 1;
  return 0;
}

function note(runs: number[], pfn: number, order: number): void {
  const last = runs.length - RUN;
  if (last >= 0 && runs[last + 1] === order && runs[last] + runs[last + 2] * 2 ** order === pfn) {
    runs[last + 2]++;
  } else {
    runs.push(pfn, order, 1);
  }
}
