/**
 * The zones of a node: what is free in each, and whether a request may have it.
 *
 * Models __zone_watermark_ok(), get_page_from_freelist() and the watermark set-up (mm/page_alloc.c,
 * mm/khugepaged.c) for unmovable requests. Pages of CMA areas are counted here and placed by their
 * area's bitmap; they never serve an unmovable request and do not merge with other blocks, as the
 * kernel's MIGRATE_CMA pageblocks do not.
 *
 * Left out: reclaim and compaction (a request that finds every zone under its minimum fails),
 * watermark boosts, highmem.
 */

import { GFP_DIRECT_RECLAIM, GFP_DMA, GFP_DMA32, GFP_HIGH, GFP_MOVABLE } from '../gfp.js';
import type { MemoryLayout, NodeLayout, ZoneLayout } from '../layout.js';
import { joinRanges, rangesSize, without } from '../ranges.js';
import type { In, Pages, Pfn } from '../units.js';
import { type Buddy, buddyAlloc, buddyFree, buddyFromRanges } from './buddy.js';

/** Zones from the lowest up; a zone's index is its place here. */
export const zoneNames = ['DMA', 'DMA32', 'Normal', 'Movable'] as const;
const ZONE_DMA = 0;
const ZONE_DMA32 = 1;
const ZONE_NORMAL = 2;
const ZONE_MOVABLE = 3;

/**
 * sysctl lowmem_reserve_ratio: how little of the zones above a zone keeps back for its own
 * requests.
 */
const lowmemReserveRatio = [256, 256, 32, 0] as const;

export interface Zone {
  readonly nid: number;
  readonly name: string;
  readonly index: number;
  /** Half-open. */
  readonly startPfn: number;
  readonly endPfn: number;
  /** Pages handed to the buddy at boot. */
  readonly managed: number;
  /** What unmovable requests are served from. */
  readonly buddy: Buddy;
  /** NR_FREE_CMA_PAGES: pages of CMA areas that are in the buddy. */
  freeCma: number;
  /** CMA pages that movable users hold: alloc_contig_range() has to migrate them. */
  borrowedCma: number;
  readonly watermark: Watermarks;
  /** Pages kept from requests whose highest zone has this index. */
  readonly lowmemReserve: readonly number[];
}

/** Pages. */
export interface Watermarks {
  readonly min: number;
  readonly low: number;
  readonly high: number;
}

export interface WatermarkOptions {
  /** Cap of the default min_free_kbytes, in KiB: 65536 before v5.10, then 262144. */
  readonly minFreeKbytesMax: number;
  /** Whether khugepaged runs: it raises min_free_kbytes so that whole pageblocks stay free. */
  readonly transparentHugepage: boolean;
  /** sysctl watermark_scale_factor, in 1/10000 of a zone. */
  readonly watermarkScaleFactor: number;
}

/** gfp_zone(): index of the highest zone a request may be served from. */
export function gfpZone(gfp: number): number {
  if ((gfp & GFP_DMA) !== 0) return ZONE_DMA;
  if ((gfp & GFP_DMA32) !== 0) return ZONE_DMA32;
  return (gfp & GFP_MOVABLE) !== 0 ? ZONE_MOVABLE : ZONE_NORMAL;
}

export function zoneIndex(name: string): number {
  return zoneNames.indexOf(name as (typeof zoneNames)[number]);
}

/**
 * What the watermarks of all zones are shares of: pages kept free, of so many pages of low memory.
 */
export interface MinFree {
  readonly pages: number;
  readonly lowmemPages: number;
}

function isLowmem(zone: ZoneLayout): boolean {
  return zoneIndex(zone.name) <= ZONE_NORMAL;
}

/**
 * min_free_kbytes as the kernel sets it by itself: 4 * sqrt(lowmem), more where khugepaged runs.
 */
