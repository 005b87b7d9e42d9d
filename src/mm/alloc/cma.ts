/**
 * One CMA area: a bitmap over `count` pages from `basePfn`, one bit per 2^orderPerBit pages.
 *
 * Models cma_alloc() and cma_release() of mm/cma.c, cut into the steps between which the kernel
 * sleeps, because the caller owns time and the mutex: search, claim (bits set, lock dropped), test
 * the window (alloc_contig_range), then commit or abandon. Whether a page is in the buddy is kept
 * apart from its bit: a wrong free parts them.
 *
 * Left out: areas of several ranges (v6.15 and later, hugetlb only); available_count (6.15), which
 * stops no search that would have found a window.
 */

import type { AreaLayout } from '../layout.js';
import type { In, Pages, Pfn } from '../units.js';
import {
  type Bitmap,
  bitmapClear,
  bitmapFindNextZeroAreaOff,
  bitmapHash,
  bitmapMaxZeroRun,
  bitmapRanges,
  bitmapRuns,
  bitmapSet,
  bitmapTest,
  bitmapWeight,
  bitmapZalloc,
} from './bitmap.js';

export const ENOMEM = 12;
export const EBUSY = 16;
/**
 * cma_alloc() returned before it looked at the bitmap: no area, not activated, count 0 or too
 * large.
 */
export const RETURNED_AT_ONCE = 1;
export const NO_WINDOW = -1;
export const NOT_MINE = -1;

/** An area; `count` 0: it was not activated. */
export interface CmaArea extends Omit<AreaLayout, 'role' | 'slotNid'> {
  /** basePfn in units of bits, modulo 2^30: all that alignment needs. */
  readonly baseBits: number;
  readonly bitmap: Bitmap;
  /** Pages out of the buddy without a bit: pinned, or held by somebody who did not ask CMA. */
  readonly pinned: Bitmap;
  /** Pages in the buddy although their bit is set: what a free to the wrong owner leaves behind. */
  readonly leaked: Bitmap;
  /** Most pages ever held at once. */
  usedPeak: number;
  /** vmstat cma_alloc_success, cma_alloc_fail: calls. */
  allocSuccess: number;
  allocFail: number;
  /** /sys/kernel/mm/cma/<name>/: pages. */
  allocPagesSuccess: number;
  allocPagesFail: number;
  releasePagesSuccess: number;
}

export function cmaAreaFromLayout(layout: AreaLayout): CmaArea {
  const { index, name, basePfn, count, orderPerBit, nid, zone } = layout;
  const baseBits = Math.floor(basePfn / 2 ** orderPerBit) % 2 ** 30;
  return {
    index,
    name,
    basePfn,
    count,
    orderPerBit,
    nid,
    zone,
    baseBits,
    bitmap: bitmapZalloc(Math.floor(count / 2 ** orderPerBit), baseBits),
    pinned: bitmapZalloc(count),
    leaked: bitmapZalloc(count),
    usedPeak: 0,
    allocSuccess: 0,
    allocFail: 0,
    allocPagesSuccess: 0,
    allocPagesFail: 0,
    releasePagesSuccess: 0,
  };
}

/** cma_bitmap_aligned_mask(): an alignment finer than a bit asks for nothing. */
function cmaBitmapAlignedMask(area: CmaArea, align: number): number {
  return align <= area.orderPerBit ? 0 : (1 << (align - area.orderPerBit)) - 1;
}

/** cma_bitmap_pages_to_bits() */
export function cmaBitmapPagesToBits(area: CmaArea, count: number): number {
  return Math.ceil(count / (1 << area.orderPerBit));
}

/**
 * False where cma_alloc() returns at once: the area is inactive, count is 0 or more than the area.
 */
export function cmaMayHold(area: CmaArea, count: number): boolean {
  return count > 0 && cmaBitmapPagesToBits(area, count) <= area.bitmap.size;
}

/**
 * The first window for `count` pages at or after bit `start`, aligned to 2^align pages: its first
 * bit, or NO_WINDOW. First fit from 0, not from the last hit: cma_alloc() starts every call at bit
 * 0.
 */
