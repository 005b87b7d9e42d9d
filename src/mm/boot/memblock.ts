/**
 * The early allocator: memory by node, what is reserved of it, and the search for a free range.
 *
 * Models mm/memblock.c: memblock_find_in_range_node() in both directions, memblock_reserve(),
 * memblock_phys_free(), memblock_set_node(). Addresses are bytes. Left out: flags (mirrored, no-map
 * and hot-pluggable ranges), the growth of the region arrays.
 */

import { NUMA_NO_NODE } from '../units.js';

export interface MemRegion {
  readonly base: number;
  readonly size: number;
  readonly nid: number;
}

/** A range of bytes, half-open. */
export type Range = readonly [start: number, end: number];

export interface Search {
  readonly size: number;
  readonly align: number;
  /** The range lies in [start, end). */
  readonly start: number;
  readonly end: number;
  /** A region's node must be this one; NUMA_NO_NODE: any. */
  readonly nid: number;
}

const roundUp = (value: number, align: number) => Math.ceil(value / align) * align;
const roundDown = (value: number, align: number) => Math.floor(value / align) * align;
const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** Sorts and joins what touches; regions only when `same` says so. */
function joined<T>(
  list: readonly T[],
  range: (t: T) => Range,
  join: (a: T, b: T) => T | null,
): T[] {
  const result: T[] = [];
  for (const item of [...list].sort((a, b) => range(a)[0] - range(b)[0])) {
    const last = result.at(-1);
    const both = last === undefined ? null : join(last, item);
    if (both === null) result.push(item);
    else result[result.length - 1] = both;
  }
  return result;
}

const joinRanges = (a: Range, b: Range): Range | null =>
  b[0] <= a[1] ? [a[0], Math.max(a[1], b[1])] : null;

const joinRegions = (a: MemRegion, b: MemRegion): MemRegion | null =>
  a.nid === b.nid && a.base + a.size === b.base
    ? { base: a.base, size: a.size + b.size, nid: a.nid }
    : null;

export class Memblock {
  readonly pageSize: number;
  /** Ascending; neighbours of one node are one region, of two nodes are two. */
  memory: readonly MemRegion[];
  /** Ascending, no two touch. */
  reserved: readonly Range[];
  bottomUp = false;

  constructor(memory: readonly MemRegion[], reserved: readonly Range[], pageSize: number) {
    this.pageSize = pageSize;
    this.memory = joined(memory, (r) => [r.base, r.base + r.size], joinRegions);
    this.reserved = joined(reserved, (r) => r, joinRanges);
  }

  /** memblock_start_of_DRAM(). */
  get startOfDram(): number {
    return this.memory[0]?.base ?? 0;
  }

  /** memblock_end_of_DRAM(). */
  get endOfDram(): number {
    const last = this.memory.at(-1);
    return last === undefined ? 0 : last.base + last.size;
  }

  /** memblock_phys_mem_size(). */
  get memSize(): number {
    return this.memory.reduce((sum, r) => sum + r.size, 0);
  }

  /** Node of the page at `address`; NUMA_NO_NODE where there is no memory. */
  nodeOf(address: number): number {
    const region = this.memory.find((r) => r.base <= address && address < r.base + r.size);
    return region?.nid ?? NUMA_NO_NODE;
  }

  /** Whether all of [base, base + size) is memory. */
  isMemory(base: number, size: number): boolean {
    let missing = size;
    for (const r of this.memory) {
      missing -= Math.max(0, Math.min(r.base + r.size, base + size) - Math.max(r.base, base));
    }
    return missing === 0;
  }

  /** memblock_is_region_reserved(): some byte of it is. */
  isReserved(base: number, size: number): boolean {
    return this.reserved.some(([start, end]) => start < base + size && base < end);
  }

  reserve(base: number, size: number): void {
    if (size > 0)
      this.reserved = joined([...this.reserved, [base, base + size]], (r) => r, joinRanges);
  }

  /** memblock_phys_free(). */
  free(base: number, size: number): void {
    const end = base + size;
    this.reserved = this.reserved.flatMap(([s, e]): Range[] => {
      const parts: Range[] = [
        [s, Math.min(e, base)],
        [Math.max(s, end), e],
      ];
      return e <= base || end <= s ? [[s, e]] : parts.filter(([from, to]) => from < to);
    });
  }

  /**
   * memblock_set_node() over all of memory: `nodeAt` gives [nid, end of that node's range) at an
   * address.
   */
  setNodes(ranges: readonly MemRegion[]): void {
    const pieces: MemRegion[] = [];
    for (const r of this.memory) {
      let at = r.base;
      const end = r.base + r.size;
      while (at < end) {
        const inside = ranges.find((n) => n.base <= at && at < n.base + n.size);
        const next = ranges.find((n) => n.base > at)?.base ?? end;
        const stop = Math.min(end, inside ? inside.base + inside.size : next);
        pieces.push({ base: at, size: stop - at, nid: inside?.nid ?? NUMA_NO_NODE });
        at = stop;
      }
    }
    this.memory = joined(pieces, (r) => [r.base, r.base + r.size], joinRegions);
  }

  /**
   * Free ranges of a node, ascending; one never spans two memory regions (for_each_free_mem_range).
   */
  freeRanges(nid: number): Range[] {
    const result: Range[] = [];
    for (const r of this.memory) {
      if (nid !== NUMA_NO_NODE && r.nid !== nid) continue;
      let at = r.base;
      const end = r.base + r.size;
      for (const [from, to] of this.reserved) {
        if (to <= at || from >= end) continue;
        if (from > at) result.push([at, from]);
        at = to;
      }
      if (at < end) result.push([at, end]);
    }
    return result;
  }

  /**
   * memblock_find_in_range_node(); null when there is no such range. The first page is never given.
   */
  find(search: Search): number | null {
    const start = Math.max(search.start, this.pageSize);
    const end = Math.max(start, search.end);
    const ranges = this.freeRanges(search.nid);
    if (!this.bottomUp) ranges.reverse();
    for (const range of ranges) {
      const from = clamp(range[0], start, end);
      const to = clamp(range[1], start, end);
      if (to - from < search.size) continue;
      const candidate = this.bottomUp
        ? roundUp(from, search.align)
        : roundDown(to - search.size, search.align);
      if (candidate >= from && candidate + search.size <= to) return candidate;
    }
    return null;
  }

  /**
   * memblock_alloc_range_nid(): finds and reserves; without `exactNid` another node's memory will
   * do.
   */
  alloc(search: Search, exactNid: boolean): number | null {
    let found = this.find(search);
    if (found === null && search.nid !== NUMA_NO_NODE && !exactNid) {
      found = this.find({ ...search, nid: NUMA_NO_NODE });
    }
    if (found !== null) this.reserve(found, search.size);
    return found;
  }
}
