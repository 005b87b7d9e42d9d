/**
 * Zones of every node from the memory map, and whether an area lies within one of them.
 *
 * Models free_area_init() (zone limits, spanned, present), the architectures' zone limits, the test
 * of cma_activate_area(). Left out: ZONE_MOVABLE (kernelcore=, movablecore=), ZONE_DEVICE.
 */

import type { NodeLayout, ZoneLayout } from '../layout.js';
import { joinRanges, overlap, type Range, rangesSize, without } from '../ranges.js';
import type { Release } from '../release.js';
import type { Kconfig, PageGeometry } from './kconfig.js';
import type { MemRegion } from './memblock.js';
import type { Arch } from './reservation.js';

const GiB = 2 ** 30;
const MiB = 2 ** 20;

/** Upper ends of the zones below ZONE_NORMAL, in bytes; 0: the zone is not configured or empty. */
export interface ZoneLimits {
  readonly dma: number;
  readonly dma32: number;
}

/** What zones a configuration has. */
type ZoneConfig = Pick<Kconfig, 'ZONE_DMA' | 'ZONE_DMA32'>;

/**
 * max_zone_phys() of v5.10 and earlier: memory that starts above 4 GiB is taken to be reached by an
 * offset.
 */
function maxZonePhysWithOffset(start: number, end: number, bits: number): number {
  const offset = Math.floor(start / 2 ** bits) * 2 ** bits;
  return Math.min(offset + 2 ** bits, end);
}

/** The same from v5.11 on: all memory when none of it lies below 4 GiB. */
function maxZonePhys(start: number, end: number): number {
  return start >= 4 * GiB ? end : Math.min(4 * GiB, end);
}

export function zoneLimits(
  arch: Arch,
  release: Release,
  { ZONE_DMA, ZONE_DMA32 }: ZoneConfig,
  [start, end]: Range,
): ZoneLimits {
  if (arch === 'x86') {
    return { dma: ZONE_DMA ? 16 * MiB : 0, dma32: ZONE_DMA32 ? 4 * GiB : 0 };
  }
  if (release.arm64ZoneDmaBits === 30) {
    return {
      dma: ZONE_DMA ? maxZonePhysWithOffset(start, end, 30) : 0,
      dma32: ZONE_DMA32 ? maxZonePhysWithOffset(start, end, 32) : 0,
    };
  }
  const limit = maxZonePhys(start, end);
  return { dma: ZONE_DMA ? limit : 0, dma32: ZONE_DMA32 ? limit : 0 };
}

/** Limit the architecture gives dma_contiguous_reserve() where DRAM ends at `end`, in bytes. */
export function contiguousLimit(
  arch: Arch,
  release: Release,
  limits: ZoneLimits,
  end: number,
): number {
  if (arch === 'x86') return end; // max_pfn_mapped
  const offset = release.arm64ZoneDmaBits === 30;
  return (offset ? limits.dma32 : limits.dma || limits.dma32) || 2 ** 52;
}

interface ZoneRange {
  readonly name: string;
  /** Pfns. */
  readonly start: number;
  readonly end: number;
}

/** Zones from the lowest up; empty ones left out. */
function zoneRanges(limits: ZoneLimits, pageSize: number): ZoneRange[] {
  const dma = Math.floor(limits.dma / pageSize);
  const dma32 = Math.max(dma, Math.floor(limits.dma32 / pageSize));
  return [
    { name: 'DMA', start: 0, end: dma },
    { name: 'DMA32', start: dma, end: dma32 },
    { name: 'Normal', start: dma32, end: Number.POSITIVE_INFINITY },
  ].filter((zone) => zone.start < zone.end);
}

/** Name of the zone a pfn lies in. */
export function zoneOf(limits: ZoneLimits, pageSize: number, pfn: number): string {
  return zoneRanges(limits, pageSize).find((z) => pfn < z.end)!.name;
}

