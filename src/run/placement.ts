/**
 * Placement of one request: what it asked for, what it tried, where its pages are and how long that
 * took. The same for a run and for a replay, so that whoever explains, compares or exports them
 * need not know which it was.
 */

import { gfpNames } from '../mm/gfp.js';
import type { MemoryLayout } from '../mm/layout.js';
import { type Bytes, Nid, Ns, Pages, Pfn } from '../mm/units.js';
import type { Attempted, SkipReason } from '../nodes/recorder.js';
import { type Attempts, attemptsById } from '../nodes/requestHistory.js';
import { BUDDY, type Mode } from '../wire/request.js';

/** One cma_alloc() of a request; times are those of the run. */
export interface Tried {
  /** Name of the area; empty: there was none, and cma_alloc(NULL) returned at once. */
  readonly area: string;
  /** Position of the policy's step that led there. */
  readonly step: number;
  readonly count: Pages;
  readonly align: number;
  readonly start: Ns;
  readonly end: Ns;
  /** 0, a negative errno, or 1: it returned before it looked. */
  readonly err: number;
  readonly retries: number;
  /** First page, -1 when it failed. */
  readonly pfn: Pfn;
  /** The mask does not reach it, so it went back within the call. */
  readonly givenBack: boolean;
  /** Ns by the names of nodes/inflight.ts. */
  readonly parts: Float64Array;
}

/** Where pages are. */
export interface PagesPlace {
  /** Area, `buddy`, or `refused`. */
  readonly source: string;
  /** Which of the kernel's pointers led there. */
  readonly role: 'pernuma' | 'numa' | 'default' | 'private' | 'buddy' | 'refused';
  /** Node on which the pages lie; -1 for none. */
  readonly nid: Nid;
  readonly pfn: Pfn;
  readonly pages: Pages;
}

/** Step that was passed over, and why. */
interface PassedOver {
  readonly step: number;
  readonly reason: SkipReason;
}

export interface Placement extends PagesPlace {
  /** `nic0#12`: the device's calls are counted from 0, frees among them. */
  readonly name: string;
  /** Empty for the kernel's own. */
  readonly device: string;
  /** Its n-th request, from 0: what pairs it with the same request of another run. */
  readonly sequence: number;
  /** Node the device is plugged into, -1 without one. */
  readonly node: Nid;
  /** How it was asked for; `tables`: pages of an IOMMU's page tables. */
  readonly mode: Mode | 'tables';
  readonly bytes: Bytes;
  /** GFP flags as the kernel prints them. */
  readonly gfp: string;
  readonly issued: Ns;
  /** When the driver heard of it; NaN: the run ended before. */
  readonly settled: Ns;
  /** Clearing the pages, part of the time. */
  readonly zero: Ns;
  readonly attempts: readonly Tried[];
  /** Known of a request that is watched closely. */
  readonly skipped: readonly PassedOver[];
  /** When it was given back; infinity: never. */
  readonly freed: Ns;
}

/** Pages that somebody holds when the run begins. */
export type EarlyPages = Pick<Placement, 'source' | 'pfn' | 'pages' | 'freed'>;

/** How long the driver waited; NaN: the run ended before. */
export const took = ({ issued, settled }: Placement): number => settled - issued;
/** True for pages on the node of the device. */
export const isLocal = ({ nid, node }: Placement): boolean => node >= 0 && nid === node;
/** True for what a driver calls as dma_alloc_*(). */
export const isDmaCall = ({ mode }: Pick<Placement, 'mode'>): boolean =>
  mode === 'coherent' || mode === 'contiguous' || mode === 'iommu';

/** PagesPlace of a request, by name; `granted` is null if it has none. */
export function placeOf(
  layout: MemoryLayout,
  granted: { source: number; nid: number; pfn: number; pages: number } | null,
): PagesPlace {
  if (granted === null) {
    return { source: 'refused', role: 'refused', nid: Nid(-1), pfn: Pfn(-1), pages: Pages(0) };
  }
  const { source, nid, pfn, pages } = granted;
  const area = source === BUDDY ? undefined : layout.areas[source];
  const place = { nid: Nid(area?.nid ?? nid), pfn: Pfn(pfn), pages: Pages(pages) };
  return { source: area?.name ?? 'buddy', role: area?.role ?? 'buddy', ...place };
}

/** The items of each key, in their order. */
export function grouped<Key, Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** What every request tried, in order, once it is known where its pages are. */
export function triedById(
  layout: MemoryLayout,
  histories: readonly Attempts[],
): (id: number, granted: Pick<PagesPlace, 'source' | 'pfn'>) => Tried[] {
  const attempts = attemptsById(histories);
  const returned = grouped(
    histories.flatMap(({ gaveBack }) => gaveBack),
    ({ id }) => id,
  );
  return (id, granted) => {
    let before = 0;
    return (attempts.get(id) ?? []).map((attempt): Tried => {
      const { step, time, count, align, err, retries, parts } = attempt;
      const back = returned.get(id)?.find(({ area }) => area === attempt.area);
      const area = layout.areas[attempt.area]?.name ?? '';
      // Some of a search that found nothing is waited for only with the attempt after it.
      const start = Math.max(before, time - sumOf(parts));
      before = Math.max(start, time);
      const pfn = err !== 0 ? -1 : (back?.pfn ?? (area === granted.source ? granted.pfn : -1));
      return {
        ...{ area, step, align, err, retries, parts },
        count: Pages(count),
        start: Ns(start),
        end: Ns(before),
        pfn: Pfn(pfn),
        givenBack: err === 0 && back !== undefined,
      };
    });
  };
}

const sumOf = (parts: Attempted['parts']): number => parts.reduce((sum, ns) => sum + ns, 0);

/** Bits as the kernel prints them: `GFP_KERNEL|__GFP_NOWARN`; the largest names first. */
export function gfpText(bits: number): string {
  const parts: string[] = [];
  let left = bits;
  for (const name of ['KERNEL', 'ATOMIC', 'NOIO', 'NOWAIT', ...Object.keys(gfpNames)]) {
    const value = gfpNames[name];
    if (value === 0 || (left & value) !== value) continue;
    const isBit = (value & (value - 1)) === 0;
    const isPlain = ['NOWAIT', 'DMA', 'DMA32'].includes(name);
    parts.push(isBit && !isPlain ? `__GFP_${name}` : `GFP_${name}`);
    left &= ~value;
  }
  return parts.join('|');
}
