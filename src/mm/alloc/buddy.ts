/**
 * The free lists of one zone: blocks of 2^order pages that split and merge.
 *
 * Models expand() and __free_one_page() (mm/page_alloc.c): halves go back to the front of their
 * lists, freed blocks merge with a free buddy of their size, and wait at the back of the list where
 * a merge one order up is likely. A block is found by its pfn in a hash, so memory follows the
 * number of free blocks and not the size of the zone; blocks that nobody has taken yet are not even
 * listed.
 *
 * Left out: migratetypes other than CMA (one pool serves every unmovable request, as stealing makes
 * it), per-CPU lists, HIGHATOMIC reserves.
 */

import { joinRanges, type Range } from '../ranges.js';

export interface Buddy {
  /** Multiple of the largest block; everything below counts from here. */
  readonly basePfn: number;
  /** Largest order, inclusive. */
  readonly maxOrder: number;
  /** Pages in free blocks. */
  free: number;
  /** Free blocks by order. */
  readonly nrFree: Int32Array;
  /** First and last entry of each order's list, or -1. */
  readonly head: Int32Array;
  readonly tail: Int32Array;
  /**
   * [start, end) of what was never taken from the largest order's list, ascending; served after the
   * list.
   */
  readonly fresh: Int32Array;
  /** First pair of `fresh` that is not used up. */
  freshAt: number;
  /**
   * [pfn, order] of the smaller blocks at the ends of the ranges, not listed until `fresh` is used
   * up.
   */
  edges: Int32Array;
  /** Entries: one per listed block. */
  block: Int32Array;
  order: Int8Array;
  next: Int32Array;
  prev: Int32Array;
  /** First unused entry; they are chained through `next`. */
  spare: number;
  /** Open addressing by block: 1 + entry, 0 = nothing. Twice as many slots as entries. */
  slots: Int32Array;
}

/**
 * Whoever frees a block that is free already has lost count: ours is the fault, not the model's.
 */
export class BuddyError extends Error {}

/**
 * Free lists over half-open pfn ranges, ascending and apart or touching: the largest blocks that
 * fit, in ascending order, as memblock_free_all() leaves them.
 */
export function buddyFromRanges(ranges: readonly Range[], maxOrder: number): Buddy {
  const top = 2 ** maxOrder;
  const basePfn = ranges.length === 0 ? 0 : Math.floor(ranges[0][0] / top) * top;
  const joined = joinRanges(ranges.filter(([start, end]) => start < end)).map(
    ([start, end]) => [start - basePfn, end - basePfn] as const,
  );
  const fresh = joined
    .map(([start, end]) => [Math.ceil(start / top) * top, Math.floor(end / top) * top] as const)
    .filter(([start, end]) => start < end);
  const buddy: Buddy = {
    basePfn,
    maxOrder,
    free: 0,
    nrFree: new Int32Array(maxOrder + 1),
    head: new Int32Array(maxOrder + 1).fill(-1),
    tail: new Int32Array(maxOrder + 1).fill(-1),
    fresh: Int32Array.from(fresh.flat()),
    freshAt: 0,
    edges: new Int32Array(0),
    block: new Int32Array(0),
    order: new Int8Array(0),
    next: new Int32Array(0),
    prev: new Int32Array(0),
    spare: -1,
    slots: new Int32Array(0),
  };
  grow(buddy, 16);
  for (const [start, end] of fresh) {
    buddy.nrFree[maxOrder] += (end - start) >>> maxOrder;
    buddy.free += end - start;
  }
  buddy.edges = Int32Array.from(joined.flatMap(([start, end]) => edgesOf(buddy, start, end)));
  return buddy;
}

/**
 * What of [start, end) is not part of a block of the largest order, as [pfn, order]; counts it as
 * free.
 */
function edgesOf(buddy: Buddy, start: number, end: number): number[] {
  const edges: number[] = [];
  for (let pfn = start; pfn < end; ) {
    let order = pfn === 0 ? buddy.maxOrder : 31 - Math.clz32(pfn & -pfn);
    if (order > buddy.maxOrder) order = buddy.maxOrder;
    while (pfn + (1 << order) > end) order -= 1;
    if (order === buddy.maxOrder) {
      pfn = end - (end % (1 << order));
      continue;
    }
    edges.push(pfn, order);
    buddy.nrFree[order] += 1;
    buddy.free += 1 << order;
    pfn += 1 << order;
  }
  return edges;
}

