/**
 * Kernel releases: everything in which two kernels differ outside the order of attempts.
 *
 * Each column lists its values with the release that brought them; a release has the value of the
 * latest one not after it. A release between two others is a line of `dated` and an entry in each
 * column that it changes: no other release depends on it. What a release reserves per node is a row
 * of reservation.ts, what it tries in which order a row of policy.ts; its Kconfig symbols are in
 * kconfig.ts. Read from mm/cma.c, kernel/dma/contiguous.c, kernel/dma/pool.c, mm/hugetlb.c,
 * include/trace/events/cma.h and arch/{arm64,x86} of each release. Left out: 32-bit kernels.
 */

import { type BootStep, type Reservation, reservationOf } from './boot/reservation.js';
import { ConfigError } from './configError.js';
import { type PolicyRow, policies } from './policy.js';

/** Releases in the order of their dates, each with one line for `cmasim kernels`. */
const dated = [
  ['5.7', 'May 2020: hugetlb_cma= before the nodes are known, areas placed top-down'],
  ['5.8-rc3', 'June 2020: what v1 to v3 were sent for; an area may land on another node'],
  ['5.8', 'August 2020: an area lies on its node or nowhere'],
  ['5.10', 'December 2020: cma_pernuma= on arm64'],
  [
    '5.16',
    'January 2022: no allocation mutex; bottom-up from 4 GiB; the default area last on arm64',
  ],
  ['6.1', 'December 2022: one mutex again; areas aligned to a pageblock'],
  ['6.6', 'October 2023: numa_cma=, on every architecture, DMA_NUMA_CMA off unless chosen'],
  ['6.12', 'November 2024: 20 slots; the kernel recorded in test/kernel'],
  ['6.15', 'May 2025: a mutex per area, areas of several ranges, -EBUSY for a full area'],
  ['7.2-rc', 'as 7.2, but a size per node passes through an int: 2 GiB and more are cut'],
  ['7.2', 'one array of areas; the default area first, and nothing per node if it fails'],
] as const;
type ReleaseId = (typeof dated)[number][0];

/** Values of one column by the release that brought them. */
class Column<Value> {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: Partial<Record<ReleaseId, Value>>) {
    this.#values = new Map(Object.entries(values));
  }

  /** The latest value that is not after the release at position `index` of `dated`. */
  at(index: number): Value | undefined {
    const [id] = dated.slice(0, index + 1).findLast(([one]) => this.#values.has(one)) ?? [''];
    return this.#values.get(id);
  }
}

const since = <const Value>(values: Partial<Record<ReleaseId, Value>>) => new Column<Value>(values);

const vmstat = ['cma_alloc_success', 'cma_alloc_fail'];
const sysfsPages = [...vmstat, 'alloc_pages_success', 'alloc_pages_fail'];
const sysfsReleases = [...sysfsPages, 'release_pages_success'];

