/**
 * CMA areas: the steps of cma_alloc(), what cma_release() accepts and clears, and who owns which
 * page.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bitmapSet } from '#cmasim/mm/alloc/bitmap.js';
import {
  type CmaArea,
  cmaAbandon,
  cmaAlloc,
  cmaAreaFromLayout,
  cmaClaim,
  cmaCommit,
  cmaFreeToBuddy,
  cmaMayHold,
  cmaPagesValid,
  cmaPin,
  cmaRelease,
  cmaSearch,
  cmaState,
  cmaUsed,
  cmaWindowBusy,
  EBUSY,
  ENOMEM,
  NO_WINDOW,
  NOT_MINE,
  RETURNED_AT_ONCE,
} from '#cmasim/mm/alloc/cma.js';
import { cases } from '../cases.js';
import { bitmapDraw } from './drawing.js';

/** An area drawn as one character per bit, X for a set one. */
function areaUnderTest(drawing: string, { basePfn = 0, orderPerBit = 0 } = {}): CmaArea {
  const area = cmaAreaFromLayout({
    index: 0,
    name: 'test',
    basePfn,
    count: drawing.length << orderPerBit,
    orderPerBit,
    nid: 0,
    zone: 'Normal',
    role: 'private',
    slotNid: 0,
  });
  for (let i = 0; i < drawing.length; i++) if (drawing[i] === 'X') bitmapSet(area.bitmap, i, 1);
  return area;
}

const draw = (area: CmaArea): string => bitmapDraw(area.bitmap);
const idle = (bits: number): string => '.'.repeat(bits);

test('a request larger than any hole is refused although enough pages are free', () => {
  const area = areaUnderTest('XX..XX..XX..XX..');
  expect(cmaAlloc(area, 4, 0)).toEqual({ pfn: -1, errno: ENOMEM, busyRetries: 0 });
  expect(draw(area)).toBe('XX..XX..XX..XX..');
});

test('an area of n pages grants floor(n / size) requests of an aligned size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(6), (pages, order) => {
      const area = areaUnderTest(idle(pages));
      let granted = 0;
      while (cmaAlloc(area, 2 ** order, order).errno === 0) granted += 1;
      expect(granted).toBe(Math.floor(pages / 2 ** order));
    }),
  );
});

test('first fit begins at bit 0 on every call', () => {
  const area = areaUnderTest(idle(8));
  for (const pfn of [0, 2, 4, 6]) expect(cmaAlloc(area, 2, 1).pfn).toBe(pfn);
  cmaRelease(area, 2, 2);
  expect(cmaAlloc(area, 2, 1).pfn).toBe(2);
});

test('a pinned page costs a retry for every alignment step over it', () => {
  const area = areaUnderTest(idle(16));
  cmaPin(area, 3, 1);
  expect(cmaAlloc(area, 4, 0)).toEqual({ pfn: 4, errno: 0, busyRetries: 4 });
  expect(cmaAlloc(area, 4, 2)).toEqual({ pfn: 8, errno: 0, busyRetries: 1 });
  expect(draw(area)).toBe('....XXXXXXXX....');
});

test('the last error is EBUSY once a window was tried, else what an empty search reports', () => {
  const area = areaUnderTest(idle(4));
  cmaPin(area, 0, 1);
  expect(cmaAlloc(area, 4, 2)).toEqual({ pfn: -1, errno: EBUSY, busyRetries: 1 });
  const full = areaUnderTest('XXXX');
  expect(cmaAlloc(full, 1, 0).errno).toBe(ENOMEM);
  expect(cmaAlloc(full, 1, 0, EBUSY).errno).toBe(EBUSY);
});

test('an area that is not active, no pages, and more than the area return at once', () => {
  for (const [drawing, count] of [
    ['', 1],
    ['....', 0],
    ['....', 5],
  ] as const) {
    const area = areaUnderTest(drawing);
    expect(cmaMayHold(area, count)).toBe(false);
    expect(cmaAlloc(area, count, 0).errno).toBe(RETURNED_AT_ONCE);
    expect(area.allocFail).toBe(0);
  }
});

test('claimed bits are seen by others, abandoned ones are not', () => {
  const area = areaUnderTest(idle(8));
  cmaPin(area, 1, 1);
  const window = cmaSearch(area, 2, 1, 0);
  cmaClaim(area, window, 2);
  expect(cmaSearch(area, 2, 1, 0)).toBe(2);
  expect(cmaWindowBusy(area, window, 2)).toBe(true);
  expect(cmaAbandon(area, window, 2, 1)).toBe(2);
  expect(draw(area)).toBe('........');
  cmaClaim(area, 2, 2);
  expect(cmaWindowBusy(area, 2, 2)).toBe(false);
  expect(cmaCommit(area, 2, 2)).toBe(2);
  expect([area.allocPagesSuccess, area.usedPeak]).toEqual([2, 2]);
  expect(cmaSearch(area, 8, 0, 0)).toBe(NO_WINDOW);
});

