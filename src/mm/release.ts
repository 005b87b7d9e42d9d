/**
 * Kernel releases: everything in which two kernels differ outside the order of attempts, as
 * columns.
 *
 * One row per release. What it reserves per node is a row of reservation.ts, what it tries in which
 * order a row of policy.ts; its Kconfig symbols are in kconfig.ts. Read from mm/cma.c,
 * kernel/dma/contiguous.c, kernel/dma/pool.c, mm/hugetlb.c and arch/{arm64,x86} of each release.
 * Left out: 32-bit kernels.
 */

import { ConfigError } from './boot/kconfig.js';
import { type Arch, type BootStep, type Reservation, reservationOf } from './boot/reservation.js';
import type { NodeLoad } from './boot/zonelist.js';
import { type PolicyRow, policies } from './policy.js';
import {
  type Messages,
  messages57,
  messages66,
  messages72,
  messages516,
  messages612,
  messages615,
  type TraceEvents,
  trace57,
  trace66,
  trace516,
  trace612,
} from './wording.js';

/** hugetlb_cma_reserve(): a consumer of slots and memory. */
export interface HugetlbCma {
  readonly name: string;
  /** Alignment of an area and pages per bit: a gigantic page, a huge page, one page. */
  readonly alignment: 'gigantic' | 'huge';
  readonly perBit: 'page' | 'huge';
  /** hugetlb_cma=node:size is understood. */
  readonly byNode: boolean;
  /** An area may consist of several ranges; printed as "in %d ranges". */
  readonly multiRange: boolean;
  /** arm64 page sizes for which the architecture calls it. */
  readonly arm64PageSizes: readonly number[];
}

/** dma_atomic_pool_init(). */
export interface AtomicPools {
  /** One pool of 256 KiB, or one per zone sized by RAM. */
  readonly pools: 'one' | 'per zone';
  readonly fromCma: 'always' | 'never' | 'in zone';
  /** The pool of a zone exists when the zone is configured, or only when it has managed pages. */
  readonly dma: 'configured' | 'managed';
  readonly dma32: 'configured' | 'managed';
}

export interface Release {
  readonly id: string;
  /** One line for `cmasim kernels`. */
  readonly title: string;
  /** Row of policy.ts and of reservation.ts this release has by itself. */
  readonly policy: string;
  readonly reservation: string;
  /** Order of the boot; the nodes' turn is added by the reservation row. */
  readonly boot: Readonly<Record<Arch, readonly BootStep[]>>;
  /**
   * False: an area asked for node n is placed anywhere when n has no room (fixed by 40366bd70bbb).
   */
  readonly exactNid: boolean;
  /**
   * Bottom-up search from 4 GiB first: never, when DRAM ends, or when the limit lies, that far up.
   */
  readonly bottomUpFrom4G: 'never' | 'end of DRAM' | 'limit';
  /** A fixed area across the end of DRAM is refused as crossing into high memory. */
  readonly highmemBoundary: boolean;
  /** cma=SIZE@BASE-LIMIT: the smaller of it and the architecture's limit, or the command line's. */
  readonly cmaLimit: 'smaller' | 'command line';
  /** CMA_MIN_ALIGNMENT: a block of the largest order, or one pageblock. */
  readonly minAlignment: 'largest order' | 'pageblock';
  /**
   * cma_areas[] has CONFIG_CMA_AREAS plus this many entries; default of CMA_AREAS without and with
   * NUMA.
   */
  readonly slotsExtra: 0 | 1;
  readonly slotsDefault: readonly [uma: number, numa: number];
  /** The first area that cannot be activated keeps all later ones from being activated. */
  readonly activationStops: boolean;
  /** Pages of an area that could not be activated go to the buddy; otherwise they are lost. */
  readonly inactivePagesFreed: boolean;
  /**
   * arm64: ZONE_DMA is the first GiB and ZONE_DMA32 the rest below 4 GiB, or ZONE_DMA is all of it.
   */
  readonly arm64ZoneDmaBits: 30 | 32;
  readonly arm64NodesShift: number;
  readonly hugetlb: HugetlbCma;
  readonly atomicPools: AtomicPools;
  /** Who may run alloc_contig_range() at the same time as whom. */
  readonly mutex: 'global' | 'none' | 'area';
  /** cma->lock around the bitmap: a mutex up to 5.12. */
  readonly areaLock: 'mutex' | 'spinlock';
  /** What alloc_contig_range() rounds its range out to before it isolates it. */
  readonly isolates: 'largest order' | 'pageblock';
  /** Error a search that found no window ends with. */
  readonly noWindowErrno: 'ENOMEM' | 'EBUSY';
  /** A request larger than the area's free pages stops before the bitmap is looked at. */
  readonly availableCount: boolean;
  /** cma_release() accepts a range by its first page alone, or by both ends. */
  readonly releaseTest: 'first page' | 'whole range';
  /**
   * Movable requests take CMA pages only when nothing else is left, or above half of the free
   * pages.
   */
  readonly movableUsesCma: 'last' | 'above half';
  /** find_next_best_node(): what a chosen node's load grows by, a row of zonelist.ts. */
  readonly zonelistLoad: NodeLoad;
  /** kB above which min_free_kbytes does not go by itself. */
  readonly minFreeKbytesMax: number;
  readonly messages: Messages;
  readonly trace: TraceEvents;
  /** Counters this release has under /proc/vmstat and /sys/kernel/mm/cma/NAME. */
  readonly counters: readonly string[];
}