const columns = {
  /** Row of policy.ts and of reservation.ts this release has by itself. */
  policy: since({ '5.7': 'pre', '5.10': '5.10', '6.6': '6.6', '7.2-rc': '7.2' }),
  reservation: since({
    '5.7': 'none',
    '5.10': '5.10',
    '6.6': '6.6',
    '7.2-rc': '7.2-rc',
    '7.2': '7.2',
  }),
  /** Order of the boot; the nodes' turn is added by the reservation row. */
  boot: {
    arm64: since<readonly BootStep[]>({
      '5.7': ['default', 'hugetlb', 'numa init', 'sparse init'],
      '5.8-rc3': ['default', 'numa init', 'hugetlb', 'sparse init'],
      '5.16': ['numa init', 'hugetlb', 'sparse init', 'default'],
      '7.2-rc': ['numa init', 'default', 'hugetlb', 'sparse init'],
    }),
    x86: since<readonly BootStep[]>({ '5.7': ['numa init', 'default', 'hugetlb', 'sparse init'] }),
  },
  /** False: an area of node n is placed anywhere when n has no room (fixed by 40366bd70bbb). */
  exactNid: since({ '5.7': false, '5.8': true }),
  /** Bottom-up search from 4 GiB first: never, when DRAM ends, or the limit lies, that far up. */
  bottomUpFrom4G: since({ '5.7': 'never', '5.16': 'end of DRAM', '7.2-rc': 'limit' }),
  /** A fixed area across the end of DRAM is refused as crossing into high memory. */
  highmemBoundary: since({ '5.7': true, '7.2-rc': false }),
  /** cma=SIZE@BASE-LIMIT: the smaller of it and the architecture's limit, or the command line's. */
  cmaLimit: since({ '5.7': 'smaller', '7.2-rc': 'command line' }),
  /** CMA_MIN_ALIGNMENT: a block of the largest order, or one pageblock. */
  minAlignment: since({ '5.7': 'largest order', '6.1': 'pageblock' }),
  /** Entries of cma_areas[] beyond CONFIG_CMA_AREAS. */
  slotsExtra: since({ '5.7': 1, '6.12': 0 }),
  /** Default of CMA_AREAS without and with NUMA. */
  slotsDefault: since<readonly [uma: number, numa: number]>({
    '5.7': [7, 7],
    '5.16': [7, 19],
    '6.12': [8, 20],
  }),
  /** The first area that cannot be activated keeps all later ones from being activated. */
  activationStops: since({ '5.7': true, '5.10': false }),
  /** Pages of an area that could not be activated go to the buddy; otherwise they are lost. */
  inactivePagesFreed: since({ '5.7': false, '5.16': true }),
  /** arm64: ZONE_DMA is the first GiB and ZONE_DMA32 the rest below 4 GiB, or all is ZONE_DMA. */
  arm64ZoneDmaBits: since({ '5.7': 30, '5.16': 32 }),
  arm64NodesShift: since({ '5.7': 2, '5.16': 4 }),
  /** hugetlb_cma_reserve(): a consumer of slots and memory. */
  hugetlb: {
    name: since({ '5.7': 'hugetlb', '5.10': 'hugetlb%d' }),
    /** Alignment of an area; a01f43901cfb put the huge page's order where it belongs. */
    alignment: since({ '5.7': 'gigantic', '5.16': 'huge', '6.12': 'gigantic' }),
    /** Pages per bit. */
    perBit: since({ '5.7': 'page', '6.12': 'huge' }),
    /** hugetlb_cma=node:size is understood. */
    byNode: since({ '5.7': false, '5.16': true }),
    /** An area may consist of several ranges; printed as "in %d ranges". */
    multiRange: since({ '5.7': false, '6.15': true }),
    /** arm64 page sizes for which the architecture calls it. */
    arm64PageSizes: since<readonly number[]>({ '5.7': [4096], '5.10': [4096, 16384, 65536] }),
  },
  /** dma_atomic_pool_init(). */
  atomicPools: {
    /** One pool of 256 KiB, or one per zone sized by RAM. */
    pools: since({ '5.7': 'one', '5.8-rc3': 'per zone' }),
    fromCma: since({ '5.7': 'always', '5.8': 'never', '5.10': 'in zone' }),
    /** The pool of a zone exists when the zone is configured, or only when it has managed pages. */
    dma: since({ '5.7': 'configured', '6.1': 'managed' }),
    dma32: since({ '5.7': 'configured', '7.2-rc': 'managed' }),
  },
  /** Who may run alloc_contig_range() at the same time as whom. */
  mutex: since({ '5.7': 'global', '5.16': 'none', '6.1': 'global', '6.15': 'area' }),
  /** cma->lock around the bitmap: a mutex up to 5.12. */
  areaLock: since({ '5.7': 'mutex', '5.16': 'spinlock' }),
  /** What alloc_contig_range() rounds its range out to before it isolates it. */
  isolates: since({ '5.7': 'largest order', '6.1': 'pageblock' }),
  /** Error a search that found no window ends with. */
  noWindowErrno: since({ '5.7': 'ENOMEM', '6.15': 'EBUSY' }),
  /** cma_release() accepts a range by its first page alone, or by both ends. */
  releaseTest: since({ '5.7': 'first page', '6.15': 'whole range' }),
  /** Movable requests take CMA pages when nothing else is left, or above half of the free pages. */
  movableUsesCma: since({ '5.7': 'last', '5.8-rc3': 'above half' }),
  /** find_next_best_node(): what a chosen node's load grows by, a row of zonelist.ts. */
  zonelistLoad: since({ '5.7': 'remaining', '5.16': 'remaining added', '6.1': 'one' }),
  /** kB above which min_free_kbytes does not go by itself. */
  minFreeKbytesMax: since({ '5.7': 65536, '5.8-rc3': 262144 }),
  /** printf texts with `{field}` in place of conversions, the prefix `cma: ` included. */
  messages: {
    /** bf29bfaa5490 brought the node, c009da4258f9 (several ranges) wrapped the function. */
    reserved: since<string>({
      '5.7': 'cma: Reserved {mib} MiB at {base}',
      '6.6': 'cma: Reserved {mib} MiB at {base} on node {node}',
      '6.15': 'cma: Reserved {mib} MiB at {base}',
    }),
    failed: since<string>({
      '5.7': 'cma: Failed to reserve {mib} MiB',
      '6.6': 'cma: Failed to reserve {mib} MiB on node {node}',
      '6.15': 'cma: Failed to reserve {mib} MiB',
    }),
    /** "Failed to reserve" follows every error, or those found after the arguments were aligned. */
    failedAfter: since({ '5.7': 'alignment', '6.15': 'every error' }),
    /** The lines above print the size after rounding up, or as the caller gave it. */
    sizePrinted: since({ '5.7': 'rounded', '6.15': 'given' }),
    allocFailed: since<string>({
      '5.7': 'cma: cma_alloc: alloc failed, req-size: {count} pages, ret: {ret}',
      '5.16': 'cma: cma_alloc: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
      '6.12': 'cma: __cma_alloc: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
      '7.2-rc':
        'cma: __cma_alloc_frozen: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
    }),
  },
  /** Trace events of cma_alloc() and cma_release(); null: the release has no such event. */
  trace: {
    start: since({ '5.7': null, '5.16': 'cma_alloc_start' }),
    /** Field that holds the pages asked for in the start event. */
    startCount: since({ '5.7': 'count', '7.2-rc': 'request_count' }),
    finish: since({ '5.7': 'cma_alloc', '5.16': 'cma_alloc_finish' }),
    finishHasErrno: since({ '5.7': false, '6.6': true }),
    busyRetry: since({ '5.7': null, '5.16': 'cma_alloc_busy_retry' }),
    /** cma_alloc_start comes before the tests for no area, no pages, too many pages. */
    startBeforeTests: since({ '5.7': false, '6.12': true, '7.2-rc': false }),
    dmaEvents: since({ '5.7': false, '6.12': true }),
  },
  /** Counters this release has under /proc/vmstat and /sys/kernel/mm/cma/NAME. */
  counters: since<readonly string[]>({
    '5.7': [],
    '5.16': sysfsPages,
    '6.12': sysfsReleases,
    '6.15': [...sysfsReleases, 'total_pages', 'available_pages'],
  }),
};

