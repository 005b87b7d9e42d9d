/**
 * The boot of a kernel as far as CMA goes: who is reserved in which order, what became of it, and
 * the memory that the buddy is given.
 *
 * Models dma_contiguous_reserve(), dma_numa_cma_reserve(), cma_init_reserved_areas() and their
 * callers in arch/{arm64,x86}; differences between kernels are columns of release.ts and
 * reservation.ts. Left out: crashkernel=, what KVM reserves for itself on arm64.
 */

import type { AreaLayout, MemoryLayout, NodeLayout } from '../layout.js';
import type { Kernel } from '../release.js';
import { activateAreas, layoutAreas } from './activate.js';
import { type AreaRequest, hugetlbRequest } from './areaRequest.js';
import { type AtomicPool, dmaAtomicPoolInit } from './atomicpool.js';
import type { CmaBoot } from './declare.js';
import { contiguousLimit, freeAreaInit, type ZoneLimits, zoneLimits } from './freearea.js';
import { hugetlbCmaReserve } from './hugetlbcma.js';
import {
  areaSlots,
  ConfigError,
  type Kconfig,
  type PageGeometry,
  pageGeometry,
} from './kconfig.js';
import type { Memblock, MemRegion, Range } from './memblock.js';
import type { BootParameters } from './parameters.js';
import { type Region, reserveRegions } from './regions.js';
import { type Arch, type BootStep, stepsWithNodes } from './reservation.js';
import { reserveDefault, reserveDriverAreas, reserveNodes } from './reserve.js';
import { sparseInit } from './sparseinit.js';

/** What numa_init() learns and takes. */
export interface NumaInit {
  /** Which addresses belong to which node (SRAT, device tree). */
  readonly ranges: readonly MemRegion[];
  /** Bytes of struct pglist_data, taken at the top of each node; 0: none. */
  readonly nodeData: number;
}

export interface BootInput {
  readonly kernel: Pick<Kernel, 'release' | 'reservation'>;
  readonly arch: Arch;
  /** Bytes. */
  readonly pageSize: number;
  readonly config: Kconfig;
  readonly parameters: BootParameters;
  /** As it is before the first step; it is changed. */
  readonly memblock: Memblock;
  /**
   * All possible nodes, ascending, with their state when the nodes' turn comes; CPUs come online
   * later.
   */
  readonly nodes: readonly {
    readonly nid: number;
    readonly online: boolean;
    readonly cpus: number;
  }[];
  /** Null: the memblock knows its nodes already, and so do the steps before the first area. */
  readonly numaInit: NumaInit | null;
  /** Whether struct pages are taken; false for a memblock recorded in the middle of the boot. */
  readonly takesStructPages: boolean;
  /** Areas of the device tree, in its order; none unless given. */
  readonly regions?: readonly Region[];
  /** Limit of the default area in bytes, where it is known better than from the memory map. */
  readonly limit?: number;
  /**
   * Bytes per node that the recording driver reserves after the kernel's own areas; 0: it does not.
   */
  readonly driverPernuma?: number;
  /** Lines the kernel has printed so far. */
  readonly log?: readonly string[];
  /** What ended the boot before the first area, in words; null: nothing. */
  readonly fatal: string | null;
}

export interface NodeUse {
  readonly nid: number;
  /** Bytes that all areas on the node take. */
  readonly taken: number;
  /** Bytes nobody asked for: areas are multiples of CMA_MIN_ALIGNMENT. */
  readonly rounding: number;
  /** Bytes of areas that could not be activated and did not go to the buddy. */
  readonly lost: number;
}

export interface BootReport {
  readonly geometry: PageGeometry;
  readonly areas: readonly AreaLayout[];
  /** Index of dma_contiguous_default_area, or -1. */
  readonly defaultArea: number;
  readonly nodes: readonly NodeLayout[];
  /** What the kernel prints about CMA, in its words and order. */
  readonly log: readonly string[];
  /** Every area asked for, and every one that was not asked for although a parameter names it. */
  readonly requests: readonly AreaRequest[];
  readonly use: readonly NodeUse[];
  readonly atomicPools: readonly AtomicPool[];
  /** memblock.reserved after the last area. */
  readonly reserved: readonly Range[];
  /** Null: it boots. Otherwise what stops it, in words; areas and nodes are then empty. */
  readonly crash: string | null;
}

