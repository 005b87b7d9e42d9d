import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AreaDirectory,
  areaDirectory,
  areaOfPage,
  areaOfSource,
  coherentOk,
  dmaBitMask,
  factsOf,
  getOrder,
  NO_AREA,
  nextStep,
  optimalGfpMask,
  pageToNid,
  releaseOwner,
  retryGfp,
} from '#cmasim/mm/alloc/contiguous.js';
import { GFP_ATOMIC, GFP_DMA, GFP_DMA32, GFP_KERNEL } from '#cmasim/mm/gfp.js';
import type { AreaLayout, MemoryLayout } from '#cmasim/mm/layout.js';
import { allocSources, lowerPolicy, type Policy, policies } from '#cmasim/mm/policy.js';
import { cases } from '../cases.js';

const PAGE = 4096;

const area = (
  index: number,
  role: AreaLayout['role'],
  nid: number,
  basePfn: number,
): AreaLayout => ({
  index,
  name: role === 'default' ? 'reserved' : `${role}${nid}`,
  basePfn,
  count: 512,
  orderPerBit: 0,
  nid,
  zone: 'Normal',
  role,
  slotNid: nid,
});

/** Two nodes of 64 MiB; the default area on node 0, node areas as asked, one private area on node 1. */
function directoryWith(...areas: AreaLayout[]): AreaDirectory {
  const zone = (start: number) => ({
    name: 'Normal',
    startPfn: start,
    spanned: 16384,
    present: 16384,
    managed: 16384,
    free: 16384,
    freeCma: 0,
    ranges: [[start, start + 16384]] as const,
  });
  const layout: MemoryLayout = {
    pageShift: 12,
    maxPageOrder: 10,
    pageblockOrder: 9,
    cmaAlignment: 8,
    areas,
    defaultArea: areas.findIndex((a) => a.role === 'default'),
    nodes: [0, 1].map((nid) => ({
      nid,
      online: true,
      hasMemory: true,
      zones: [zone(nid * 16384)],
    })),
    fallback: new Map([
      [0, [0, 1]],
      [1, [1, 0]],
    ]),
    cpuNode: [0, 1],
  };
  return areaDirectory(layout);
}

const full = directoryWith(
  area(0, 'default', 0, 1024),
  area(1, 'pernuma', 0, 2048),
  area(2, 'pernuma', 1, 20480),
  area(3, 'numa', 1, 21504),
  area(4, 'private', 1, 22528),
);
const directories = [
  full,
  directoryWith(area(0, 'pernuma', 0, 1024), area(1, 'private', 1, 20480)),
  directoryWith(area(0, 'default', 1, 20480)),
  directoryWith(),
];

interface Asked {
  readonly gfp: number;
  readonly devNode: number;
  readonly devArea: number;
  readonly size: number;
}

/** The areas a policy asks, in order, as if each had no room; -1 is cma_alloc(NULL). */
function asked(directory: AreaDirectory, policy: Policy, request: Asked): number[] {
  const { alloc } = policy;
  const facts = factsOf(directory, request.gfp, request.devNode, request.devArea);
  const order: number[] = [];
  for (let i = 0; ; i++) {
    i = nextStep(alloc, i, facts, request.size);
    if (i === alloc.source.length) return order;
    const source = allocSources[alloc.source[i]];
    const at = areaOfSource(directory, alloc.source[i], request.devNode, request.devArea);
    if (at !== NO_AREA || source === 'default') order.push(at);
  }
}

/** What dma_alloc_contiguous() and the v2 patch do, written as branches. */
const kernels: Record<string, (d: AreaDirectory, r: Asked) => number[]> = {
  pre(d, { gfp, devArea, size }) {
    const count = Math.floor(size / PAGE);
    const cma = devArea !== NO_AREA ? devArea : count > 1 ? d.defaultArea : NO_AREA;
    return cma !== NO_AREA && (gfp & GFP_KERNEL) === GFP_KERNEL ? [cma] : [];
  },
  v2(d, { gfp, devNode, devArea, size }) {
    if ((gfp & GFP_KERNEL) !== GFP_KERNEL) return [];
    if (devArea !== NO_AREA) return [devArea];
    if (Math.floor(size / PAGE) <= 1) return [];
    const zoned = (gfp & (GFP_DMA | GFP_DMA32)) !== 0;
    const near = devNode === -1 || zoned ? NO_AREA : (d.pernuma[devNode] ?? NO_AREA);
    return near === NO_AREA ? [d.defaultArea] : [near, d.defaultArea];
  },
  '6.6'(d, { gfp, devNode, devArea, size }) {
    if ((gfp & GFP_KERNEL) !== GFP_KERNEL) return [];
    if (devArea !== NO_AREA) return [devArea];
    if (size <= PAGE) return [];
    const order: number[] = [];
    if (devNode !== -1 && (gfp & (GFP_DMA | GFP_DMA32)) === 0) {
      order.push(d.pernuma[devNode] ?? NO_AREA, d.numa[devNode] ?? NO_AREA);
    }
    order.push(d.defaultArea);
    return order.filter((at) => at !== NO_AREA);
  },
};