export function minFree(layout: MemoryLayout, options: WatermarkOptions): MinFree {
  const pageKbytes = 2 ** (layout.pageShift - 10);
  const lowmem = layout.nodes.flatMap((node) => node.zones).filter(isLowmem);
  const lowmemPages = lowmem.reduce((sum, zone) => sum + zone.managed, 0);
  const root = Math.floor(Math.sqrt(lowmemPages * pageKbytes * 16));
  const pages = Math.floor(Math.min(Math.max(root, 128), options.minFreeKbytesMax) / pageKbytes);
  const plain = { pages, lowmemPages };
  if (!options.transparentHugepage) return plain;
  // Two pageblocks per zone for compaction, and MIGRATE_PCPTYPES squared for fallbacks; at most 5
  // %.
  const populated = lowmem.filter((zone) => zone.present > 0).length;
  const beyondHigh = lowmem.reduce((sum, zone) => {
    const { high } = zoneWatermarks(zone, plain, options);
    return sum + Math.max(0, zone.managed - high);
  }, 0);
  const recommended = 2 ** layout.pageblockOrder * populated * (2 + 3 * 3);
  const raised = Math.min(recommended, Math.floor(beyondHigh / 20));
  return { pages: Math.max(pages, raised), lowmemPages };
}

/** __setup_per_zone_wmarks() for one zone. */
export function zoneWatermarks(
  zone: ZoneLayout,
  { pages, lowmemPages }: MinFree,
  options: WatermarkOptions,
): Watermarks {
  const share = lowmemPages === 0 ? 0 : Math.floor((pages * zone.managed) / lowmemPages);
  // Nothing a kernel cannot do without is ever in ZONE_MOVABLE: a token amount is enough there.
  const token = Math.min(Math.max(Math.floor(zone.managed / 1024), 32), 128);
  const min = isLowmem(zone) ? share : token;
  const scaled = Math.floor((zone.managed * options.watermarkScaleFactor) / 10_000);
  const gap = Math.max(Math.floor(share / 4), scaled);
  return { min, low: min + gap, high: min + gap + gap };
}

/** setup_per_zone_lowmem_reserve() for one zone of a node. */
export function lowmemReserve(node: NodeLayout, zone: ZoneLayout): number[] {
  const index = zoneIndex(zone.name);
  const ratio = lowmemReserveRatio[index];
  let above = 0;
  return zoneNames.map((name, highest) => {
    if (highest <= index || ratio === 0 || zone.managed === 0) return 0;
    above += node.zones.find((upper) => upper.name === name)?.managed ?? 0;
    return Math.floor(above / ratio);
  });
}

/**
 * The zones of one node that have pages, highest first: the order in which a zonelist names them.
 */
export function zonesFromLayout(
  layout: MemoryLayout,
  nid: number,
  kept: MinFree,
  options: WatermarkOptions,
): Zone[] {
  const node = layout.nodes.find((candidate) => candidate.nid === nid);
  if (node === undefined) throw new RangeError(`node ${nid}: expected a node of the layout`);
  return node.zones
    .filter((zone) => zone.present > 0)
    .map((zone) => zoneFromLayout(layout, node, zone, zoneWatermarks(zone, kept, options)))
    .sort((a, b) => b.index - a.index);
}

/**
 * A zone with its idle areas. What the boot holds of it is taken page by page from the zone's first
 * large blocks: which pages the kernel really holds is not known, how many is.
 */
