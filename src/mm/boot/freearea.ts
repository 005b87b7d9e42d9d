/**
 * Zones of every node from the memory map, and whether an area lies within one of them.
 *
 * Models free_area_init() (zone limits, spanned, present), the architectures' zone limits, the test
 * of cma_activate_area(). Left out: ZONE_MOVABLE (kernelcore=, movablecore=), ZONE_DEVICE.
 */

import type { NodeLayout, ZoneLayout } from '../layout.js';
import type { Release } from '../release.js';
import type { PageGeometry } from './kconfig.js';
import type { MemRegion, Range } from './memblock.js';
import type { Arch } from './reservation.js';

const GiB = 2 ** 30;
const MiB = 2 ** 20;

/** Upper ends of the zones below ZONE_NORMAL, in bytes; 0: the zone is not configured or empty. */
export interface ZoneLimits {
  readonly dma: number;
  readonly dma32: number;
}

export interface ZoneConfig {
  readonly zoneDma: boolean;
  readonly zoneDma32: boolean;
}

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
  { zoneDma, zoneDma32 }: ZoneConfig,
  [start, end]: Range,
): ZoneLimits {
  if (arch === 'x86') {
    return { dma: zoneDma ? 16 * MiB : 0, dma32: zoneDma32 ? 4 * GiB : 0 };
  }
  if (release.arm64ZoneDmaBits === 30) {
    return {
      dma: zoneDma ? maxZonePhysWithOffset(start, end, 30) : 0,
      dma32: zoneDma32 ? maxZonePhysWithOffset(start, end, 32) : 0,
    };
  }
  const limit = maxZonePhys(start, end);
  return { dma: zoneDma ? limit : 0, dma32: zoneDma32 ? limit : 0 };
}

/** Limit the architecture gives dma_contiguous_reserve(), in bytes. */
export function contiguousLimit(
  arch: Arch,
  release: Release,
  config: ZoneConfig,
  [start, end]: Range,
): number {
  if (arch === 'x86') return end; // max_pfn_mapped
  const limits = zoneLimits(arch, release, config, [start, end]);
  if (release.arm64ZoneDmaBits === 30) return limits.dma32 || 2 ** 52;
  return limits.dma || limits.dma32 || 2 ** 52;
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

function overlap(ranges: readonly Range[], [start, end]: Range): Range[] {
  return ranges
    .map(([from, to]): Range => [Math.max(from, start), Math.min(to, end)])
    .filter(([from, to]) => from < to);
}

const pages = (ranges: readonly Range[]) => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** What is left of `ranges` (ascending) when the pages that `taken` touches are gone. */
function without(ranges: readonly Range[], taken: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const [start, end] of ranges) {
    let at = start;
    for (const [from, to] of taken) {
      if (to <= at || from >= end) continue;
      if (from > at) result.push([at, from]);
      at = Math.max(at, to);
    }
    if (at < end) result.push([at, end]);
  }
  return result;
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
  const taken = input.reserved.map(
    ([s, e]): Range => [Math.floor(s / pageSize), Math.ceil(e / pageSize)],
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
    const managed = pages(ranges);
    zones.push({
      name: zone.name,
      startPfn: start,
      spanned: end - start,
      present: pages(inZone),
      managed,
      free: managed,
      freeCma: pages(ranges.flatMap((r) => overlap(input.cma, r))),
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