type Row<Columns> = {
  readonly [Name in keyof Columns]: Columns[Name] extends Column<infer Value>
    ? Value
    : Row<Columns[Name]>;
};

export interface Release extends Row<typeof columns> {
  readonly id: string;
  readonly title: string;
}

/** The values of all columns for the release at position `index` of `dated`. */
function rowAt<Columns extends object>(group: Columns, index: number): Row<Columns> {
  const values = Object.entries(group).map(([name, column]) => [
    name,
    column instanceof Column ? column.at(index) : rowAt(column, index),
  ]);
  // Entries of a mapped type have lost which value belongs to which name.
  return Object.fromEntries(values) as Row<Columns>;
}

/** In the order of their dates. */
export const releases: readonly Release[] = dated.map(([id, title], index) => ({
  id,
  title,
  ...rowAt(columns, index),
}));

/** Fills `{field}` in one of a release's messages. */
export function fillMessage(
  text: string,
  fields: Readonly<Record<string, string | number>>,
): string {
  return text.replace(/\{(\w+)\}/g, (_, field: string) => String(fields[field] ?? ''));
}

/**
 * A kernel as a scenario or `--kernel` names it: a release, and the rows it allocates and reserves
 * by.
 */
export interface Kernel {
  readonly release: Release;
  readonly policy: PolicyRow;
  readonly reservation: Reservation;
}

const rowOf = <R extends { readonly id: string }>(rows: readonly R[], id: string) =>
  rows.find((row) => row.id === id);

/**
 * The kernel of that name: a release's id, or a policy's, which stands for the release it sits on.
 * A policy named besides brings its own reservation.
 *
 * @throws ConfigError that names the value and the ids there are.
 */
export function kernelOf(name: string, policyName?: string): Kernel {
  const named = rowOf(releases, name);
  const policyOfName = named ? undefined : rowOf(policies, name);
  if (!named && !policyOfName) {
    const known = [...releases, ...policies].map((row) => row.id);
    throw new ConfigError(`kernel ${name}: expected one of ${[...new Set(known)].join(', ')}`);
  }
  const release = named ?? rowOf(releases, policyOfName!.on)!;
  const chosen = policyName ?? policyOfName?.id ?? release.policy;
  const policy = rowOf(policies, chosen);
  if (!policy) {
    const known = policies.map((row) => row.id).join(', ');
    throw new ConfigError(`policy ${chosen}: expected one of ${known}`);
  }
  // The own policy reserves as the release does: 7.2-rc allocates as 7.2 and reserves worse.
  const reservation = policy.id === release.policy ? release.reservation : policy.reservation;
  return { release, policy, reservation: reservationOf(reservation) };
}
