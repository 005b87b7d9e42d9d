/**
 * A request for memory and its end: what a call of the DMA API is on its way from actor to actor.
 *
 * Models the calls of include/linux/dma-mapping.h and linux/cma.h that need memory: how each was
 * made, for whom, and how far down the policy's list of steps it is.
 */

import { Bytes, Nid, Ns, Pages, Pfn } from '../mm/units.js';
import { bits, choice, record } from './record.js';

/** How memory is asked for; the order of attempts depends on it. */
export const modes = [
  'coherent', // dma_alloc_coherent() by dma-direct: mask, zone retries, give-back
  'contiguous', // dma_alloc_contiguous(), then alloc_pages_node(), as dma-direct
  'raw', // cma_alloc() and cma_release() on `devArea` itself
  'pages', // alloc_pages_node(): one block, never CMA
  'bulk', // alloc_pages_bulk(): pages that need not lie together, never CMA
  'iommu', // __iommu_dma_alloc_pages(): as bulk, in blocks of an order or singly, and cleared
] as const;
export type Mode = (typeof modes)[number];

/** True for pages that need not lie together: several nodes may have given them. */
export function isScattered(mode: Mode): boolean {
  return mode === 'bulk' || mode === 'iommu';
}

/**
 * An id is the actor that asks times this, plus its own sequence number: answers go to the asker.
 */
export const ID_SPAN = 2 ** 30;

/** Actor that asked for a request or a free. */
export function asker(id: number): number {
  return Math.floor(id / ID_SPAN);
}

/** Source of pages that no area gave. */
export const BUDDY = -1;
/** Area that took pages which went to the buddy past their bitmap. */
export const LEAKED = -2;

const policy = bits(7);
const mode = choice(modes);
/** dev_to_node(dev) at the time of the call, or NUMA_NO_NODE. */
const devNode = bits<Nid>(11, -1);
/** Index of dev->cma_area, or of the area of a raw call; -1: none. */
const devArea = bits(13, -1);
/** Node whose CPU runs the call. */
const cpuNode = bits<Nid>(11);
/** How far down the zonelist of the request's node the walk is; it goes down it twice. */
const walk = bits(12);

/** Table of ALLOC and ATTEMPT; what an actor keeps of a request in flight begins with it. */
export const requestFields = {
  id: Number,
  size: Bytes,
  /** Bits of mm/gfp.ts. */
  gfp: Number,
  /** Waits for cma->lock and the allocation mutex so far. */
  lockWait: Ns,
  /** Pages that nodes have given so far, of those that need not lie together. */
  got: Pages,
  /** Row in force, and the step of it in hand. */
  policy,
  step: bits(7),
  mode,
  /** Alignment order that a raw call asks for. */
  align: bits(6),
  /** Order of the blocks that an IOMMU maps by one entry. */
  blockOrder: bits(5),
  cpuNode,
  /** Bits of the coherent mask. */
  maskBits: bits(7),
  walk,
  devNode,
  devArea,
  /** Area steps below this are not asked again: one of them gave pages beyond the mask. */
  reached: bits(8),
} as const;
export const Request = record(requestFields);
export type Request = InstanceType<typeof Request>;

/** FREE (device -> node). */
export const Free = record({
  id: Number,
  size: Bytes,
  gfp: Number,
  pfn: Pfn,
  /** Request that pages which need not lie together were granted to. */
  of: Number,
  policy,
  mode,
  cpuNode,
  devNode,
  devArea,
});
export type Free = InstanceType<typeof Free>;

/** RELEASE (node -> owner of the pages). */
export const PageRelease = record({
  id: Number,
  pfn: Pfn,
  pages: Pages,
  /** Area that takes them, or BUDDY. */
  area: Number,
  /** Buddy order; -1: none. */
  order: Number,
  /** Area whose bits stay set because nobody released them there, or NO_AREA. */
  leakedFrom: Number,
});
export type PageRelease = InstanceType<typeof PageRelease>;

/** RECALL: pages of a request come back, of one that was refused or by a free that names it. */
export const Recall = record({
  id: Number,
  of: Number,
  /** Pages that are still with some node, and all of them. */
  left: Pages,
  pages: Pages,
  cpuNode,
  walk,
  devNode,
});
export type Recall = InstanceType<typeof Recall>;

/** GRANTED (-> device). */
export const Grant = record({
  id: Number,
  pfn: Pfn,
  pages: Pages,
  /** Area, or BUDDY. */
  source: Number,
  /** Node on which the pages lie, and the index of its zone. */
  nid: Nid,
  zone: Number,
  /** Waits for cma->lock and the allocation mutex, in all areas it was in. */
  lockWait: Ns,
  /** Clearing the pages. */
  zero: Ns,
});
export type Grant = InstanceType<typeof Grant>;

/** REFUSED (-> device). `errno`: positive. */
export const Refusal = record({ id: Number, errno: Number, lockWait: Ns });
export type Refusal = InstanceType<typeof Refusal>;

/** FREED (-> device). */
export const FreeDone = record({
  id: Number,
  pfn: Pfn,
  pages: Pages,
  /** Area that took the pages, BUDDY, or LEAKED. */
  source: Number,
  nid: Nid,
  /** Area whose bits stay set, or NO_AREA. */
  leakedFrom: Number,
});
export type FreeDone = InstanceType<typeof FreeDone>;
