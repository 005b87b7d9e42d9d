/**
 * Watermarks in closed form and as recorded; who is served from which zone; how CMA pages are
 * counted.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buddyBlocks } from '#cmasim/mm/alloc/buddy.js';
import {
  getPageFromFreelist,
  gfpZone,
  lowmemReserve,
  minFree,
  reservedMark,
  type WatermarkOptions,
  type Zone,
  zoneAlloc,
  zoneFree,
  zoneFreePages,
  zoneGiveCma,
  zoneNames,
  zoneOfPfn,
  zonesFromLayout,
  zoneTakeCma,
  zoneWatermarkOk,
  zoneWatermarks,
} from '#cmasim/mm/alloc/zones.js';
import { GFP_ATOMIC, GFP_DMA, GFP_DMA32, GFP_KERNEL, parseGfp } from '#cmasim/mm/gfp.js';
import type { AreaLayout, MemoryLayout, ZoneLayout } from '#cmasim/mm/layout.js';

const options: WatermarkOptions = {
  minFreeKbytesMax: 262_144,
  transparentHugepage: false,
  watermarkScaleFactor: 10,
};

/** A zone all of whose pages are managed and, if nothing else is said, free. */
function zoneLayout(name: string, [start, end]: [number, number], used = 0): ZoneLayout {
  const pages = end - start;
  return {
    name,
    startPfn: start,
    spanned: pages,
    present: pages,
    managed: pages,
    free: pages - used,
    freeCma: 0,
    ranges: [[start, end]],
  };
}

function machine(zones: readonly ZoneLayout[][], areas: readonly AreaLayout[] = []): MemoryLayout {
  return {
    pageShift: 12,
    maxPageOrder: 10,
    pageblockOrder: 9,
    cmaAlignment: 8,
    areas,
    defaultArea: -1,
    nodes: zones.map((list, nid) => ({ nid, online: true, hasMemory: true, zones: list })),
    fallback: new Map(),
    cpuNode: [0],
  };
}

const zonesOf = (layout: MemoryLayout, nid: number): Zone[] =>
  zonesFromLayout(layout, nid, minFree(layout, options), options);

function area(basePfn: number, count: number): AreaLayout {
  const place = { basePfn, count, orderPerBit: 0, nid: 0, zone: 'DMA32' };
  return { index: 0, name: 'pernuma0', ...place, role: 'pernuma', slotNid: 0 };
}

interface RecordedZone {
  readonly name: string;
  readonly present: number;
  readonly managed: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  readonly protection: readonly number[];
}
const { zoneinfo } = JSON.parse(
  readFileSync(new URL('../kernel/zonelists.json', import.meta.url), 'utf8'),
) as { zoneinfo: { from: string; nodes: Record<string, RecordedZone[]> }[] };

/** A zone of which only the page counts are known. */
function counted({ name, present, managed }: RecordedZone): ZoneLayout {
  const spanned = present;
  return { name, startPfn: 0, spanned, present, managed, free: 0, freeCma: 0, ranges: [] };
}

for (const { from, nodes } of zoneinfo) {
  test(`low, high and protection follow from min and managed as on ${from}`, () => {
    for (const [nid, recorded] of Object.entries(nodes)) {
      const zones = recorded.map(counted);
      const node = { nid: Number(nid), online: true, hasMemory: true, zones };
      for (const [i, zone] of zones.entries()) {
        const { min, low, high, protection, managed } = recorded[i];
        const own = { pages: min, lowmemPages: managed };
        expect(zoneWatermarks(zone, own, options)).toEqual({ min, low, high });
        expect(lowmemReserve(node, zone)).toEqual(protection);
      }
    }
  });

  test(`min of all zones on ${from} is eleven pageblocks per zone, khugepaged's share`, () => {
    const lists = Object.values(nodes);
    const layout = machine(lists.map((zones) => zones.map(counted)));
    const { pages } = minFree(layout, { ...options, transparentHugepage: true });
    const recorded = lists.flat();
    const sum = recorded.reduce((total, { min }) => total + min, 0);
    // Each zone's share is rounded down. 6.1 and later.
    expect(pages - sum).toBeGreaterThanOrEqual(0);
    expect(pages - sum).toBeLessThan(recorded.length);
  });
}

test('without khugepaged 4 * sqrt(lowmem) KiB stay free, shared by managed pages', () => {
  const layout = machine([
    [zoneLayout('DMA32', [4096, 65_536])],
    [zoneLayout('DMA32', [65_536, 131_072])],
  ]);
  const kept = minFree(layout, options);
  expect(kept.pages).toBe(Math.floor(Math.floor(Math.sqrt(126_976 * 4 * 16)) / 4));
  const [zone] = zonesOf(layout, 1);
  const min = Math.floor((kept.pages * 65_536) / 126_976);
  expect(zone!.watermark).toEqual({
    min,
    low: min + Math.floor(min / 4),
    high: min + 2 * Math.floor(min / 4),
  });
});

test('zone modifiers limit a request to lower zones; an atomic one reaches into the minimum', () => {
  expect([GFP_KERNEL, GFP_KERNEL | GFP_DMA32, GFP_DMA].map(gfpZone)).toEqual([2, 1, 0]);
  const [zone] = zonesOf(machine([[zoneLayout('Normal', [0, 2 ** 20])]]), 0);
  const { min } = zone!.watermark;
  expect(reservedMark(zone!, GFP_KERNEL)).toBe(min);
  const half = min - Math.floor(min / 2);
  expect(reservedMark(zone!, GFP_ATOMIC)).toBe(half - Math.floor(half / 4));
  expect(reservedMark(zone!, parseGfp('NOWAIT').bits)).toBe(min);
});

