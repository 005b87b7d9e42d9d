/**
 * A recorded boot against the boot of the model: the first thing in which they differ, with both
 * sides.
 *
 * Compares what the recording holds: messages, areas and their order, the default area, memblock
 * afterwards, nodes online, the static columns of zones, atomic pools, page counts per area.
 */

import type { BootReport } from '../mm/boot/boot.js';
import { Memblock } from '../mm/boot/memblock.js';
import type { BootOutcome, RecordedArea, RecordedZone } from './recorded.js';

export interface BootDifference {
  readonly what: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

export interface BootComparison {
  /** Single values compared. */
  readonly compared: number;
  readonly first: BootDifference | null;
}

/** The report in the words of a recording. */
function outcomeOf(report: BootReport): BootOutcome {
  const { areas, nodes } = report;
  return {
    crashed: report.crash !== null,
    log: report.log,
    areas: areas.map(({ name, basePfn, count, nid, zone, orderPerBit }): RecordedArea => {
      return { name, basePfn, count, nid, zone, orderPerBit };
    }),
    defaultArea: report.defaultArea,
    reserved: report.reserved,
    online: nodes.filter((n) => n.online).map((n) => n.nid),
    zones: nodes.flatMap(({ nid, zones }) =>
      zones.map(({ name, startPfn, spanned, present }): RecordedZone => {
        return { nid, name, startPfn, spanned, present };
      }),
    ),
    atomicPools: report.atomicPools.map((pool) => pool.message),
    totals: areas.map(({ name, count }) => [name, count] as const),
  };
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Ranges that touch are one, as memblock_add_range() leaves them or not. */
function joined(outcome: BootOutcome): BootOutcome {
  const { reserved, totals } = outcome;
  const byName = totals && [...totals].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return {
    ...outcome,
    reserved: reserved && new Memblock([], reserved, 4096).reserved,
    totals: byName,
  };
}

/** Compares everything the recording has; a list is compared entry by entry. */
export function compareBoot(recorded: BootOutcome, report: BootReport): BootComparison {
  const expected = joined(recorded);
  const actual = joined(outcomeOf(report));
  let compared = 0;
  let first: BootDifference | null = null;
  const check = (what: string, left: unknown, right: unknown) => {
    compared++;
    if (first === null && !same(left, right)) {
      first = { what, expected: left ?? null, actual: right ?? null };
    }
  };
  check('crash', expected.crashed, actual.crashed);
  check('default area', expected.defaultArea ?? actual.defaultArea, actual.defaultArea);
  const lists = ['log', 'areas', 'reserved', 'online', 'zones', 'atomicPools', 'totals'] as const;
  for (const name of lists) {
    const left = expected[name];
    const right = actual[name] ?? [];
    if (left === null) continue;
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      check(`${name}[${i}]`, left[i], right[i]);
    }
  }
  return { compared, first };
}
