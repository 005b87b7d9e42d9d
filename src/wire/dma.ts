/**
 * The DMA API between a device and the NUMA nodes: the messages that carry its calls.
 *
 * A message is a type and eight doubles; the constants below name the eight. A device always speaks to the node it is plugged
 * into: that node's CPUs run its driver, and walk the list of attempts on its behalf.
 */

/** Message types between devices and nodes. Types from 64 on belong to the devices themselves. */
export const ALLOC = 1;
export const FREE = 2;
export const ACCESS = 3;
export const GRANTED = 4;
export const REFUSED = 5;
export const FREED = 6;
export const ACCESSED = 7;

/**
 * ALLOC (device -> node, then from actor to actor as the attempts go on) and FREE (with `pfn`).
 * `id` = actor of the asker * ID_SPAN + its own sequence number: answers go to the asker.
 */
export const request = {
  id: 0,
  /** Bytes; for a raw cma_alloc() pages. */
  size: 1,
  /** GFP bits of mm/gfp.ts. */
  gfp: 2,
  /** dev_to_node(dev) at the time of the call: a node or -1. */
  devNode: 3,
  /** Index of dev->cma_area, or -1. */
  devArea: 4,
  /** Packed by packPlan(): policy, step, mode, align order. */
  plan: 5,
  /** Packed by packOrigin(): node whose CPU runs the call, coherent mask, position of the walk. */
  origin: 6,
  /** ALLOC: lock wait so far, in ns. FREE: pfn. */
  extra: 7,
} as const;

/** GRANTED (-> device). `source`: area index, or BUDDY. `nid`: node on which the pages lie. */
export const granted = {
  id: 0,
  pfn: 1,
  pages: 2,
  source: 3,
  nid: 4,
  zone: 5,
  /** Waits for cma->lock and the allocation mutex, in all areas it was in, ns. */
  lockWait: 6,
  /** Clearing the pages, ns. */
  zero: 7,
} as const;
/** REFUSED (-> device). `errno` positive. */
export const refused = { id: 0, errno: 1, lockWait: 6 } as const;
/** FREED (-> device). `source`: area that took the pages, BUDDY, or LEAKED. */
export const freed = { id: 0, pfn: 1, pages: 2, source: 3, nid: 4, leakedFrom: 5 } as const;
/**
 * ACCESS (device -> node that holds the line): `tag` comes back in ACCESSED. `bytes` occupy the
 * node's memory controller. `back`: half trips the answer takes (1 = read or acknowledged write; 2
 * = a posted write whose poller then misses and reads it, see machine/latency.ts). `from`: node
 * that accesses.
 */
export const access = { tag: 0, bytes: 1, back: 2, from: 3, replyTo: 4 } as const;
export const accessed = { tag: 0, queued: 1 } as const;

/**
 * A cache line that several CPUs write (sharedLine.ts). LINE_ACQUIRE (CPU -> the line's home, the
 * node it lies on) asks for one access; LINE_GRANTED brings the words as they were before it; with
 *`keep` the line stays until LINE_RECALL, which LINE_YIELD answers. LINE_SERVED is the home's own.
 */
export const LINE_ACQUIRE = 32;
export const LINE_GRANTED = 33;
export const LINE_RECALL = 34;
export const LINE_YIELD = 35;
export const LINE_SERVED = 36;
/** To a CPU that waits for a line to change: it may look again. */
export const LINE_CHANGED = 38;
export const lineAcquire = { line: 0, op: 1, a: 2, b: 3, from: 4 } as const;
export const lineGranted = { line: 0, words: 1, keep: 6 } as const;
/** LINE_GRANTED and LINE_YIELD. */
export const lineWords = { line: 0, words: 1 } as const;
/** An event from one device to another: a register that is written, or a message. */
export const PEER = 37;
export const peer = { event: 0, numbers: 1 } as const;

export const ID_SPAN = 2 ** 30;
export const BUDDY = -1;
export const LEAKED = -2;

/** How a request was made; the order of attempts depends on it. */
export const MODE_COHERENT = 0; // dma_alloc_coherent(): mask, zone retries, give-back
export const MODE_CONTIGUOUS = 1; // dma_alloc_contiguous(), then alloc_pages_node() as dma-direct
export const MODE_CMA = 2; // cma_alloc()/cma_release() on `devArea` itself
export const MODE_PAGES = 3; // alloc_pages_node() only: one block, never CMA
export const MODE_BULK = 4; // pages that need not lie together, never CMA: `devArea` counts them

/**
 * MODE_BULK: the alignment field of the plan is the order of the blocks tried before single pages.
 * Any order: what alloc_pages_bulk() takes page by page from a free list, in the blocks they come in.
 */
export const BULK_ANY_ORDER = 63;

export function packPlan(policy: number, step: number, mode: number, align: number): number {
  return policy | (step << 8) | (mode << 16) | (align << 20);
}
export const planPolicy = (plan: number): number => plan & 0xff;
export const planStep = (plan: number): number => (plan >> 8) & 0xff;
export const planMode = (plan: number): number => (plan >> 16) & 0xf;
export const planAlign = (plan: number): number => (plan >> 20) & 0x3f;

/**
 * `cpuNode` < 4096; `maskBits` 0..64, 0 for none; `walk`: how far down the list of nodes the walk
 * is.
 */
export function packOrigin(cpuNode: number, maskBits: number, walk = 0): number {
  return cpuNode | (maskBits << 12) | (walk << 19);
}
export const originNode = (origin: number): number => origin & 0xfff;
export const originMask = (origin: number): number => (origin >> 12) & 0x7f;
export const originWalk = (origin: number): number => origin >>> 19;
