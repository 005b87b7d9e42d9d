/**
 * What was in use of each area when a recording began, as far as it can be known.
 *
 * From the area's own count at its first request (releases that print available_count), from pages
 * that are freed in the recording without having been handed out in it, from the DMA atomic pools
 * of the boot, and last from first fit itself: a window the kernel passed over was not free.
 */

import { type AtomicPool, poolPlaces } from '../mm/boot/atomicpool.js';
import type { AreaLayout, MemoryLayout } from '../mm/layout.js';
import { AreaHistory, type PageRange } from './areaHistory.js';
import type { Workload } from './workload.js';

/**
 * empty: nothing was in use. known: all of it has its place. inferred: all that is missing was
 * placed by first fit, or the release does not print how much there is. unknown: some has no place.
 */
type Knowledge = 'empty' | 'known' | 'inferred' | 'unknown';

export interface AreaStart {
  readonly area: number;
  readonly name: string;
  readonly knowledge: Knowledge;
  /** Pages in use when the recording began; -1 when nothing says so. */
  readonly used: number;
  /** Those that have a place. */
  readonly held: readonly PageRange[];
  /** Where the knowledge comes from, in words. */
  readonly because: string;
}

const pagesOf = (ranges: readonly PageRange[]): number => ranges.reduce((sum, [, n]) => sum + n, 0);

/** Start of every area of the layout that is active. */
export function areaStarts(
  layout: MemoryLayout,
  pools: readonly AtomicPool[],
  workload: Workload,
): AreaStart[] {
  return layout.areas
    .filter(({ count }) => count > 0)
    .map((area) => {
      const own = area.index === layout.defaultArea ? poolPlaces(area, pools, layout) : [];
      return startOf(area, own, workload);
    });
}

function startOf(area: AreaLayout, pools: readonly PageRange[], workload: Workload): AreaStart {
  const history = new AreaHistory(area, workload.steps);
  const early = history.holds.filter(({ attempt }) => attempt === null);
  const freed = early.map(({ pfn, count }): PageRange => [pfn, count]);
  const used = usedAtStart(area, early, workload);
  const { index, name } = area;
  const known = { area: index, name, used };
  if (used === 0) {
    return { ...known, knowledge: 'empty', held: [], because: 'all of it was free' };
  }
  const inPool = pools.filter(([pfn]) => !freed.some(([other]) => other === pfn));
  const isRecorded = history.trials.some(
    ({ request, attempt }) => request.device === '' && pools.some(([pfn]) => pfn === attempt.pfn),
  );
  // Of releases that do not count, the pools were filled before unless the recording has them.
  const isPool = used < 0 ? !isRecorded : used >= pagesOf(freed) + pagesOf(inPool);
  const held = isPool ? [...freed, ...inPool] : freed;
  return completed(
    { ...known, held, isRecorded, pools: isPool ? inPool.length : 0 },
    area,
    workload,
  );
}

/** Pages in use before the first event; -1 when the release does not count them. */
function usedAtStart(
  { name }: AreaLayout,
  early: readonly { readonly count: number; readonly goneBy: number }[],
  { areasAtStart, steps }: Workload,
): number {
  const first = areasAtStart.get(name);
  if (first === undefined) return steps.length === 0 ? -1 : untouched(early);
  if (first.used < 0) return -1;
  const gone = early.filter(({ goneBy }) => goneBy <= first.time);
  return first.used + gone.reduce((sum, { count }) => sum + count, 0);
}

/** An area that no request reached: what is freed from it is all there is to know. */
function untouched(early: readonly { readonly count: number }[]): number {
  return early.length === 0 ? -1 : early.reduce((sum, { count }) => sum + count, 0);
}

interface Found {
  readonly area: number;
  readonly name: string;
  readonly used: number;
  readonly held: readonly PageRange[];
  readonly isRecorded: boolean;
  readonly pools: number;
}

/** Holds what has a place against the count, and lets first fit place what is missing. */
function completed(found: Found, area: AreaLayout, workload: Workload): AreaStart {
  const { isRecorded, pools, ...known } = found;
  const sources = [
    ...(pools > 0 ? ['the DMA atomic pools of the boot'] : []),
    ...(found.held.length > pools ? ['pages that are freed later'] : []),
  ].join(' and ');
  if (found.used >= 0 && pagesOf(found.held) === found.used) {
    return { ...known, knowledge: 'known', because: sources };
  }
  const missing = found.used < 0 ? Number.POSITIVE_INFINITY : found.used - pagesOf(found.held);
  const placed = placeMissing(area, found.held, { missing, workload });
  const held = [...found.held, ...placed];
  if (found.used < 0) {
    const start = isRecorded ? 'the recording begins before the DMA atomic pools' : sources;
    if (placed.length === 0 && isRecorded) {
      return { ...known, held, knowledge: 'known', because: start };
    }
    const rest = placed.length === 0 ? 'nothing contradicts it' : 'windows that were passed over';
    const because = [start, rest].filter((text) => text !== '').join('; ');
    return { ...known, held, knowledge: 'inferred', because };
  }
  const left = found.used - pagesOf(held);
  const first = `windows that were passed over (${pagesOf(placed)} pages)`;
  const because = [sources, placed.length > 0 ? first : '']
    .filter((text) => text !== '')
    .join('; ');
  if (left === 0) return { ...known, held, knowledge: 'inferred', because };
  const lacks = `${left} of ${found.used} pages in use have no known place`;
  const text = because === '' ? lacks : `${because}; ${lacks}`;
  return { ...known, held, knowledge: 'unknown', because: text };
}

/** A recording full of contradictions is not understood by adding more: attempts looked at. */
const WORK_MAX = 2e7;

/** Windows passed over for no reason the recording gives, as long as pages are missing. */
function placeMissing(
  area: AreaLayout,
  held: readonly PageRange[],
  { missing, workload }: { missing: number; workload: Workload },
): PageRange[] {
  const placed: PageRange[] = [];
  let left = missing;
  for (let work = 0; work < WORK_MAX && left > 0; ) {
    const history = new AreaHistory(area, workload.steps, [...held, ...placed]);
    work += history.trials.length + 1;
    const found = history
      .judge()
      .filter(({ verdict, attempt }) => verdict === 'passed over' && attempt.busyRetries === 0)
      .map(({ passed, attempt }) => neverGranted(history, [passed, attempt.count]))
      .find(([, count]) => count > 0);
    if (found === undefined) break;
    const count = Math.min(found[1], left);
    placed.push([found[0], count]);
    left -= count;
  }
  return placed;
}

/** The first pages of a window that the kernel hands out nowhere in the recording. */
function neverGranted({ holds }: AreaHistory, [pfn, count]: PageRange): PageRange {
  const granted = holds.filter((hold) => hold.pfn < pfn + count && hold.pfn + hold.count > pfn);
  const isGranted = (page: number) =>
    granted.some((hold) => hold.pfn <= page && page < hold.pfn + hold.count);
  let start = pfn;
  while (start < pfn + count && isGranted(start)) start++;
  let end = start;
  while (end < pfn + count && !isGranted(end)) end++;
  return [start, end - start];
}
