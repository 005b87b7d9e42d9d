/** Units at the borders of mm: a call that mixes two of them does not compile, as tsc checks. */

import { expect, test } from 'vitest';
import { cmaAreaFromLayout, cmaPin, cmaRelease, NOT_MINE } from '#cmasim/mm/alloc/cma.js';
import { cmaCount, coherentOk, getOrder, pageAlign } from '#cmasim/mm/alloc/contiguous.js';
import { Memblock } from '#cmasim/mm/boot/memblock.js';
import { Bytes, Nid, Pages, Pfn } from '#cmasim/mm/units.js';

const area = () =>
  cmaAreaFromLayout({
    index: 0,
    name: 'reserved',
    basePfn: 1024,
    count: 64,
    orderPerBit: 0,
    nid: 0,
    zone: 'Normal',
    role: 'default',
    slotNid: 0,
  });

test('an area takes back pages from a page on, and no bytes', () => {
  expect(cmaRelease(area(), Pfn(0), Pages(4))).toBe(NOT_MINE);
  // @ts-expect-error: bytes are no number of pages.
  expect(cmaRelease(area(), Pfn(0), Bytes(16384))).toBe(NOT_MINE);
  // @ts-expect-error: the page and how many are changed about.
  expect(cmaRelease(area(), Pages(4), Pfn(0))).toBe(NOT_MINE);
});

test('a pin is of pages from a page on', () => {
  expect(cmaPin(area(), Pfn(1024), Pages(4))).toBe(0);
  // @ts-expect-error: an address is no page.
  expect(cmaPin(area(), Bytes(1024), Pages(4))).toBe(0);
});

test('sizes are bytes until they are counted', () => {
  expect(cmaCount(Bytes(20480), 12)).toBe(5);
  // @ts-expect-error: what was counted is not counted again.
  expect(cmaCount(cmaCount(Bytes(20480), 12), 12)).toBe(0);
  // @ts-expect-error: an order is that of bytes.
  expect(getOrder(Pages(5), 12)).toBe(0);
  expect(getOrder(pageAlign(Bytes(16385), 12), 12)).toBe(3);
});

test('a mask reaches bytes from a page on', () => {
  expect(coherentOk(Pfn(0), Bytes(4096), 12, 32)).toBe(true);
  // @ts-expect-error: pages are not what a mask counts.
  expect(coherentOk(Pfn(0), Pages(1), 12, 32)).toBe(true);
});

test('the early allocator knows bytes, and no pages and nodes', () => {
  const memblock = new Memblock([{ base: 0, size: 1 << 20, nid: 0 }], [], 4096);
  memblock.reserve(Bytes(0), Bytes(4096));
  // @ts-expect-error: a page is no address.
  expect(memblock.isReserved(Pfn(0), Bytes(1))).toBe(true);
  // @ts-expect-error: nor is a node.
  expect(memblock.nodeOf(Nid(0))).toBe(0);
});