const hugetlb57: HugetlbCma = {
  name: 'hugetlb',
  alignment: 'gigantic',
  perBit: 'page',
  byNode: false,
  multiRange: false,
  arm64PageSizes: [4096],
};
const hugetlb510: HugetlbCma = {
  ...hugetlb57,
  name: 'hugetlb%d',
  arm64PageSizes: [4096, 16384, 65536],
};
/** a01f43901cfb put the huge page's order where the alignment belongs. */
const hugetlb516: HugetlbCma = { ...hugetlb510, alignment: 'huge', byNode: true };
const hugetlb612: HugetlbCma = { ...hugetlb516, alignment: 'gigantic', perBit: 'huge' };
const hugetlb615: HugetlbCma = { ...hugetlb612, multiRange: true };

const vmstat = ['cma_alloc_success', 'cma_alloc_fail'];
const sysfs513 = [...vmstat, 'alloc_pages_success', 'alloc_pages_fail'];
const sysfs69 = [...sysfs513, 'release_pages_success'];
const sysfs615 = [...sysfs69, 'total_pages', 'available_pages'];

const x86Boot: readonly BootStep[] = ['numa init', 'default', 'hugetlb', 'sparse init'];

const r57: Release = {
  id: '5.7',
  title: 'May 2020: hugetlb_cma= before the nodes are known, areas placed top-down',
  policy: 'pre',
  reservation: 'none',
  boot: { arm64: ['default', 'hugetlb', 'numa init', 'sparse init'], x86: x86Boot },
  exactNid: false,
  bottomUpFrom4G: 'never',
  highmemBoundary: true,
  cmaLimit: 'smaller',
  minAlignment: 'largest order',
  slotsExtra: 1,
  slotsDefault: [7, 7],
  activationStops: true,
  inactivePagesFreed: false,
  arm64ZoneDmaBits: 30,
  arm64NodesShift: 2,
  hugetlb: hugetlb57,
  atomicPools: { pools: 'one', fromCma: 'always', dma: 'configured', dma32: 'configured' },
  mutex: 'global',
  areaLock: 'mutex',
  isolates: 'largest order',
  noWindowErrno: 'ENOMEM',
  availableCount: false,
  releaseTest: 'first page',
  movableUsesCma: 'last',
  zonelistLoad: 'remaining',
  minFreeKbytesMax: 65536,
  messages: messages57,
  trace: trace57,
  counters: [],
};

