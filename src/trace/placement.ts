/**
 * Where the requests of a run got their memory: one row per request, the same for a replay and for
 * a scenario, so that whoever compares or exports runs need not know which it was.
 */
import { type Attempt, attemptsById, type LogData } from '../actors/log.js';
import * as op from '../actors/operations.js';
import { TIMED_OUTCOME_WIDTH, timedOutcome } from '../actors/timed.js';
import { BUDDY, ID_SPAN } from '../devices/dma.js';
import type { MemoryLayout } from '../mm/layout.js';
import { sourceOf } from './timedrows.js';

/** One request; times in ns of the run, sizes in bytes. */
export interface Placement {
  /** Empty for the kernel's own. */
  readonly device: string;
  /** Its n-th request, from 0: what pairs it with the same request of another run. */
  readonly sequence: number;
  /** Node the device is plugged into, -1 without one. */
  readonly node: number;
  readonly size: number;
  readonly issued: number;
  /** NaN: the run ended before. */
  readonly settled: number;
  readonly lockWait: number;
  /** Area, `buddy`, or `refused`. */
  readonly source: string;
  /** Which of the kernel's pointers led there. */
  readonly role: 'pernuma' | 'numa' | 'default' | 'private' | 'buddy' | 'refused';
  /** Node on which the pages lie; -1 for none. */
  readonly nid: number;
  readonly pfn: number;
  readonly pages: number;
  readonly attempts: readonly Attempt[];
  /** When it was given back; infinity: never. */
  readonly freed: number;
}

/** What the verdict, the source and the layout say of a request's place. */
export function placeOf(
  layout: MemoryLayout,
  {
    placed,
    source,
    nid,
    pfn,
    pages,
  }: {
    placed: boolean;
    source: number;
    nid: number;
    pfn: number;
    pages: number;
  },
): Pick<Placement, 'source' | 'role' | 'nid' | 'pfn' | 'pages'> {
  if (!placed) return { source: 'refused', role: 'refused', nid: -1, pfn: -1, pages: 0 };
  const area = source === BUDDY ? undefined : layout.areas[source];
  const role = area?.role ?? 'buddy';
  return { source: sourceOf(layout, source), role, nid: area?.nid ?? nid, pfn, pages };
}

/** A row of a timed replay that asked for memory. */
export interface AskedRow {
  readonly row: number;
  readonly device: string;
  readonly node: number;
  readonly size: number;
  /** Row of the free that ends it; -1: none. */
  readonly freeRow: number;
}

/** The requests of a timed replay, in the order of `asked`. */
export function replayPlacements(
  layout: MemoryLayout,
  asked: readonly AskedRow[],
  record: { outcomes: Float64Array; logs: readonly LogData[]; replayer: number },
): Placement[] {
  const attempts = attemptsById(record.logs);
  const sequences = new Map<string, number>();
  const field = (row: number, name: keyof typeof timedOutcome): number =>
    record.outcomes[row * TIMED_OUTCOME_WIDTH + timedOutcome[name]]!;
  return asked.map(({ row, device, node, size, freeRow }) => {
    const sequence = sequences.get(device) ?? 0;
    sequences.set(device, sequence + 1);
    const isFreed = freeRow >= 0 && field(freeRow, 'verdict') === op.RETURNED;
    return {
      device,
      sequence,
      node,
      size,
      issued: field(row, 'issued'),
      settled: field(row, 'verdict') === 0 ? Number.NaN : field(row, 'settled'),
      lockWait: field(row, 'lockWait'),
      ...placeOf(layout, {
        placed: field(row, 'verdict') === op.PLACED,
        source: field(row, 'source'),
        nid: field(row, 'nid'),
        pfn: field(row, 'pfn'),
        pages: field(row, 'pages'),
      }),
      attempts: attempts.get(record.replayer * ID_SPAN + row) ?? [],
      freed: isFreed ? field(freeRow, 'issued') : Number.POSITIVE_INFINITY,
    };
  });
}
