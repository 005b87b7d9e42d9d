/**
 * Where the requests of a run got their memory: one row per request, the same for a replay and for
 * a scenario, so that whoever compares or exports runs need not know which it was.
 */

import { gfpNames } from '../mm/gfp.js';
import type { MemoryLayout } from '../mm/layout.js';
import type { Observed } from '../nodes/observers.js';
import * as op from '../nodes/operations.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import { attemptsById, type History } from '../nodes/requestHistory.js';
import { BUDDY, ID_SPAN } from '../wire/request.js';

/** One cma_alloc() of a request; times in ns of the run. */
export interface Tried {
  /** Name of the area; empty: there was none, and cma_alloc(NULL) returned at once. */
  readonly area: string;
  readonly count: number;
  readonly align: number;
  readonly start: number;
  readonly end: number;
  /** 0, a negative errno, or 1: it returned before it looked. */
  readonly err: number;
  readonly retries: number;
  /** First page, -1 when it failed. */
  readonly pfn: number;
  /** The mask does not reach it, so it went back within the call. */
  readonly givenBack: boolean;
}

/** One request; times in ns of the run, sizes in bytes. */
export interface Placement {
  /** Empty for the kernel's own. */
  readonly device: string;
  /** Its n-th request, from 0: what pairs it with the same request of another run. */
  readonly sequence: number;
  /** Node the device is plugged into, -1 without one. */
  readonly node: number;
  readonly size: number;
  /** GFP flags as the kernel prints them. */
  readonly gfp: string;
  readonly issued: number;
  /** NaN: the run ended before. */
  readonly settled: number;
  /** Area, `buddy`, or `refused`. */
  readonly source: string;
  /** Which of the kernel's pointers led there. */
  readonly role: 'pernuma' | 'numa' | 'default' | 'private' | 'buddy' | 'refused';
  /** Node on which the pages lie; -1 for none. */
  readonly nid: number;
  readonly pfn: number;
  readonly pages: number;
  readonly attempts: readonly Tried[];
  /** When it was given back; infinity: never. */
  readonly freed: number;
}

/** `reserved`, `numa1`, `buddy`: what a recording calls the source of pages. */
export function sourceOf(layout: MemoryLayout, source: number): string {
  return source === BUDDY ? 'buddy' : (layout.areas[source]?.name ?? 'buddy');
}

/** Place of a request, by name; `granted` is null if it has none. */
export function placeOf(
  layout: MemoryLayout,
  granted: { source: number; nid: number; pfn: number; pages: number } | null,
): Pick<Placement, 'source' | 'role' | 'nid' | 'pfn' | 'pages'> {
  if (granted === null) return { source: 'refused', role: 'refused', nid: -1, pfn: -1, pages: 0 };
  const { source, nid, pfn, pages } = granted;
  const area = source === BUDDY ? undefined : layout.areas[source];
  const role = area?.role ?? 'buddy';
  return { source: sourceOf(layout, source), role, nid: area?.nid ?? nid, pfn, pages };
}

/** What every request tried, in order, once it is known where its pages are. */
export function triedById(
  layout: MemoryLayout,
  histories: readonly History[],
): (id: number, granted: { source: string; pfn: number }) => Tried[] {
  const attempts = attemptsById(histories);
  const returned = new Map<number, { area: number; pfn: number }[]>();
  for (const back of histories.flatMap(({ gaveBack }) => gaveBack)) {
    returned.set(back.id, [...(returned.get(back.id) ?? []), back]);
  }
  return (id, granted) => {
    let before = 0;
    return (attempts.get(id) ?? []).map((attempt): Tried => {
      const { area, time, count, align, err, retries, parts } = attempt;
      const back = returned.get(id)?.find((one) => one.area === area);
      const name = layout.areas[area]?.name ?? '';
      // Some of a search that found nothing is waited for only with the attempt after it.
      const start = Math.max(before, time - parts.reduce((sum, ns) => sum + ns, 0));
      before = Math.max(start, time);
      const pfn = err !== 0 ? -1 : (back?.pfn ?? (name === granted.source ? granted.pfn : -1));
      const givenBack = err === 0 && back !== undefined;
      return { area: name, count, align, start, end: before, err, retries, pfn, givenBack };
    });
  };
}

/** A row of a replayed trace that asked for memory. */
export interface AskedRow {
  readonly row: number;
  readonly device: string;
  readonly node: number;
  readonly size: number;
  readonly gfp: string;
  /** Row of the free that ends it; -1: none. */
  readonly freeRow: number;
}

/** The requests of a replayed trace, in the order of `asked`. */
export function replayPlacements(
  plan: Plan,
  asked: readonly AskedRow[],
  { outcomes, observed }: { outcomes: Float64Array; observed: readonly Observed[] },
): Placement[] {
  const { layout } = plan;
  const { replayer } = actorNumbers(plan);
  const histories = observed.flatMap(({ requests }) => requests ?? []);
  const tried = triedById(layout, histories);
  const sequences = new Map<string, number>();
  const field = (row: number, name: keyof typeof op.outcome): number =>
    op.outcomeAt(outcomes, row, op.outcome[name]);
  return asked.map(({ row, device, node, size, gfp, freeRow }) => {
    const sequence = sequences.get(device) ?? 0;
    sequences.set(device, sequence + 1);
    const granted = {
      source: field(row, 'source'),
      nid: field(row, 'nid'),
      pfn: field(row, 'pfn'),
      pages: field(row, 'pages'),
    };
    const place = placeOf(layout, field(row, 'verdict') === op.PLACED ? granted : null);
    const isFreed = freeRow >= 0 && field(freeRow, 'verdict') === op.RETURNED;
    return {
      device,
      sequence,
      node,
      size,
      gfp,
      issued: field(row, 'issued'),
      settled: field(row, 'verdict') === 0 ? Number.NaN : field(row, 'settled'),
      ...place,
      attempts: tried(replayer * ID_SPAN + row, place),
      freed: isFreed ? field(freeRow, 'issued') : Number.POSITIVE_INFINITY,
    };
  });
}

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