export function cmaSearch(area: CmaArea, count: number, align: number, start: number): number {
  const mask = cmaBitmapAlignedMask(area, align);
  const bits = cmaBitmapPagesToBits(area, count);
  return bitmapFindNextZeroAreaOff(area.bitmap, start, bits, mask, area.baseBits & mask);
}

/** Sets a window's bits: nobody else finds it, though its pages are still in the buddy. */
export function cmaClaim(area: CmaArea, window: number, count: number): void {
  bitmapSet(area.bitmap, window, cmaBitmapPagesToBits(area, count));
}

/**
 * Whether alloc_contig_range() of a claimed window ends with -EBUSY: a page of it cannot be had.
 */
export function cmaWindowBusy(area: CmaArea, window: number, count: number): boolean {
  if (area.pinned.weight === 0) return false;
  return bitmapWeight(area.pinned, window << area.orderPerBit, count) !== 0;
}

/**
 * First pinned page of the `count` from the area's page `first` on, counted likewise; -1 if none.
 */
export function cmaFirstPinned(area: CmaArea, first: number, count: number): number {
  if (bitmapWeight(area.pinned, first, count) === 0) return -1;
  let page = first;
  while (bitmapTest(area.pinned, page) === 0) page += 1;
  return page;
}

/**
 * Gives a claimed window up after -EBUSY; returns where the search goes on. One alignment step, not
 * the window's length: windows overlapping the busy page are tried again.
 */
export function cmaAbandon(area: CmaArea, window: number, count: number, align: number): number {
  bitmapClear(area.bitmap, window, cmaBitmapPagesToBits(area, count));
  return window + cmaBitmapAlignedMask(area, align) + 1;
}

/** Takes a claimed window's pages out of the buddy; returns the first one's pfn. */
export function cmaCommit(area: CmaArea, window: number, count: number): number {
  area.allocSuccess += 1;
  area.allocPagesSuccess += count;
  const used = cmaUsed(area);
  if (used > area.usedPeak) area.usedPeak = used;
  return area.basePfn + window * (1 << area.orderPerBit);
}

/** Counts a call that found nothing. */
export function cmaFail(area: CmaArea, count: number): void {
  area.allocFail += 1;
  area.allocPagesFail += count;
}

export interface CmaResult {
  /** First page, or -1. */
  readonly pfn: number;
  /** 0, ENOMEM, EBUSY, or RETURNED_AT_ONCE. */
  readonly errno: number;
  /** Windows that were claimed and given up. */
  readonly busyRetries: number;
}

/**
 * cma_alloc() from beginning to end, where nothing else happens meanwhile. `emptySearchErrno`: what
 * a first search without a window reports, ENOMEM up to v6.14, EBUSY from v6.15.
 */
export function cmaAlloc(
  area: CmaArea,
  count: number,
  align: number,
  emptySearchErrno = ENOMEM,
): CmaResult {
  if (!cmaMayHold(area, count)) return { pfn: -1, errno: RETURNED_AT_ONCE, busyRetries: 0 };
  let busyRetries = 0;
  for (let start = 0; ; ) {
    const window = cmaSearch(area, count, align, start);
    if (window === NO_WINDOW) break;
    cmaClaim(area, window, count);
    if (!cmaWindowBusy(area, window, count)) {
      return { pfn: cmaCommit(area, window, count), errno: 0, busyRetries };
    }
    start = cmaAbandon(area, window, count, align);
    busyRetries += 1;
  }
  cmaFail(area, count);
  return { pfn: -1, errno: busyRetries > 0 ? EBUSY : emptySearchErrno, busyRetries };
}

/**
 * cma_pages_valid(). Up to v6.14 only the first page is looked at and a range may run past the end;
 * from v6.15 (`wholeRange`) it must lie inside.
 */
export function cmaPagesValid(
  area: CmaArea,
  pfn: In<Pfn>,
  count: In<Pages>,
  wholeRange: boolean,
): boolean {
  const end = area.basePfn + area.count;
  return pfn >= area.basePfn && pfn < end && (!wholeRange || pfn + count <= end);
}

