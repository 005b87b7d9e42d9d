/**
 * What an allocation costs: named parts, each with its default, class and source.
 *
 * Models the steps of alloc_contig_range() (mm/page_alloc.c) and the paths around it. A part is a
 * number a scenario may override under `cost:`; sums are made where the work is done. All results
 * whole ns.
 */

/**
 * exact: checked against a kernel. calibrated: fitted to a published measurement. assumed: ours.
 */
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
  assumed(
    'lock_contended',
    90,
    'ns',
    'spinlock passed on to a waiter, besides the way of its line',
  ),
  assumed('mutex_spin', 20_000, 'ns', 'longest wait for a mutex that is spent spinning'),
  assumed('mutex_wake', 6_000, 'ns', 'a sleeper that is given a mutex wakes, 3-10 us'),
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
  assumed('page_drop', 700, 'ns', 'one clean page-cache page dropped instead of moved'),
  assumed('migrate_retry', 10_000, 'ns', 'one of five tries on a batch with a page that stays'),
  assumed('copy_local', 0.125, 'ns/B', 'share of page_migrate that slows down with the controller'),
  assumed('copy_remote', 0.125, 'ns/B', 'what a copy to another node takes besides page_migrate'),
  assumed('page_release', 60, 'ns', 'free_contig_range(), per page'),
  assumed('pointer_test', 2, 'ns', 'one area pointer tested by a free'),
  assumed('buddy_pcp', 100, 'ns', 'order 0 from the per-CPU list'),
  assumed('buddy_zone', 300, 'ns', 'zone lock, split or merge'),
  assumed('zone_skip', 40, 'ns', 'a zone without enough pages'),
  assumed('zero_local', 0.125, 'ns/B', 'clearing memory of the own node, 8 GB/s'),
  assumed('zero_remote', 0.25, 'ns/B', 'clearing memory of another node, half of that'),
  calibrated('cache_line', 30, 'ns', 'contended line used and given up: 8-64 CPUs, J. Garry 2020'),
  assumed('load_slope', 0.2, '1', 'a of L0 (1 + a u / (1 - u)), fits of MLC curves 0.15-0.3'),
  assumed(
    'load_window',
    10_000,
    'ns',
    'stretch over which the load of a controller or link counts',
  ),
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
  readonly lockContended: number;
  readonly mutexSpin: number;
  readonly mutexWake: number;
  readonly pageblockIsolate: number;
  readonly drainPcp: number;
  readonly drainPcpCpu: number;
  readonly drainLru: number;
  readonly drainLruSigma: number;
  readonly pageFreeze: number;
  readonly pageMigrate: number;
  readonly pageDrop: number;
  readonly migrateRetry: number;
  readonly copyLocal: number;
  readonly copyRemote: number;
  readonly pageRelease: number;
  readonly pointerTest: number;
  readonly buddyPcp: number;
  readonly buddyZone: number;
  readonly zoneSkip: number;
  readonly zeroLocal: number;
  readonly zeroRemote: number;
  readonly cacheLine: number;
  readonly loadSlope: number;
  readonly loadWindow: number;
  readonly pageSize: number;

  constructor(costs: Costs, memory: { pageSize: number }) {
    const part = (name: string): number => {
      const value = costs[name];
      if (value === undefined) throw new Error(`cost parameter ${name} has a value`);
      return value;
    };
    this.request = part('request');
    this.bitmapWord = part('bitmap_word');
    this.bitmapLock = part('bitmap_lock');
    this.lockContended = part('lock_contended');
    this.mutexSpin = part('mutex_spin');
    this.mutexWake = part('mutex_wake');
    this.pageblockIsolate = part('pageblock_isolate');
    this.drainPcp = part('drain_pcp');
    this.drainPcpCpu = part('drain_pcp_cpu');
    this.drainLru = part('drain_lru');
    this.drainLruSigma = part('drain_lru_sigma');
    this.pageFreeze = part('page_freeze');
    this.pageMigrate = part('page_migrate');
    this.pageDrop = part('page_drop');
    this.migrateRetry = part('migrate_retry');
    this.copyLocal = part('copy_local');
    this.copyRemote = part('copy_remote');
    this.pageRelease = part('page_release');
    this.pointerTest = part('pointer_test');
    this.buddyPcp = part('buddy_pcp');
    this.buddyZone = part('buddy_zone');
    this.zoneSkip = part('zone_skip');
    this.zeroLocal = part('zero_local');
    this.zeroRemote = part('zero_remote');
    this.cacheLine = part('cache_line');
    this.loadSlope = part('load_slope');
    this.loadWindow = Math.max(1, part('load_window'));
    this.pageSize = memory.pageSize;
  }

  /** One search of the bitmap from bit 0 to bit `end`, in ns. */
  search(end: number): number {
    return Math.round(this.bitmapLock + Math.ceil(end / 64) * this.bitmapWord);
  }

  /** start_isolate_page_range() of `blocks` pageblocks, or its undoing, in ns. */
  isolate(blocks: number): number {
    return Math.round(blocks * this.pageblockIsolate);
  }

  /** drain_all_pages() of one zone, in ns. */
  drainAllPages(cpus: number): number {
    return Math.round(this.drainPcp + cpus * this.drainPcpCpu);
  }

  /**
   * Moving `copies` pages, of which `remote` to another node, in ns. `stretch`: how much longer
   * than idle the controller makes a copy, from 1.
   */
  migrate(copies: number, remote: number, stretch: number): number {
    // page_migrate was measured with pages of 4 KiB on an idle controller.
    const more = this.copyLocal * (this.pageSize * stretch - 4096);
    const far = this.pageSize * this.copyRemote * stretch;
    return Math.round(copies * (this.pageMigrate + more) + remote * far);
  }

  /** alloc_pages() of one zone that had room. */
  buddyAlloc(order: number): number {
    return order === 0 ? this.buddyPcp : this.buddyZone;
  }

  /** memset() of a fresh block, in ns. `stretch` as for migrate(). */
  zero(pages: number, local: boolean, stretch: number): number {
    const perByte = local ? this.zeroLocal : this.zeroRemote;
    return Math.round(pages * this.pageSize * perByte * stretch);
  }
}
