/** Buddy free lists against a set of pages: enumerated when small, at random when long. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Buddy,
  BuddyError,
  buddyAlloc,
  buddyBlocks,
  buddyFree,
  buddyFromRanges,
} from '#cmasim/mm/alloc/buddy.js';
import { cases } from '../cases.js';

type Range = readonly [start: number, end: number];

/** The blocks into which free pages fall when everything that can merge has merged. */
function maximalBlocks(free: ReadonlySet<number>, maxOrder: number): [number, number][] {
  const blocks: [number, number][] = [];
  const left = new Set(free);
  for (let order = maxOrder; order >= 0; order--) {
    for (const pfn of [...left].sort((a, b) => a - b)) {
      if (pfn % 2 ** order !== 0) continue;
      const pages = Array.from({ length: 2 ** order }, (_, i) => pfn + i);
      if (!pages.every((page) => left.has(page))) continue;
      for (const page of pages) left.delete(page);
      blocks.push([pfn, order]);
    }
  }
  return blocks.sort(([a], [b]) => a - b);
}

function pagesOf(ranges: readonly Range[]): Set<number> {
  const pages = new Set<number>();
  for (const [start, end] of ranges) for (let pfn = start; pfn < end; pfn++) pages.add(pfn);
  return pages;
}

/** Free blocks are what the pages say, and are counted so. */
function agree(buddy: Buddy, free: ReadonlySet<number>): void {
  const blocks = buddyBlocks(buddy);
  expect(blocks).toEqual(maximalBlocks(free, buddy.maxOrder));
  expect(buddy.free).toBe(free.size);
  const counts = new Array<number>(buddy.maxOrder + 1).fill(0);
  for (const [, order] of blocks) counts[order] += 1;
  expect(Array.from(buddy.nrFree)).toEqual(counts);
}

test('every zone of 12 pages with any pages missing starts in its largest blocks', () => {
  for (let value = 0; value < 4096; value++) {
    const ranges: Range[] = [];
    for (let i = 0; i < 12; i++) if ((value >> i) & 1) ranges.push([5 + i, 6 + i]);
    const buddy = buddyFromRanges(ranges, 3);
    const expected = maximalBlocks(pagesOf(ranges), 3);
    if (JSON.stringify(buddyBlocks(buddy)) !== JSON.stringify(expected)) {
      expect(buddyBlocks(buddy), `pages ${value.toString(2)}`).toEqual(expected);
    }
  }
});

test('every sequence of four requests on eight pages frees back to one block', () => {
  for (let code = 0; code < 4 ** 4; code++) {
    const orders = [0, 1, 2, 3].map((i) => (code >> (2 * i)) & 3);
    const buddy = buddyFromRanges([[8, 16]], 3);
    const free = pagesOf([[8, 16]]);
    const taken: [number, number][] = [];
    for (const order of orders) {
      const pfn = buddyAlloc(buddy, order);
      const possible = maximalBlocks(free, 3).some(([, size]) => size >= order);
      expect(pfn >= 0).toBe(possible);
      if (pfn < 0) continue;
      for (let i = 0; i < 2 ** order; i++) expect(free.delete(pfn + i)).toBe(true);
      taken.push([pfn, order]);
      agree(buddy, free);
    }
    for (const [pfn, order] of taken) buddyFree(buddy, pfn, order);
    expect(buddyBlocks(buddy)).toEqual([[8, 3]]);
  }
});

/** Ranges with holes, at starts that no block is aligned to. */
const zone = fc
  .tuple(
    fc.nat(2 ** 34),
    fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 150 })), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([start, parts]) => {
    let at = start;
    return parts.map(([hole, length]): Range => {
      const from = at + hole;
      at = from + length;
      return [from, at];
    });
  });

const steps = fc.array(fc.record({ order: fc.nat(5), free: fc.boolean(), which: fc.nat(10_000) }), {
  maxLength: 250,
  size: 'max',
});

test('any sequence equals the set of pages, and freeing everything restores the start', () => {
  fc.assert(
    fc.property(zone, fc.integer({ min: 2, max: 7 }), steps, (ranges, maxOrder, list) => {
      const buddy = buddyFromRanges(ranges, maxOrder);
      const start = buddyBlocks(buddy);
      const free = pagesOf(ranges);
      const live: [number, number][] = [];
      agree(buddy, free);
      for (const { order, free: give, which } of list) {
        if (give && live.length > 0) {
          const [[pfn, size]] = live.splice(which % live.length, 1) as [[number, number]];
          buddyFree(buddy, pfn, size);
          for (let i = 0; i < 2 ** size; i++) free.add(pfn + i);
          continue;
        }
        const pfn = buddyAlloc(buddy, order);
        if (pfn < 0) {
          expect(Array.from(buddy.nrFree.subarray(order)).every((n) => n === 0)).toBe(true);
          continue;
        }
        expect(pfn % 2 ** order).toBe(0);
        for (let i = 0; i < 2 ** order; i++) expect(free.delete(pfn + i)).toBe(true);
        live.push([pfn, order]);
      }
      agree(buddy, free);
      for (const [pfn, order] of live) buddyFree(buddy, pfn, order);
      expect(buddyBlocks(buddy)).toEqual(start);
    }),
    cases(100),
  );
});

test('a split serves the low half and keeps the high halves in front of their lists', () => {
  const buddy = buddyFromRanges([[0, 16]], 4);
  expect(buddyAlloc(buddy, 1)).toBe(0);
  expect(buddyBlocks(buddy)).toEqual([
    [2, 1],
    [4, 2],
    [8, 3],
  ]);
});

test('blocks come lowest first at the start, and the last freed comes first', () => {
  const buddy = buddyFromRanges([[0, 64]], 3);
  const taken = [0, 8, 16, 24].map(() => buddyAlloc(buddy, 3));
  expect(taken).toEqual([0, 8, 16, 24]);
  for (const pfn of [8, 0]) buddyFree(buddy, pfn, 3);
  expect([0, 1, 2].map(() => buddyAlloc(buddy, 3))).toEqual([0, 8, 32]);
});

test('a block whose merge is likely waits at the back of its list', () => {
  const buddy = buddyFromRanges([[0, 32]], 5);
  const pages = Array.from({ length: 32 }, () => buddyAlloc(buddy, 0));
  for (const pfn of [16, 2, 3, 0]) buddyFree(buddy, pages[pfn], 0);
  // Pages 2 and 3 are free as one: page 0 only waits for page 1, and 16 is served first.
  expect(buddyAlloc(buddy, 0)).toBe(16);
  expect(buddyAlloc(buddy, 0)).toBe(0);
});

test('a page above the largest order or freed twice is nobody’s', () => {
  const buddy = buddyFromRanges([[0, 16]], 3);
  expect(buddyAlloc(buddy, 4)).toBe(-1);
  const pfn = buddyAlloc(buddy, 0);
  buddyFree(buddy, pfn, 0);
  expect(() => buddyFree(buddy, pfn, 0)).toThrow(BuddyError);
});

test('256 GiB of pages cost what their edges cost', () => {
  const buddy = buddyFromRanges([[2 ** 33 + 3, 2 ** 33 + 2 ** 26 - 5]], 10);
  expect(buddy.free).toBe(2 ** 26 - 8);
  expect(buddy.block.length).toBeLessThanOrEqual(32);
  expect(buddyAlloc(buddy, 10)).toBe(2 ** 33 + 1024);
});
