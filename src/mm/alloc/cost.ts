/**
 * What an allocation costs: named parts, each with its default, class and source.
 *
 * Models the steps of alloc_contig_range() (mm/page_alloc.c) and the paths around it. A part is a
 * number a scenario may override under `cost:`; sums are made where the work is done. All results
 * are whole ns.
 */

/** calibrated: fitted to a published measurement. assumed: ours. */
export type CostClass = 'calibrated' | 'assumed';

export interface CostParameter {
  readonly value: number;
  readonly unit: string;
  readonly class: CostClass;
  readonly source: string;
}

const ofClass =
  (of: CostClass) =>
  (value: number, unit: string, source: string): CostParameter => ({
    value,
    unit,
    class: of,
    source,
  });
const assumed = ofClass('assumed');
const calibrated = ofClass('calibrated');

const table = {
  request: assumed(150, 'ns', 'dma_alloc_attrs() up to the first attempt'),
  bitmap_word: assumed(1, 'ns', 'one 64-bit word of the bitmap search'),
  bitmap_lock: assumed(20, 'ns', 'uncontended spinlock around a search or a clear'),
  lock_contended: assumed(90, 'ns', 'spinlock passed on to a waiter, besides the way of its line'),
  mutex_spin: assumed(20_000, 'ns', 'longest wait for a mutex that is spent spinning'),
  mutex_wake: assumed(6_000, 'ns', 'a sleeper that is given a mutex wakes, 3-10 us'),
  pageblock_isolate: assumed(2_500, 'ns', 'one pageblock isolated or put back'),
  drain_pcp: assumed(20_000, 'ns', 'drain_all_pages() of one zone, fixed part'),
  drain_pcp_cpu: assumed(250, 'ns', 'drain_all_pages(), per online CPU'),
  drain_lru: calibrated(
    220_000,
    'ns',
    'median of lru_cache_disable(): 0.3 ms floor, linux-mm 2020',
  ),
  drain_lru_sigma: assumed(0.8, '1', 'log-normal spread of lru_cache_disable()'),
  page_freeze: calibrated(50, 'ns', 'one free page taken: 380 MiB in 13-30 ms, linux-mm 2020'),
  page_migrate: calibrated(2_700, 'ns', 'one movable page: 10 GiB in 7 s, Ge Yang 2025'),
  page_drop: assumed(700, 'ns', 'one clean page-cache page dropped instead of moved'),
  migrate_retry: assumed(10_000, 'ns', 'one of five tries on a batch with a page that stays'),
  copy_local: assumed(0.125, 'ns/B', 'share of page_migrate that slows down with the controller'),
  copy_remote: assumed(0.125, 'ns/B', 'what a copy to another node takes besides page_migrate'),
  page_release: assumed(60, 'ns', 'free_contig_range(), per page'),
  pointer_test: assumed(2, 'ns', 'one area pointer tested by a free'),
  buddy_pcp: assumed(100, 'ns', 'order 0 from the per-CPU list'),
  buddy_zone: assumed(300, 'ns', 'zone lock, split or merge'),
  zone_skip: assumed(40, 'ns', 'a zone without enough pages'),
  zero_local: assumed(0.125, 'ns/B', 'clearing memory of the own node, 8 GB/s'),
  zero_remote: assumed(0.25, 'ns/B', 'clearing memory of another node, half of that'),
  cache_line: calibrated(30, 'ns', 'contended line used and given up: 8-64 CPUs, J. Garry 2020'),
  load_slope: assumed(0.2, '1', 'a of L0 (1 + a u / (1 - u)), fits of MLC curves 0.15-0.3'),
  load_window: assumed(10_000, 'ns', 'stretch over which the load of a controller or link counts'),
};

/** All parts by their names in a scenario. */
export const costParameters = Object.entries(table).map(([name, part]) => ({ name, ...part }));

/** `bitmap_word` -> `bitmapWord`. */
type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name;
type Parts = { readonly [Name in keyof typeof table as Camel<Name>]: number };

function partsWith(overrides: Readonly<Record<string, number>>): Parts {
  const values = costParameters.map(({ name, value }) => [
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    overrides[name] ?? value,
  ]);
  // Entries have lost that there is one for each part.
  return Object.fromEntries(values) as Parts;
}

/** Costs as the hot path reads them, one field per part, in memory of `pageSize` bytes a page. */
export function costModel(
  overrides: Readonly<Record<string, number>>,
  { pageSize }: { pageSize: number },
) {
  const parts = partsWith(overrides);
  return {
    ...parts,
    loadWindow: Math.max(1, parts.loadWindow),
    pageSize,

    /** One search of the bitmap from bit 0 to bit `end`, in ns. */
    search(end: number): number {
      return Math.round(parts.bitmapLock + Math.ceil(end / 64) * parts.bitmapWord);
    },

    /** start_isolate_page_range() of `blocks` pageblocks, or its undoing, in ns. */
    isolate(blocks: number): number {
      return Math.round(blocks * parts.pageblockIsolate);
    },

    /** drain_all_pages() of one zone, in ns. */
    drainAllPages(cpus: number): number {
      return Math.round(parts.drainPcp + cpus * parts.drainPcpCpu);
    },

    /**
     * Moving `copies` pages, of which `remote` to another node, in ns. `stretch`: how much longer
     * than idle the controller makes a copy, from 1.
     */
    migrate(copies: number, remote: number, stretch: number): number {
      // page_migrate was measured with pages of 4 KiB on an idle controller.
      const more = parts.copyLocal * (pageSize * stretch - 4096);
      const far = pageSize * parts.copyRemote * stretch;
      return Math.round(copies * (parts.pageMigrate + more) + remote * far);
    },

    /** alloc_pages() of one zone that had room. */
    buddyAlloc(order: number): number {
      return order === 0 ? parts.buddyPcp : parts.buddyZone;
    },

    /** memset() of a fresh block, in ns. `stretch` as for migrate(). */
    zero(pages: number, local: boolean, stretch: number): number {
      const perByte = local ? parts.zeroLocal : parts.zeroRemote;
      return Math.round(pages * pageSize * perByte * stretch);
    },
  };
}
export type CostModel = ReturnType<typeof costModel>;