const r58rc3: Release = {
  ...r57,
  id: '5.8-rc3',
  title: 'June 2020: what v1 to v3 were sent for; an area may land on another node',
  boot: { arm64: ['default', 'numa init', 'hugetlb', 'sparse init'], x86: x86Boot },
  atomicPools: { ...r57.atomicPools, pools: 'per zone' },
  movableUsesCma: 'above half',
  minFreeKbytesMax: 262144,
};

const r58: Release = {
  ...r58rc3,
  id: '5.8',
  title: 'August 2020: an area lies on its node or nowhere',
  exactNid: true,
  atomicPools: { ...r58rc3.atomicPools, fromCma: 'never' },
};

const r510: Release = {
  ...r58,
  id: '5.10',
  title: 'December 2020: cma_pernuma= on arm64',
  policy: '5.10',
  reservation: '5.10',
  activationStops: false,
  hugetlb: hugetlb510,
  atomicPools: { ...r58.atomicPools, fromCma: 'in zone' },
};

const r516: Release = {
  ...r510,
  id: '5.16',
  title: 'January 2022: no allocation mutex; bottom-up from 4 GiB; the default area last on arm64',
  boot: { arm64: ['numa init', 'hugetlb', 'sparse init', 'default'], x86: x86Boot },
  bottomUpFrom4G: 'end of DRAM',
  slotsDefault: [7, 19],
  inactivePagesFreed: true,
  arm64ZoneDmaBits: 32,
  arm64NodesShift: 4,
  hugetlb: hugetlb516,
  mutex: 'none',
  areaLock: 'spinlock',
  zonelistLoad: 'remaining added',
  messages: messages516,
  trace: trace516,
  counters: sysfs513,
};

const r61: Release = {
  ...r516,
  id: '6.1',
  title: 'December 2022: one mutex again; areas aligned to a pageblock',
  minAlignment: 'pageblock',
  atomicPools: { ...r516.atomicPools, dma: 'managed' },
  mutex: 'global',
  isolates: 'pageblock',
  zonelistLoad: 'one',
};

const r66: Release = {
  ...r61,
  id: '6.6',
  title: 'October 2023: numa_cma=, on every architecture, DMA_NUMA_CMA off unless chosen',
  policy: '6.6',
  reservation: '6.6',
  messages: messages66,
  trace: trace66,
};

const r612: Release = {
  ...r66,
  id: '6.12',
  title: 'November 2024: 20 slots; the kernel recorded in test/kernel',
  slotsExtra: 0,
  slotsDefault: [8, 20],
  hugetlb: hugetlb612,
  messages: messages612,
  trace: trace612,
  counters: sysfs69,
};

const r615: Release = {
  ...r612,
  id: '6.15',
  title: 'May 2025: a mutex per area, areas of several ranges, -EBUSY for a full area',
  hugetlb: hugetlb615,
  mutex: 'area',
  noWindowErrno: 'EBUSY',
  availableCount: true,
  releaseTest: 'whole range',
  messages: messages615,
  counters: sysfs615,
};

const r72: Release = {
  ...r615,
  id: '7.2',
  title: 'one array of areas; the default area first, and nothing per node if it fails',
  policy: '7.2',
  reservation: '7.2',
  boot: { arm64: x86Boot, x86: x86Boot },
  bottomUpFrom4G: 'limit',
  highmemBoundary: false,
  cmaLimit: 'command line',
  atomicPools: { ...r615.atomicPools, dma32: 'managed' },
  messages: messages72,
  trace: { ...trace612, startCount: 'request_count', startBeforeTests: false },
};

/** In the order of their dates. */
export const releases: readonly Release[] = [
  r57,
  r58rc3,
  r58,
  r510,
  r516,
  r61,
  r66,
  r612,
  r615,
  {
    ...r72,
    id: '7.2-rc',
    title: 'as 7.2, but a size per node passes through an int: 2 GiB and more are cut',
    reservation: '7.2-rc',
  },
  r72,
];

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