/** Whole pages of a region, as [first, end) pfns. */
function pagesOf(region: MemRegion, pageSize: number): Range {
  const start = Math.ceil(region.base / pageSize);
  return [start, Math.max(start, Math.floor((region.base + region.size) / pageSize))];
}

export interface FreeAreaInput {
  readonly memory: readonly MemRegion[];
  /** Reserved for good, bytes: what no buddy ever sees. CMA areas are not in it. */
  readonly reserved: readonly Range[];
  /** Pages of active CMA areas. */
  readonly cma: readonly Range[];
  readonly limits: ZoneLimits;
  readonly geometry: PageGeometry;
  /** All possible nodes, ascending. */
  readonly nodes: readonly { readonly nid: number; readonly online: boolean }[];
}

/** free_area_init() and memblock_free_all(): zones, and the pages the buddy is given of each. */
export function freeAreaInit(input: FreeAreaInput): NodeLayout[] {
  const { pageSize } = input.geometry;
  // A page that is reserved in part is reserved.
  const taken = joinRanges(
    input.reserved.map(([s, e]) => [Math.floor(s / pageSize), Math.ceil(e / pageSize)]),
  );
  return input.nodes.map(({ nid, online }) => {
    const present = input.memory.filter((r) => r.nid === nid).map((r) => pagesOf(r, pageSize));
    const zones = zonesOfNode(present, taken, input);
    return { nid, online, hasMemory: zones.some((z) => z.present > 0), zones };
  });
}

function zonesOfNode(
  present: readonly Range[],
  taken: readonly Range[],
  input: FreeAreaInput,
): ZoneLayout[] {
  if (present.length === 0) return [];
  const nodeStart = present[0][0];
  const nodeEnd = present.at(-1)![1];
  const zones: ZoneLayout[] = [];
  for (const zone of zoneRanges(input.limits, input.geometry.pageSize)) {
    const start = Math.max(zone.start, nodeStart);
    const end = Math.min(zone.end, nodeEnd);
    if (start >= end) continue;
    const inZone = overlap(present, [start, end]);
    const ranges = without(inZone, taken);
    const managed = rangesSize(ranges);
    zones.push({
      name: zone.name,
      startPfn: start,
      spanned: end - start,
      present: rangesSize(inZone),
      managed,
      free: managed,
      freeCma: rangesSize(ranges.flatMap((r) => overlap(input.cma, r))),
      ranges,
    });
  }
  return zones;
}

/**
 * Bytes of a memory section (SECTION_SIZE_BITS): what struct pages exist for is a multiple of it.
 */
export function sectionSize(arch: Arch, release: Release, pageSize: number): number {
  if (arch === 'x86') return 2 ** 27;
  if (release.arm64ZoneDmaBits === 30) return 2 ** 30; // 27 bits, 29 with 64K pages, from v5.12 on
  return pageSize === 65536 ? 2 ** 29 : 2 ** 27;
}

export type Activation = 'active' | 'several zones' | 'no struct page';

/**
 * The test of cma_activate_area(): all pages in one zone of one node. A page in a hole is looked at
 * through its struct page, which exists only where the section holds some memory.
 */
export function activation(
  range: Range,
  memory: readonly MemRegion[],
  limits: ZoneLimits,
  { pageSize, section }: { pageSize: number; section: number },
): Activation {
  const [start, end] = range;
  for (let at = Math.floor(start / section) * section; at < end; at += section) {
    const hasMemory = memory.some((r) => r.base < at + section && at < r.base + r.size);
    if (!hasMemory) return 'no struct page';
  }
  const first = zoneOf(limits, pageSize, start / pageSize);
  const last = zoneOf(limits, pageSize, end / pageSize - 1);
  const nodes = new Set(
    memory.filter((r) => r.base < end && start < r.base + r.size).map((r) => r.nid),
  );
  return first === last && nodes.size <= 1 ? 'active' : 'several zones';
}