/** A boot under way. */
export interface Boot {
  readonly input: BootInput;
  readonly cma: CmaBoot;
  readonly requests: AreaRequest[];
  /** Limit the architecture gives the default area, in bytes. */
  readonly limit: number;
  /** Nodes online at this moment, ascending: node 0 alone before numa_init(). */
  online: readonly number[];
  /** Index in cma_areas[], or -1. */
  defaultArea: number;
  /** The default area was asked for and refused. */
  hasDefaultFailed: boolean;
}

function numaInit(boot: Boot): void {
  const { numaInit: numa, memblock, parameters, config, nodes } = boot.input;
  if (numa === null) return;
  const isOne = parameters.numaOff || !config.NUMA;
  const everything: MemRegion = { base: 0, size: memblock.endOfDram, nid: 0 };
  memblock.setNodes(isOne ? [everything] : numa.ranges);
  boot.online = isOne ? [0] : nodes.filter((n) => n.online).map((n) => n.nid);
  for (const nid of numa.nodeData > 0 ? boot.online : []) {
    const search = { size: numa.nodeData, align: 64, start: 0, end: memblock.endOfDram, nid };
    memblock.alloc(search, false);
  }
}

function hugetlb(boot: Boot): void {
  const { arch, pageSize, config, parameters } = boot.input;
  const { arm64PageSizes } = boot.cma.release.hugetlb;
  const isCalled = arch === 'x86' || arm64PageSizes.includes(pageSize);
  if (!isCalled || !config.HUGETLB_PAGE) return;
  for (const turn of hugetlbCmaReserve(boot.cma, parameters, boot.online)) {
    boot.requests.push(hugetlbRequest(boot, turn));
  }
}

const steps: Readonly<Record<BootStep, (boot: Boot) => void>> = {
  'numa init': numaInit,
  default: reserveDefault,
  nodes: reserveNodes,
  hugetlb,
  'sparse init': ({ input, cma }) => {
    if (input.takesStructPages) {
      sparseInit(input.memblock, {
        arch: input.arch,
        release: cma.release,
        geometry: cma.geometry,
      });
    }
  },
};

function begin(input: BootInput): Boot {
  const { kernel, config, memblock, nodes, arch } = input;
  const { release } = kernel;
  const maxNumnodes = 2 ** config.NODES_SHIFT;
  const tooHigh = nodes.find((node) => node.nid >= maxNumnodes);
  if (tooHigh) {
    const shift = `CONFIG_NODES_SHIFT=${config.NODES_SHIFT}`;
    throw new ConfigError(`node ${tooHigh.nid}: expected a node below ${maxNumnodes} (${shift})`);
  }
  const zones = { zoneDma: config.ZONE_DMA, zoneDma32: config.ZONE_DMA32 };
  const dram: Range = [memblock.startOfDram, memblock.endOfDram];
  const knowsNodes = input.numaInit === null;
  return {
    input,
    cma: {
      release,
      geometry: pageGeometry(release, config, input.pageSize),
      memblock,
      slots: areaSlots(release, config),
      numa: config.NUMA,
      areas: [],
      log: [...(input.log ?? [])],
    },
    requests: [],
    limit: input.limit ?? contiguousLimit(arch, release, zones, dram),
    online: knowsNodes ? nodes.filter((n) => n.online).map((n) => n.nid) : [0],
    defaultArea: -1,
    hasDefaultFailed: false,
  };
}

function atomicPools(
  boot: Boot,
  limits: ZoneLimits,
  { areas, nodes }: { areas: readonly AreaLayout[]; nodes: readonly NodeLayout[] },
): AtomicPool[] {
  const { config, parameters } = boot.input;
  const { geometry, release } = boot.cma;
  const area = areas[boot.defaultArea];
  const zones = nodes.flatMap((node) => node.zones);
  const has = (name: string) => zones.some((zone) => zone.name === name && zone.managed > 0);
  return dmaAtomicPoolInit({
    release,
    config,
    geometry,
    parameters,
    totalPages: zones.reduce((sum, zone) => sum + zone.managed, 0),
    defaultEnd: area && area.count > 0 ? (area.basePfn + area.count) * geometry.pageSize : 0,
    dmaEnd: limits.dma,
    dma32End: 2 ** 32,
    managed: { dma: has('DMA'), dma32: has('DMA32') },
  });
}