const requests = fc.record({
  gfp: fc.constantFrom(
    GFP_KERNEL,
    GFP_ATOMIC,
    GFP_DMA,
    GFP_KERNEL | GFP_DMA,
    GFP_KERNEL | GFP_DMA32,
  ),
  devNode: fc.constantFrom(-1, 0, 1, 5),
  devArea: fc.constantFrom(NO_AREA, 0),
  size: fc.constantFrom(0, 1, 4096, 4097, 8191, 8192, 65536, 1052672),
});

const row = (id: string): Policy => lowerPolicy(policies.find((p) => p.id === id)!, PAGE);

describe('the rows ask areas in the order of the code they model', () => {
  test.each(Object.keys(kernels))('%s', (id) => {
    const policy = row(id);
    fc.assert(
      fc.property(fc.constantFrom(...directories), requests, (directory, request) => {
        expect(asked(directory, policy, request)).toEqual(kernels[id](directory, request));
      }),
      cases(2000),
    );
  });
});

describe('for a two-page request of a device on node 1', () => {
  const request = { gfp: GFP_KERNEL, devNode: 1, devArea: NO_AREA, size: 8192 };
  test.each([
    ['pre', [0]],
    ['v1', [2]],
    ['v2', [2, 0]],
    ['v7', [2, 0]],
    ['5.10', [2, 0]],
    ['6.6', [2, 3, 0]],
    ['7.2', [3, 0]],
  ])('%s asks areas %j', (id, order) => {
    expect(asked(full, row(id), request)).toEqual(order);
  });
});

test('v1 serves a single page from the node area, v2 does not', () => {
  const request = { gfp: GFP_KERNEL, devNode: 1, devArea: NO_AREA, size: 4096 };
  expect(asked(full, row('v1'), request)).toEqual([2]);
  expect(asked(full, row('v2'), request)).toEqual([]);
});

describe('pages of node 1, freed by a device without an area of its own', () => {
  const free = (id: string, devNode: number, pfn: number): number =>
    releaseOwner(
      full,
      row(id),
      { gfp: GFP_KERNEL, devNode, devArea: NO_AREA, size: 8192 },
      { pfn, nid: 1 },
    );
  test('v1 never finds the node area: they go to the buddy', () => {
    expect(free('v1', 1, 20480)).toBe(NO_AREA);
  });
  test('v2 finds it from any node, and not from -1', () => {
    expect(free('v2', 0, 20480)).toBe(2);
    expect(free('v2', -1, 20480)).toBe(NO_AREA);
  });
  test('6.6 finds it by the page, whatever the device says', () => {
    expect(free('6.6', -1, 20480)).toBe(2);
    expect(free('6.6', -1, 21504)).toBe(3);
    expect(free('6.6', -1, 1024)).toBe(0);
  });
});

test('a device with an area asks that area alone', () => {
  const request = { gfp: GFP_KERNEL, devNode: 1, devArea: 4, size: 8192 };
  for (const { id } of policies) {
    expect(releaseOwner(full, row(id), request, { pfn: 22528, nid: 1 })).toBe(4);
    expect(releaseOwner(full, row(id), request, { pfn: 20480, nid: 1 })).toBe(NO_AREA);
    expect(asked(full, row(id), request)).toEqual([4]);
  }
});

test('a page is found in its area and on its node', () => {
  expect(areaOfPage(full, 1024)).toBe(0);
  expect(areaOfPage(full, 1023)).toBe(NO_AREA);
  expect(areaOfPage(full, 1024 + 511)).toBe(0);
  expect(areaOfPage(full, 1024 + 512)).toBe(NO_AREA);
  expect(pageToNid(full, 16383)).toBe(0);
  expect(pageToNid(full, 16384)).toBe(1);
});

test('get_order() is the smallest block that holds the size', () => {
  expect([1, 4096, 4097, 8192, 8193, 2 ** 22].map((size) => getOrder(size, 12))).toEqual([
    0, 0, 1, 1, 2, 10,
  ]);
  expect(getOrder(0, 12)).toBeGreaterThan(20);
});

describe('the direct mapping on x86 (DMA below 16 MiB, DMA32 below 4 GiB)', () => {
  const limits = { dma: 2 ** 24 - 1, dma32: 2 ** 32 - 1 };
  test.each([
    [24, GFP_DMA],
    [25, GFP_DMA32],
    [32, GFP_DMA32],
    [33, 0],
    [64, 0],
  ])('a %i-bit mask asks for zone flag %i first', (bits, gfp) => {
    expect(optimalGfpMask(limits, bits)).toBe(gfp);
  });
  test('what lies out of reach is tried again in DMA32, then in DMA, then given up', () => {
    expect(retryGfp(limits, GFP_KERNEL, 40)).toBe(GFP_KERNEL | GFP_DMA32);
    expect(retryGfp(limits, GFP_KERNEL | GFP_DMA32, 31)).toBe(GFP_KERNEL | GFP_DMA);
    expect(retryGfp(limits, GFP_KERNEL | GFP_DMA, 20)).toBe(-1);
  });
  test('the last byte must be addressable', () => {
    expect(coherentOk(2 ** 20 - 1, 4096, 12, 32)).toBe(true);
    expect(coherentOk(2 ** 20 - 1, 8192, 12, 32)).toBe(false);
    expect(coherentOk(2 ** 40, 4096, 12, 64)).toBe(true);
    expect(dmaBitMask(64)).toBe(Infinity);
  });
});
