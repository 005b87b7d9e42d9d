/**
 * The early allocator: memory by node, what is reserved of it, and the search for a free range.
 *
 * Models mm/memblock.c: memblock_find_in_range_node() in both directions, memblock_reserve(),
 * memblock_phys_free(), memblock_set_node(). Addresses are bytes. Left out: flags (mirrored, no-map
 * and hot-pluggable ranges), the growth of the region arrays.
 */

import { joinRanges, type Range, without } from '../ranges.js';
import { type Bytes, type In, NUMA_NO_NODE } from '../units.js';

export interface MemRegion {
  readonly base: number;
  readonly size: number;
  readonly nid: number;
}

export interface Search {
  readonly size: In<Bytes>;
  readonly align: In<Bytes>;
  /** The range lies in [start, end). */
  readonly start: number;
  readonly end: number;
  /** A region's node must be this one; NUMA_NO_NODE: any. */
  readonly nid: number;
}

const roundUp = (value: number, align: number) => Math.ceil(value / align) * align;
const roundDown = (value: number, align: number) => Math.floor(value / align) * align;
const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

const rangeOf = ({ base, size }: MemRegion): Range => [base, base + size];

/** Regions in ascending order, with those of one node that touch made one. */
function joinRegions(regions: readonly MemRegion[]): MemRegion[] {
  const joined: MemRegion[] = [];
  for (const region of [...regions].sort((a, b) => a.base - b.base)) {
    const last = joined.at(-1);
    if (last?.nid === region.nid && last.base + last.size === region.base) {
      joined[joined.length - 1] = { ...last, size: last.size + region.size };
    } else {
      joined.push(region);
    }
  }
  return joined;
}

export class Memblock {
  readonly pageSize: number;
  /** Ascending; neighbours of one node are one region, of two nodes are two. */
  memory: readonly MemRegion[];
  /** Ascending, no two touch. */
  reserved: readonly Range[];
  bottomUp = false;

  constructor(memory: readonly MemRegion[], reserved: readonly Range[], pageSize: number) {
    this.pageSize = pageSize;
    this.memory = joinRegions(memory);
    this.reserved = joinRanges(reserved);
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
  nodeOf(address: In<Bytes>): number {
    const region = this.memory.find((r) => r.base <= address && address < r.base + r.size);
    return region?.nid ?? NUMA_NO_NODE;
  }

  /** memblock_is_region_reserved(): some byte of it is. */
  isReserved(base: In<Bytes>, size: In<Bytes>): boolean {
    return this.reserved.some(([start, end]) => start < base + size && base < end);
  }

  reserve(base: In<Bytes>, size: In<Bytes>): void {
    if (size > 0) this.reserved = joinRanges([...this.reserved, [base, base + size]]);
  }

  /** memblock_phys_free(). */
  free(base: In<Bytes>, size: In<Bytes>): void {
    this.reserved = without(this.reserved, [[base, base + size]]);
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
    this.memory = joinRegions(pieces);
  }

  /**
   * Free ranges of a node, ascending; one never spans two memory regions (for_each_free_mem_range).
   */
  freeRanges(nid: number): Range[] {
    const regions = this.memory.filter((r) => nid === NUMA_NO_NODE || r.nid === nid);
    return without(regions.map(rangeOf), this.reserved);
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