/** Bytes per node, from the areas and from what was asked. */
function nodeUse(boot: Boot, areas: readonly AreaLayout[], lost: ReadonlySet<number>): NodeUse[] {
  const use = new Map<number, { nid: number; taken: number; rounding: number; lost: number }>();
  for (const area of areas) {
    const request = boot.requests.find((r) => r.index === area.index);
    const bytes = boot.cma.areas[area.index].ranges.reduce((sum, [s, e]) => sum + e - s, 0);
    const row = use.get(area.nid) ?? { nid: area.nid, taken: 0, rounding: 0, lost: 0 };
    row.taken += bytes;
    row.rounding += request ? Math.max(0, bytes - request.asked) : 0;
    if (lost.has(area.index)) row.lost += bytes;
    use.set(area.nid, row);
  }
  return [...use.values()].sort((a, b) => a.nid - b.nid);
}

function finish(boot: Boot): BootReport {
  const { input, cma } = boot;
  const { config, arch, memblock, nodes } = input;
  const zones = { zoneDma: config.ZONE_DMA, zoneDma32: config.ZONE_DMA32 };
  const dram: Range = [memblock.startOfDram, memblock.endOfDram];
  const limits = zoneLimits(arch, cma.release, zones, dram);
  const reserved = memblock.reserved;
  const activated =
    input.fatal === null
      ? activateAreas(boot, limits)
      : { inactive: new Set<number>(), lost: new Set<number>(), crash: input.fatal };
  const dead = activated.crash !== null;
  const areas = dead ? [] : layoutAreas(boot, limits, activated.inactive);
  // What CMA holds is not reserved for good: its pages go to the buddy when an area is activated.
  for (const { ranges } of cma.areas.filter((_, i) => !activated.lost.has(i))) {
    for (const [start, end] of ranges) memblock.free(start, end - start);
  }
  const pfns = ([start, end]: Range): Range => [start / input.pageSize, end / input.pageSize];
  const active = cma.areas.filter((_, i) => !activated.inactive.has(i));
  const nodeLayouts = dead
    ? []
    : freeAreaInit({
        memory: memblock.memory,
        reserved: memblock.reserved,
        cma: active.flatMap((area) => area.ranges.map(pfns)),
        limits,
        geometry: cma.geometry,
        nodes: nodes.map(({ nid, online, cpus }) => ({ nid, online: online || cpus > 0 })),
      });
  return {
    geometry: cma.geometry,
    areas,
    defaultArea: boot.defaultArea,
    nodes: nodeLayouts,
    log: cma.log,
    requests: boot.requests,
    use: nodeUse(boot, areas, activated.lost),
    atomicPools: dead ? [] : atomicPools(boot, limits, { areas, nodes: nodeLayouts }),
    reserved,
    crash: activated.crash,
  };
}

/**
 * Boots: reserves, activates, hands memory to the buddy. `input.memblock` is used up.
 *
 * @throws ConfigError when a node's id does not fit into the configured number of nodes.
 */
export function boot(input: BootInput): BootReport {
  const run = begin(input);
  const { release, reservation } = input.kernel;
  const order = stepsWithNodes(release.boot[input.arch], reservation, input.arch);
  if (input.fatal === null) {
    reserveRegions(run);
    for (const step of order) steps[step](run);
    reserveDriverAreas(run);
  }
  return finish(run);
}

/** What an actor is built from, once the caller has the fallback orders and the CPUs. */
export function memoryLayout(
  report: BootReport,
  config: Kconfig,
  rest: Pick<MemoryLayout, 'fallback' | 'cpuNode'>,
): MemoryLayout {
  const { pageShift, maxPageOrder, pageblockOrder } = report.geometry;
  const { areas, defaultArea, nodes } = report;
  const geometry = { pageShift, maxPageOrder, pageblockOrder };
  return { ...geometry, cmaAlignment: config.CMA_ALIGNMENT, areas, defaultArea, nodes, ...rest };
}