/**
 * cma_release(): gives the pages back and clears the bits of [pfn, pfn + count), whoever they
 * belong to, as the kernel does. Returns the pages of this area that went back to the buddy, or
 * NOT_MINE. Fewer than `count`: some were not held (the kernel warns in free_contig_range) or lie
 * past the area's end.
 */
export function cmaRelease(
  area: CmaArea,
  pfn: In<Pfn>,
  count: In<Pages>,
  wholeRange = false,
): number {
  if (!cmaPagesValid(area, pfn, count, wholeRange)) return NOT_MINE;
  area.releasePagesSuccess += count;
  const first = pfn - area.basePfn;
  const inside = Math.min(count, area.count - first);
  const bit = Math.floor(first / (1 << area.orderPerBit));
  const bits = Math.min(cmaBitmapPagesToBits(area, count), area.bitmap.size - bit);
  const strays = area.pinned.weight + area.leaked.weight;
  if (strays === 0 && area.orderPerBit === 0) return bitmapClear(area.bitmap, bit, bits);
  const freed = freePages(area, first, inside);
  bitmapClear(area.bitmap, bit, bits);
  bitmapClear(area.leaked, first, inside);
  return freed;
}

/** Whether a page, counted from the area's first, is out of the buddy. */
function isHeld(area: CmaArea, page: number): boolean {
  if (bitmapTest(area.pinned, page) === 1) return true;
  return bitmapTest(area.bitmap, page >>> area.orderPerBit) > bitmapTest(area.leaked, page);
}

/**
 * Puts what is held of [first, first + count) back into the buddy, bits untouched; returns how
 * much.
 */
function freePages(area: CmaArea, first: number, count: number): number {
  let freed = 0;
  for (let page = first; page < first + count; page++) {
    if (!isHeld(area, page)) continue;
    freed += 1;
    if (bitmapTest(area.pinned, page) === 1) bitmapClear(area.pinned, page, 1);
    else bitmapSet(area.leaked, page, 1);
  }
  return freed;
}

/**
 * Frees pages past the bitmap, by __free_pages() or free_contig_range(): of a page CMA had given
 * out the bit stays set for good (a leak), a pinned page is simply free again. Returns the pages
 * that went back.
 */
export function cmaFreeToBuddy(area: CmaArea, pfn: In<Pfn>, count: In<Pages>): number {
  return freePages(area, pfn - area.basePfn, count);
}

/**
 * Takes [pfn, pfn + count) out of the buddy without touching the bitmap, as a pin or
 * alloc_contig_range() by somebody else does. 0, or EBUSY if one of the pages is not free.
 */
export function cmaPin(area: CmaArea, pfn: In<Pfn>, count: In<Pages>): number {
  const first = pfn - area.basePfn;
  for (let page = first; page < first + count; page++) if (isHeld(area, page)) return EBUSY;
  for (let page = first; page < first + count; page++) {
    if (bitmapTest(area.leaked, page) === 1) bitmapClear(area.leaked, page, 1);
    else bitmapSet(area.pinned, page, 1);
  }
  return 0;
}

/** Pages whose bit is set. */
export function cmaUsed(area: CmaArea): number {
  return area.bitmap.weight * (1 << area.orderPerBit);
}

export interface CmaState {
  readonly used: number;
  /** Longest run of free pages. */
  readonly maxchunk: number;
  /** Runs of set bits. */
  readonly runs: number;
  readonly hash: number;
}

/** What debugfs and a `state` row tell of an area; all 0 for one that is not active. */
export function cmaState(area: CmaArea): CmaState {
  if (area.count === 0) return { used: 0, maxchunk: 0, runs: 0, hash: 0 };
  return {
    used: cmaUsed(area),
    maxchunk: bitmapMaxZeroRun(area.bitmap) * (1 << area.orderPerBit),
    runs: bitmapRuns(area.bitmap),
    hash: bitmapHash(area.bitmap),
  };
}

/** Set bits as [start, length], in bits. */
export function cmaRanges(area: CmaArea): [start: number, length: number][] {
  return bitmapRanges(area.bitmap);
}
