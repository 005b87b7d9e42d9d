/**
 * The boot of a kernel as far as CMA goes: who is reserved in which order, what became of it, and
 * the memory that the buddy is given.
 *
 * Models dma_contiguous_reserve(), dma_numa_cma_reserve(), cma_init_reserved_areas() and their
 * callers in arch/{arm64,x86}; differences between kernels are columns of release.ts and
 * reservation.ts. Left out: crashkernel=, what KVM reserves for itself on arm64.
 */

import { ConfigError } from '../configError.js';
import type { AreaLayout, MemoryLayout, NodeLayout } from '../layout.js';
import { type Range, rangesSize } from '../ranges.js';
import { activateAreas, layoutAreas } from './activate.js';
import { type AtomicPool, dmaAtomicPoolInit } from './atomicpool.js';
import { contiguousLimit, freeAreaInit, zoneLimits } from './freearea.js';
import { hugetlbCmaReserve } from './hugetlbcma.js';
import { areaSlots, type Kconfig, type PageGeometry, pageGeometry } from './kconfig.js';
import type { MemRegion } from './memblock.js';
import { reserveRegions } from './regions.js';
import { type BootStep, stepsWithNodes } from './reservation.js';
import { reserveDefault, reserveDriverAreas, reserveNodes } from './reserve.js';
import { sparseInit } from './sparseinit.js';
import type { AreaRequest, Boot, BootInput } from './state.js';

interface NodeUse {
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

const steps: Readonly<Record<BootStep, (boot: Boot) => void>> = {
  'numa init': numaInit,
  default: reserveDefault,
  nodes: reserveNodes,
  hugetlb: hugetlbCmaReserve,
  'sparse init': sparseInit,
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
  const zones = zoneLimits(arch, release, config, [memblock.startOfDram, memblock.endOfDram]);
  const knowsNodes = input.numaInit === null;
  return {
    input,
    release,
    geometry: pageGeometry(release, config, input.pageSize),
    memblock,
    slots: areaSlots(release, config),
    numa: config.NUMA,
    areas: [],
    log: [...(input.log ?? [])],
    requests: [],
    zones,
    limit: input.limit ?? contiguousLimit(arch, release, zones, memblock.endOfDram),
    online: knowsNodes ? nodes.filter((n) => n.online).map((n) => n.nid) : [0],
    defaultArea: -1,
    hasDefaultFailed: false,
  };
}

/** Bytes per node, from the areas and from what was asked. */
function nodeUse(boot: Boot, areas: readonly AreaLayout[], lost: ReadonlySet<number>): NodeUse[] {
  const use = new Map<number, { nid: number; taken: number; rounding: number; lost: number }>();
  for (const { index, nid } of areas) {
    const asked = boot.requests.find((r) => r.index === index)?.asked ?? Infinity;
    const bytes = rangesSize(boot.areas[index].ranges);
    const row = use.get(nid) ?? { nid, taken: 0, rounding: 0, lost: 0 };
    row.taken += bytes;
    row.rounding += Math.max(0, bytes - asked);
    if (lost.has(index)) row.lost += bytes;
    use.set(nid, row);
  }
  return [...use.values()].sort((a, b) => a.nid - b.nid);
}

function finish(boot: Boot): BootReport {
  const { input, memblock, geometry, requests, defaultArea, log } = boot;
  const { reserved } = memblock;
  const none: ReadonlySet<number> = new Set();
  const { inactive, lost, crash } =
    input.fatal === null ? activateAreas(boot) : { inactive: none, lost: none, crash: input.fatal };
  const areas = crash === null ? layoutAreas(boot, inactive) : [];
  const report = { geometry, areas, defaultArea, log, requests, reserved, crash };
  const use = nodeUse(boot, areas, lost);
  if (crash !== null) return { ...report, use, nodes: [], atomicPools: [] };
  // What CMA holds is not reserved for good: its pages go to the buddy when an area is activated.
  for (const { ranges } of boot.areas.filter((_, i) => !lost.has(i))) {
    for (const [start, end] of ranges) memblock.free(start, end - start);
  }
  const active = boot.areas.filter((_, i) => !inactive.has(i)).flatMap(({ ranges }) => ranges);
  const nodes = freeAreaInit({
    memory: memblock.memory,
    reserved: memblock.reserved,
    cma: active.map(([start, end]): Range => [start / input.pageSize, end / input.pageSize]),
    limits: boot.zones,
    geometry,
    nodes: input.nodes.map(({ nid, online, cpus }) => ({ nid, online: online || cpus > 0 })),
  });
  return { ...report, use, nodes, atomicPools: dmaAtomicPoolInit(boot, areas[defaultArea], nodes) };
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