function zoneFromLayout(
  layout: MemoryLayout,
  node: NodeLayout,
  zone: ZoneLayout,
  watermark: Watermarks,
): Zone {
  const { nid } = node;
  const areas = layout.areas.filter((area) => area.nid === nid && area.zone === zone.name);
  const held = joinRanges(areas.map(({ basePfn, count }) => [basePfn, basePfn + count]));
  const cmaPages = rangesSize(held);
  const buddy = buddyFromRanges(without(zone.ranges, held), layout.maxPageOrder);
  const free = zone.free - zone.freeCma;
  if (free > buddy.free || zone.freeCma > cmaPages) {
    const expected = `at most ${buddy.free} and ${cmaPages} of CMA`;
    const found = `${free} free pages and ${zone.freeCma} of CMA`;
    throw new RangeError(`node ${nid}, zone ${zone.name}: ${found}, expected ${expected}`);
  }
  while (buddy.free > free) buddyAlloc(buddy, 0);
  return {
    nid,
    name: zone.name,
    index: zoneIndex(zone.name),
    startPfn: zone.startPfn,
    endPfn: zone.startPfn + zone.spanned,
    managed: zone.managed,
    buddy,
    freeCma: zone.freeCma,
    borrowedCma: cmaPages - zone.freeCma,
    watermark,
    lowmemReserve: lowmemReserve(node, zone),
  };
}

/** NR_FREE_PAGES: CMA pages included. */
export function zoneFreePages(zone: Zone): number {
  return zone.buddy.free + zone.freeCma;
}

/**
 * __zone_watermark_ok() for an unmovable request: more than `mark` and the reserve must stay once
 * the request is served, CMA pages not counted, and a block of its order must be free. `highest`:
 * zone index.
 */
export function zoneWatermarkOk(zone: Zone, order: number, mark: number, highest: number): boolean {
  const usable = zone.buddy.free - (2 ** order - 1);
  if (usable <= mark + zone.lowmemReserve[highest]) return false;
  const { nrFree } = zone.buddy;
  for (let size = order; size < nrFree.length; size++) if (nrFree[size] > 0) return true;
  return false;
}

/**
 * How far down a request may draw a zone on its second round: atomic ones reach into the reserve.
 */
export function reservedMark(zone: Zone, gfp: number): number {
  let { min } = zone.watermark;
  if ((gfp & GFP_HIGH) === 0) return min;
  min -= Math.floor(min / 2);
  return (gfp & GFP_DIRECT_RECLAIM) === 0 ? min - Math.floor(min / 4) : min;
}

/**
 * get_page_from_freelist() over a stretch of a zonelist (a node's zones, or several nodes'): the
 * first zone that may serve the request, or undefined. The whole zonelist is asked at the low
 * watermark first (`round` 0), and only then, down to the minimum, once more (`round` 1: the slow
 * path).
 */
export function getPageFromFreelist(
  zones: readonly Zone[],
  order: number,
  gfp: number,
  round: 0 | 1,
): Zone | undefined {
  const highest = gfpZone(gfp);
  for (const zone of zones) {
    if (zone.index > highest) continue;
    const mark = round === 0 ? zone.watermark.low : reservedMark(zone, gfp);
    if (zoneWatermarkOk(zone, order, mark, highest)) return zone;
  }
  return undefined;
}

/** Takes 2^order pages from a zone; returns the first pfn, or -1. */
export function zoneAlloc(zone: Zone, order: number): number {
  return buddyAlloc(zone.buddy, order);
}

/** __free_pages() of pages that belong to no CMA area. */
export function zoneFree(zone: Zone, pfn: In<Pfn>, order: number): void {
  buddyFree(zone.buddy, pfn, order);
}

/** The zone of a node in which a page lies, or undefined. */
export function zoneOfPfn(zones: readonly Zone[], pfn: number): Zone | undefined {
  return zones.find((zone) => pfn >= zone.startPfn && pfn < zone.endPfn);
}

/**
 * Counts `count` pages that an area of this zone took out of the buddy. Returns how many of them
 * movable users held and alloc_contig_range() had to move elsewhere; free pages are taken first.
 */
export function zoneTakeCma(zone: Zone, count: In<Pages>): number {
  const free = Math.min(count, zone.freeCma);
  zone.freeCma -= free;
  zone.borrowedCma -= count - free;
  return count - free;
}

/**
 * Counts `count` pages of an area that went back to the buddy, by cma_release() or by a wrong free.
 */
export function zoneGiveCma(zone: Zone, count: In<Pages>): void {
  zone.freeCma += count;
}
