/** Memblock against a naive model: an array of pages, searched one candidate after the other. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memblock, type Search } from '#cmasim/mm/boot/memblock.js';
import type { Range } from '#cmasim/mm/ranges.js';
import { NUMA_NO_NODE } from '#cmasim/mm/units.js';
import { cases } from '../cases.js';

const page = 4096;
const pagesMax = 48;

/** Node per page (-1: a hole), and which pages are reserved; page 0 is never given. */
interface Pages {
  readonly node: readonly number[];
  readonly reserved: readonly boolean[];
}

const pagesArbitrary: fc.Arbitrary<Pages> = fc.record({
  node: fc.array(fc.constantFrom(-2, 0, 0, 0, 1, 1), { minLength: 8, maxLength: pagesMax }),
  reserved: fc.array(fc.boolean(), { minLength: pagesMax, maxLength: pagesMax }),
});

function runs(length: number, is: (i: number) => boolean): Range[] {
  const ranges: Range[] = [];
  for (let i = 0; i < length; i++) if (is(i)) ranges.push([i * page, (i + 1) * page]);
  return ranges;
}

function memblockOf({ node, reserved }: Pages): Memblock {
  const memory = node.flatMap((nid, i) => (nid < 0 ? [] : [{ base: i * page, size: page, nid }]));
  return new Memblock(
    memory,
    runs(node.length, (i) => reserved[i]),
    page,
  );
}

/** The first or last candidate whose pages are all free and of one node's region. */
function naiveFind({ node, reserved }: Pages, search: Search, bottomUp: boolean): number | null {
  const count = search.size / page;
  const candidates: number[] = [];
  for (let at = 1; at + count <= node.length; at++) {
    const all = Array.from({ length: count }, (_, i) => at + i);
    const nid = node[at];
    const fits =
      (at * page) % search.align === 0 &&
      at * page >= search.start &&
      (at + count) * page <= search.end &&
      nid >= 0 &&
      (search.nid === NUMA_NO_NODE || search.nid === nid) &&
      all.every((i) => node[i] === nid && !reserved[i]);
    if (fits) candidates.push(at * page);
  }
  return (bottomUp ? candidates[0] : candidates.at(-1)) ?? null;
}

const searchArbitrary = fc
  .record({
    count: fc.integer({ min: 1, max: 6 }),
    alignOrder: fc.integer({ min: 0, max: 3 }),
    start: fc.integer({ min: 0, max: pagesMax }),
    end: fc.integer({ min: 0, max: pagesMax }),
    nid: fc.constantFrom(NUMA_NO_NODE, 0, 1),
  })
  .map(({ count, alignOrder, start, end, nid }): Search => {
    return {
      size: count * page,
      align: page << alignOrder,
      start: start * page,
      end: end * page,
      nid,
    };
  });

describe('search', () => {
  test('finds what a walk over all candidates finds, in both directions', () => {
    fc.assert(
      fc.property(pagesArbitrary, searchArbitrary, fc.boolean(), (pages, search, bottomUp) => {
        const memblock = memblockOf(pages);
        memblock.bottomUp = bottomUp;
        expect(memblock.find(search)).toBe(naiveFind(pages, search, bottomUp));
      }),
      cases(500),
    );
  });

  test('an exact node is never left; without it another node will do', () => {
    const memblock = new Memblock([{ base: 0, size: 8 * page, nid: 0 }], [], page);
    const search = { size: page, align: page, start: 0, end: 8 * page, nid: 1 };
    expect(memblock.alloc(search, true)).toBeNull();
    expect(memblock.alloc(search, false)).toBe(7 * page);
  });

  test('a free range never spans two nodes', () => {
    const memory = [
      { base: 0, size: 4 * page, nid: 0 },
      { base: 4 * page, size: 4 * page, nid: 1 },
    ];
    const search = { size: 5 * page, align: page, start: 0, end: 8 * page, nid: NUMA_NO_NODE };
    expect(new Memblock(memory, [], page).find(search)).toBeNull();
    const unknown = memory.map((region) => ({ ...region, nid: NUMA_NO_NODE }));
    expect(new Memblock(unknown, [], page).find(search)).toBe(3 * page);
  });
});

describe('reserving', () => {
  test('reserve and free leave the pages that sets of pages leave', () => {
    const step = fc.record({
      isReserve: fc.boolean(),
      at: fc.integer({ min: 0, max: 31 }),
      count: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const memblock = new Memblock([{ base: 0, size: 40 * page, nid: 0 }], [], page);
        const pages = new Set<number>();
        for (const { isReserve, at, count } of steps) {
          if (isReserve) memblock.reserve(at * page, count * page);
          else memblock.free(at * page, count * page);
          for (let i = at; i < at + count; i++) {
            if (isReserve) pages.add(i);
            else pages.delete(i);
          }
        }
        const held = memblock.reserved.flatMap(([start, end]) =>
          Array.from({ length: (end - start) / page }, (_, i) => start / page + i),
        );
        expect(held).toEqual([...pages].sort((a, b) => a - b));
        // No two of the ranges touch.
        memblock.reserved.forEach(([start], i) => {
          if (i > 0) expect(start).toBeGreaterThan(memblock.reserved[i - 1][1]);
        });
      }),
    );
  });

  test('setting nodes cuts memory where they meet and keeps what belongs to none', () => {
    const memblock = new Memblock([{ base: 0, size: 12 * page, nid: NUMA_NO_NODE }], [], page);
    memblock.setNodes([
      { base: 0, size: 4 * page, nid: 0 },
      { base: 4 * page, size: 4 * page, nid: 1 },
    ]);
    expect(memblock.memory.map(({ nid, size }) => [nid, size / page])).toEqual([
      [0, 4],
      [1, 4],
      [NUMA_NO_NODE, 4],
    ]);
  });
});