/**
 * Lists the edges. They lie in pageblocks for movable pages, and __rmqueue_fallback() steals the
 * largest blocks first, so that unmovable requests come to them last. No other block can merge with
 * one.
 */
function listEdges(buddy: Buddy): void {
  const { edges } = buddy;
  buddy.edges = new Int32Array(0);
  for (let i = 0; i < edges.length; i += 2) {
    buddy.nrFree[edges[i + 1]] -= 1;
    insert(buddy, edges[i], edges[i + 1], true);
  }
}

/** Makes room for `entries` listed blocks and hashes those there are anew. */
function grow(buddy: Buddy, entries: number): void {
  const from = buddy.block.length;
  const { block, order, next, prev } = buddy;
  buddy.block = new Int32Array(entries);
  buddy.order = new Int8Array(entries).fill(-1);
  buddy.next = new Int32Array(entries);
  buddy.prev = new Int32Array(entries);
  buddy.block.set(block);
  buddy.order.set(order);
  buddy.next.set(next);
  buddy.prev.set(prev);
  for (let entry = from; entry < entries; entry++) buddy.next[entry] = entry + 1;
  buddy.next[entries - 1] = buddy.spare;
  buddy.spare = from;
  buddy.slots = new Int32Array(entries * 2);
  for (let entry = 0; entry < from; entry++) if (order[entry] >= 0) enter(buddy, entry);
}

/**
 * The slot in which a search for `block` begins: high bits, because large blocks differ in nothing
 * else.
 */
function home(buddy: Buddy, block: number): number {
  return Math.imul(block, 0x9e3779b1) >>> Math.clz32(buddy.slots.length - 1);
}

function enter(buddy: Buddy, entry: number): void {
  const { slots } = buddy;
  let slot = home(buddy, buddy.block[entry]);
  while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
  slots[slot] = entry + 1;
}

/** The slot that holds the listed block at `pfn`, or -1. */
function find(buddy: Buddy, pfn: number): number {
  const { slots, block } = buddy;
  for (let slot = home(buddy, pfn); ; slot = (slot + 1) & (slots.length - 1)) {
    const entry = slots[slot] - 1;
    if (entry < 0) return -1;
    if (block[entry] === pfn) return slot;
  }
}

/** Whether a listed block of exactly this order begins at `pfn`: its slot, or -1. */
function findFree(buddy: Buddy, pfn: number, order: number): number {
  const slot = find(buddy, pfn);
  return slot >= 0 && buddy.order[buddy.slots[slot] - 1] === order ? slot : -1;
}

/** Lists a block, at the back or at the front. */
function insert(buddy: Buddy, pfn: number, order: number, toTail: boolean): void {
  if (buddy.spare < 0) grow(buddy, buddy.block.length * 2);
  const entry = buddy.spare;
  const { head, tail, next, prev } = buddy;
  buddy.spare = next[entry];
  buddy.block[entry] = pfn;
  buddy.order[entry] = order;
  const first = head[order];
  const last = tail[order];
  if (first < 0) head[order] = tail[order] = entry;
  else if (toTail) tail[order] = next[last] = entry;
  else head[order] = prev[first] = entry;
  prev[entry] = toTail ? last : -1;
  next[entry] = toTail ? -1 : first;
  buddy.nrFree[order] += 1;
  enter(buddy, entry);
}

/** Takes the block in `slot` off its list and out of the hash. */
function remove(buddy: Buddy, slot: number): void {
  const entry = buddy.slots[slot] - 1;
  const { head, tail, next, prev } = buddy;
  const order = buddy.order[entry];
  const before = prev[entry];
  const after = next[entry];
  if (before < 0) head[order] = after;
  else next[before] = after;
  if (after < 0) tail[order] = before;
  else prev[after] = before;
  buddy.nrFree[order] -= 1;
  buddy.order[entry] = -1;
  next[entry] = buddy.spare;
  buddy.spare = entry;
  vacate(buddy, slot);
}