test('a request is served until exactly the mark and the reserve are left', () => {
  const layout = machine([
    [zoneLayout('DMA', [0, 4096]), zoneLayout('DMA32', [4096, 65_536], 61_440)],
  ]);
  const dma = zonesOf(layout, 0)[1];
  const reserve = Math.floor(61_440 / 256);
  expect(dma.lowmemReserve).toEqual([0, reserve, reserve, reserve]);
  let served = 0;
  while (zoneWatermarkOk(dma, 0, dma.watermark.low, 1)) {
    zoneAlloc(dma, 0);
    served += 1;
  }
  expect(dma.buddy.free).toBe(dma.watermark.low + reserve);
  expect(served).toBe(4096 - dma.buddy.free);
  // Those who asked for this zone may go on.
  expect(zoneWatermarkOk(dma, 0, dma.watermark.low, 0)).toBe(true);
});

test('of a block all pages but one count as gone before the mark is looked at', () => {
  const [zone] = zonesOf(machine([[zoneLayout('Normal', [0, 4096])]]), 0);
  const free = zone!.buddy.free;
  expect(zoneWatermarkOk(zone!, 3, free - 8, 2)).toBe(true);
  expect(zoneWatermarkOk(zone!, 3, free - 7, 2)).toBe(false);
});

test('pages without a block of the order do not serve it', () => {
  const [zone] = zonesOf(machine([[zoneLayout('Normal', [1, 4096 + 512])]]), 0);
  for (let blocks = 0; blocks < 3; blocks++) {
    expect(getPageFromFreelist([zone!], 10, GFP_KERNEL, 0)).toBe(zone);
    zoneAlloc(zone!, 10);
  }
  expect(zoneWatermarkOk(zone!, 10, 0, 2)).toBe(false);
  expect(zoneWatermarkOk(zone!, 9, 0, 2)).toBe(true);
});

test('the whole zonelist is asked at the low mark before any zone is drawn to its minimum', () => {
  const layout = machine([
    [zoneLayout('Normal', [0, 65_536])],
    [zoneLayout('Normal', [65_536, 131_072])],
  ]);
  const [near] = zonesOf(layout, 0);
  const [far] = zonesOf(layout, 1);
  const list = [near!, far!];
  while (getPageFromFreelist(list, 0, GFP_KERNEL, 0) === near) zoneAlloc(near!, 0);
  expect(near!.buddy.free).toBe(near!.watermark.low);
  while (getPageFromFreelist(list, 0, GFP_KERNEL, 0) === far) zoneAlloc(far!, 0);
  expect(getPageFromFreelist(list, 0, GFP_KERNEL, 0)).toBeUndefined();
  expect(getPageFromFreelist(list, 0, GFP_KERNEL, 1)).toBe(near);
});

test('pages of CMA areas are counted and never serve an unmovable request', () => {
  const zone = { ...zoneLayout('DMA32', [0, 8192]), freeCma: 2048 };
  const [only] = zonesOf(machine([[zone]], [area(4096, 2048)]), 0);
  expect([zoneFreePages(only!), only!.freeCma, only!.buddy.free]).toEqual([8192, 2048, 6144]);
  const served: number[] = [];
  for (let pfn = zoneAlloc(only!, 0); pfn >= 0; pfn = zoneAlloc(only!, 0)) served.push(pfn);
  expect(served.length).toBe(6144);
  expect(served.every((pfn) => pfn < 4096 || pfn >= 6144)).toBe(true);
  for (const pfn of served) zoneFree(only!, pfn, 0);
  // The area's pageblocks do not merge with their neighbours.
  expect(buddyBlocks(only!.buddy).map(([pfn]) => pfn)).toEqual([0, 1024, 2048, 3072, 6144, 7168]);
});

test('CMA pages that movable users hold are moved when an area takes them', () => {
  const zone = { ...zoneLayout('DMA32', [0, 8192]), free: 7168, freeCma: 1024 };
  const [only] = zonesOf(machine([[zone]], [area(4096, 2048)]), 0);
  expect(only!.borrowedCma).toBe(1024);
  expect(zoneTakeCma(only!, 1500)).toBe(476);
  zoneGiveCma(only!, 1500);
  expect([only!.freeCma, only!.borrowedCma]).toEqual([1500, 548]);
});

test('what the boot took lies at the start of the zone', () => {
  const [zone] = zonesOf(machine([[zoneLayout('Normal', [0, 4096], 1500)]]), 0);
  expect(buddyBlocks(zone!.buddy)[0]).toEqual([1500, 2]);
  expect(zone!.buddy.free).toBe(2596);
  expect(zoneOfPfn([zone!], 4095)).toBe(zone);
  expect(zoneOfPfn([zone!], 4096)).toBeUndefined();
});

test('a zone with more free pages than it has is refused by name', () => {
  const zone = { ...zoneLayout('Normal', [0, 100]), free: 101 };
  expect(() => zonesOf(machine([[zone]]), 0)).toThrow(/node 0, zone Normal/);
});

test('zones of a node come highest first, as a zonelist names them', () => {
  const layout = machine([
    zoneNames.map((name, i) => zoneLayout(name, [i * 4096, (i + 1) * 4096])),
  ]);
  expect(zonesOf(layout, 0).map(({ name }) => name)).toEqual(['Movable', 'Normal', 'DMA32', 'DMA']);
  expect(getPageFromFreelist(zonesOf(layout, 0), 0, GFP_KERNEL, 0)?.name).toBe('Normal');
  expect(getPageFromFreelist(zonesOf(layout, 0), 0, GFP_DMA, 0)?.name).toBe('DMA');
});
