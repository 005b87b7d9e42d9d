/**
 * What an allocation costs: named parts, each with its default, class and source.
 *
 * Models the steps of alloc_contig_range() (mm/page_alloc.c) and the paths around it. A part is a number
 * a scenario may override under `cost:`; sums are made where the work is done. All results whole ns.
 */

/** exact: checked against a kernel. calibrated: fitted to a published measurement. assumed: ours. */
export type CostClass = 'calibrated' | 'assumed';

export interface CostParameter {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly class: CostClass;
  readonly source: string;
}

const assumed = (name: string, value: number, unit: string, source: string): CostParameter => ({
  name,
  value,
  unit,
  class: 'assumed',
  source,
});
const calibrated = (name: string, value: number, unit: string, source: string): CostParameter => ({
  name,
  value,
  unit,
  class: 'calibrated',
  source,
});

export const costParameters = [
  assumed('request', 150, 'ns', 'dma_alloc_attrs() up to the first attempt'),
  assumed('bitmap_word', 1, 'ns', 'one 64-bit word of the bitmap search'),
  assumed('bitmap_lock', 20, 'ns', 'uncontended spinlock around a search or a clear'),
  assumed('pageblock_isolate', 2_500, 'ns', 'one pageblock isolated or put back'),
  assumed('drain_pcp', 20_000, 'ns', 'drain_all_pages() of one zone, fixed part'),
  assumed('drain_pcp_cpu', 250, 'ns', 'drain_all_pages(), per online CPU'),
  calibrated(
    'drain_lru',
    220_000,
    'ns',
    'median of lru_cache_disable(): 0.3 ms floor, linux-mm 2020',
  ),
  assumed('drain_lru_sigma', 0.8, '1', 'log-normal spread of lru_cache_disable()'),
  calibrated('page_freeze', 50, 'ns', 'one free page taken: 380 MiB in 13-30 ms, linux-mm 2020'),
  calibrated('page_migrate', 2_700, 'ns', 'one movable page: 10 GiB in 7 s, Ge Yang 2025'),
  assumed('page_release', 60, 'ns', 'free_contig_range(), per page'),
  assumed('pointer_test', 2, 'ns', 'one area pointer tested by a free'),
  assumed('buddy_pcp', 100, 'ns', 'order 0 from the per-CPU list'),
  assumed('buddy_zone', 300, 'ns', 'zone lock, split or merge'),
  assumed('zone_skip', 40, 'ns', 'a zone without enough pages'),
  assumed('zero_local', 0.125, 'ns/B', 'clearing memory of the own node, 8 GB/s'),
  assumed('zero_remote', 0.25, 'ns/B', 'clearing memory of another node, half of that'),
] as const;

/** Parameter values by name, after overrides. */
export type Costs = Readonly<Record<string, number>>;

export function costsWith(overrides: Readonly<Record<string, number>>): Costs {
  const costs: Record<string, number> = {};
  for (const { name, value } of costParameters) costs[name] = overrides[name] ?? value;
  return costs;
}

/** Costs lowered for the hot path: one field per part, no lookups by name. */
export class CostModel {
  readonly request: number;
  readonly bitmapWord: number;
  readonly bitmapLock: number;
  readonly pageblockIsolate: number;
  readonly drainPcp: number;
  readonly drainPcpCpu: number;
  readonly drainLru: number;
  readonly drainLruSigma: number;
  readonly pageFreeze: number;
  readonly pageMigrate: number;
  readonly pageRelease: number;
  readonly pointerTest: number;
  readonly buddyPcp: number;
  readonly buddyZone: number;
  readonly zoneSkip: number;
  readonly zeroLocal: number;
  readonly zeroRemote: number;
  readonly pageblockOrder: number;
  readonly pageSize: number;

  constructor(costs: Costs, memory: { pageblockOrder: number; pageSize: number }) {
    const part = (name: string): number => {
      const value = costs[name];
      if (value === undefined) throw new Error(`cost parameter ${name} has a value`);
      return value;
    };
    this.request = part('request');
    this.bitmapWord = part('bitmap_word');
    this.bitmapLock = part('bitmap_lock');
    this.pageblockIsolate = part('pageblock_isolate');
    this.drainPcp = part('drain_pcp');
    this.drainPcpCpu = part('drain_pcp_cpu');
    this.drainLru = part('drain_lru');
    this.drainLruSigma = part('drain_lru_sigma');
    this.pageFreeze = part('page_freeze');
    this.pageMigrate = part('page_migrate');
    this.pageRelease = part('page_release');
    this.pointerTest = part('pointer_test');
    this.buddyPcp = part('buddy_pcp');
    this.buddyZone = part('buddy_zone');
    this.zoneSkip = part('zone_skip');
    this.zeroLocal = part('zero_local');
    this.zeroRemote = part('zero_remote');
    this.pageblockOrder = memory.pageblockOrder;
    this.pageSize = memory.pageSize;
  }

  /** One search of the bitmap from bit 0 to bit `end`, in ns. */
  search(end: number): number {
    return Math.round(this.bitmapLock + Math.ceil(end / 64) * this.bitmapWord);
  }

  /** Pageblocks that [pfn, pfn + count) touches. */
  pageblocks(pfn: number, count: number): number {
    const size = 2 ** this.pageblockOrder;
    return Math.ceil((pfn + count) / size) - Math.floor(pfn / size);
  }

  /**
   * alloc_contig_range() of free pages, in ns: isolate, drain both kinds of per-CPU lists, freeze, put the
   * pageblocks back. `lruDraw`: this call's lru_cache_disable() in ns, drawn by the caller.
   */
  contigRange(pfn: number, count: number, cpus: number, lruDraw: number): number {
    return Math.round(
      2 * this.pageblocks(pfn, count) * this.pageblockIsolate +
        this.drainPcp +
        cpus * this.drainPcpCpu +
        lruDraw +
        count * this.pageFreeze,
    );
  }

  /** The same call that found a page it could not move: nothing was frozen. */
  contigBusy(pfn: number, count: number, cpus: number, lruDraw: number): number {
    return this.contigRange(pfn, count, cpus, lruDraw) - Math.round(count * this.pageFreeze);
  }

  /** alloc_pages() of one zone that had room. */
  buddyAlloc(order: number): number {
    return order === 0 ? this.buddyPcp : this.buddyZone;
  }

  /** memset() of a fresh block, in ns. */
  zero(pages: number, local: boolean): number {
    return Math.round(pages * this.pageSize * (local ? this.zeroLocal : this.zeroRemote));
  }
}