test('alignment is of the absolute pfn', () => {
  const area = areaUnderTest(idle(16), { basePfn: 2 ** 33 + 6 });
  expect(cmaAlloc(area, 4, 2).pfn).toBe(2 ** 33 + 8);
  expect(cmaAlloc(area, 2, 0).pfn).toBe(2 ** 33 + 6);
});

test('a bit of 2^orderPerBit pages is the least an area gives', () => {
  const area = areaUnderTest(idle(8), { basePfn: 64, orderPerBit: 3 });
  expect(cmaAlloc(area, 9, 0).pfn).toBe(64);
  expect(draw(area)).toBe('XX......');
  expect(cmaAlloc(area, 8, 5).pfn).toBe(96);
  expect(draw(area)).toBe('XX..X...');
  expect(cmaRelease(area, 64, 9)).toBe(9);
  expect(cmaUsed(area)).toBe(8);
  expect(cmaState(area).maxchunk).toBe(32);
});

test('a free of too many pages clears the neighbour too, and says that some were not held', () => {
  const area = areaUnderTest('XXXX....');
  expect(cmaRelease(area, 0, 2)).toBe(2);
  expect(draw(area)).toBe('..XX....');
  expect(cmaRelease(area, 2, 3)).toBe(2);
  expect(draw(area)).toBe('........');
  expect(area.releasePagesSuccess).toBe(5);
});

test('a release is taken by its first page; from 6.15 the whole range must lie inside', () => {
  const area = areaUnderTest('XXXX', { basePfn: 100 });
  expect(cmaPagesValid(area, 103, 2, false)).toBe(true);
  expect(cmaPagesValid(area, 103, 2, true)).toBe(false);
  expect(cmaRelease(area, 99, 2)).toBe(NOT_MINE);
  expect(cmaRelease(area, 103, 2, true)).toBe(NOT_MINE);
  expect(cmaRelease(area, 103, 2)).toBe(1);
  expect(draw(area)).toBe('XXX.');
});

test('pages freed to the buddy keep their bits for good', () => {
  const area = areaUnderTest('XXXX....');
  expect(cmaFreeToBuddy(area, 1, 2)).toBe(2);
  expect(cmaFreeToBuddy(area, 1, 2)).toBe(0);
  expect(cmaAlloc(area, 4, 0).pfn).toBe(4);
  expect(draw(area)).toBe('XXXXXXXX');
  // A late release clears the bits; the two pages are free already.
  expect(cmaRelease(area, 0, 4)).toBe(2);
  expect([draw(area), area.leaked.weight]).toEqual(['....XXXX', 0]);
});

test('a pin takes free pages only, leaked ones among them, and is undone by a free', () => {
  const area = areaUnderTest('XX......');
  expect(cmaPin(area, 1, 2)).toBe(EBUSY);
  cmaFreeToBuddy(area, 1, 1);
  expect(cmaPin(area, 1, 2)).toBe(0);
  expect([area.pinned.weight, area.leaked.weight]).toEqual([1, 0]);
  expect(cmaFreeToBuddy(area, 1, 2)).toBe(2);
  expect([area.pinned.weight, area.leaked.weight]).toEqual([0, 1]);
});

/** One step: a request, or a free of the n-th live allocation, whole or in part. */
const steps = fc.array(
  fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    align: fc.nat(4),
    free: fc.boolean(),
    which: fc.nat(1000),
    part: fc.nat(1000),
  }),
  { maxLength: 200, size: 'max' },
);

test('any sequence of alloc and release leaves every page with at most one owner', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(100), steps, (pages, basePfn, list) => {
      const area = areaUnderTest(idle(pages), { basePfn });
      const owner = new Int32Array(pages).fill(-1);
      const live: { id: number; pfn: number; count: number }[] = [];
      for (const [id, { count, align, free, which, part }] of list.entries()) {
        if (free && live.length > 0) {
          const held = live[which % live.length];
          const given = 1 + (part % held.count);
          expect(cmaRelease(area, held.pfn, given)).toBe(given);
          owner.fill(-1, held.pfn - basePfn, held.pfn - basePfn + given);
          held.pfn += given;
          held.count -= given;
          if (held.count === 0) live.splice(which % live.length, 1);
          continue;
        }
        const { pfn } = cmaAlloc(area, count, align);
        if (pfn < 0) continue;
        expect(pfn % 2 ** align).toBe(0);
        const pagesTaken = owner.subarray(pfn - basePfn, pfn - basePfn + count);
        expect(pagesTaken.length).toBe(count);
        expect(pagesTaken.every((who) => who === -1)).toBe(true);
        pagesTaken.fill(id);
        live.push({ id, pfn, count });
      }
      expect(draw(area)).toBe(Array.from(owner, (who) => (who < 0 ? '.' : 'X')).join(''));
      for (const { pfn, count } of live) cmaRelease(area, pfn, count);
      expect(cmaState(area)).toEqual(cmaState(areaUnderTest(idle(pages))));
    }),
    cases(100),
  );
});