/** Empties a slot and moves up what would no longer be found behind it. */
function vacate(buddy: Buddy, slot: number): void {
  const { slots, block } = buddy;
  const mask = slots.length - 1;
  let hole = slot;
  for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
    const start = home(buddy, block[slots[at] - 1]);
    // An entry may fill the hole if its search passes it: its home is not between the hole and
    // itself.
    if (((at - start) & mask) < ((at - hole) & mask)) continue;
    slots[hole] = slots[at];
    hole = at;
  }
  slots[hole] = 0;
}

/**
 * Takes the first listed block of the smallest order that will do, a fresh one if none is listed,
 * an edge if none is fresh; returns its first pfn, or -1.
 */
export function buddyAlloc(buddy: Buddy, order: number): number {
  const { head, maxOrder } = buddy;
  let size = order;
  while (size <= maxOrder && head[size] < 0) size += 1;
  if (size > maxOrder && buddy.freshAt === buddy.fresh.length && buddy.edges.length > 0) {
    listEdges(buddy);
    return buddyAlloc(buddy, order);
  }
  if (size > maxOrder) size = maxOrder;
  if (order > maxOrder || buddy.nrFree[size] === 0) return -1;
  const pfn = takeFirst(buddy, size);
  buddy.free -= 1 << order;
  // expand(): the lower half is split on, the upper one goes to the front of its list.
  while (size > order) {
    size -= 1;
    insert(buddy, pfn + (1 << size), size, false);
  }
  return buddy.basePfn + pfn;
}

function takeFirst(buddy: Buddy, order: number): number {
  const entry = buddy.head[order];
  if (entry >= 0) {
    const pfn = buddy.block[entry];
    remove(buddy, find(buddy, pfn));
    return pfn;
  }
  const { fresh, freshAt } = buddy;
  const pfn = fresh[freshAt];
  fresh[freshAt] = pfn + (1 << order);
  if (fresh[freshAt] === fresh[freshAt + 1]) buddy.freshAt += 2;
  buddy.nrFree[order] -= 1;
  return pfn;
}

/**
 * __free_one_page(): gives 2^order pages from `pfn` back. Throws if that very block is free
 * already.
 */
export function buddyFree(buddy: Buddy, pfn: number, order: number): void {
  let block = pfn - buddy.basePfn;
  let size = order;
  if (find(buddy, block) >= 0) throw new BuddyError(`pfn ${pfn} is free, expected it to be held`);
  buddy.free += 1 << order;
  for (; size < buddy.maxOrder; size++) {
    const slot = findFree(buddy, block ^ (1 << size), size);
    if (slot < 0) break;
    remove(buddy, slot);
    block &= ~(1 << size);
  }
  // buddy_merge_likely(): where the pair one order up is free, this block is kept for a merge.
  const toTail =
    size < buddy.maxOrder - 1 &&
    findFree(buddy, (block & ~(1 << size)) ^ (1 << (size + 1)), size + 1) >= 0;
  insert(buddy, block, size, toTail);
}

/** Free blocks as [pfn, order], ascending: what /proc/buddyinfo counts, with places. */
export function buddyBlocks(buddy: Buddy): [pfn: number, order: number][] {
  const { basePfn, maxOrder, fresh } = buddy;
  const blocks: [number, number][] = [];
  for (const [entry, order] of buddy.order.entries()) {
    if (order >= 0) blocks.push([basePfn + buddy.block[entry], order]);
  }
  for (let at = buddy.freshAt; at < fresh.length; at += 2) {
    for (let pfn = fresh[at]; pfn < fresh[at + 1]; pfn += 2 ** maxOrder) {
      blocks.push([basePfn + pfn, maxOrder]);
    }
  }
  for (let i = 0; i < buddy.edges.length; i += 2) {
    blocks.push([basePfn + buddy.edges[i], buddy.edges[i + 1]]);
  }
  return blocks.sort(([a], [b]) => a - b);
}
