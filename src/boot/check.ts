/**
 * Recorded boots held against the boot of the model: the first thing in which they differ, with
 * both sides.
 *
 * Compares what the recording holds: messages, areas and their order, the default area, memblock
 * afterwards, nodes online, the static columns of zones, atomic pools, page counts per area.
 */

import { type BootReport, boot } from '../mm/boot/boot.js';
import { Memblock } from '../mm/boot/memblock.js';
import { kernelOf } from '../mm/release.js';
import { type Compared, Comparing } from './compared.js';
import { recordedBoot } from './input.js';
import type { BootOutcome, RecordedArea, RecordedBoot, RecordedZone } from './recorded.js';

/** A value of the boot, by name, in which model and recording differ. */
export interface BootDifference {
  readonly what: string;
  readonly expected: unknown;
  readonly actual: unknown;
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

const lists = ['log', 'areas', 'reserved', 'online', 'zones', 'atomicPools', 'totals'] as const;

/** Compares everything the recording has; a list is compared entry by entry. */
export function compareBoot(recorded: BootOutcome, report: BootReport): Compared<BootDifference> {
  const wanted = joined(recorded);
  const found = joined(outcomeOf(report));
  const comparing = new Comparing<BootDifference>();
  const check = (what: string, expected: unknown, actual: unknown) => {
    const isSame = JSON.stringify(expected) === JSON.stringify(actual);
    comparing.add(isSame ? null : { what, expected: expected ?? null, actual: actual ?? null });
  };
  check('crash', wanted.crashed, found.crashed);
  check('default area', wanted.defaultArea ?? found.defaultArea, found.defaultArea);
  for (const name of lists) {
    const expected = wanted[name];
    const actual = found[name] ?? [];
    const length = expected === null ? 0 : Math.max(expected.length, actual.length);
    for (let i = 0; i < length; i++) check(`${name}[${i}]`, expected?.[i], actual[i]);
  }
  return { ...comparing };
}

/** Kernel of the recordings unless they say which. */
export const recordedRelease = '6.12';

/** A boot that differs, with the first thing in which it does. */
export interface BootsDifference extends BootDifference {
  readonly file: string;
  readonly line: number;
  readonly name: string;
}

/** Boots as a unit each, and what there is to know of them. */
export interface BootsCheck extends Compared<BootsDifference> {
  /** Single values compared. */
  readonly values: number;
  readonly notes: ReadonlySet<string>;
}

/** Repeats recorded boots, on `release` instead of their own if it is given. */
export function checkBoots(
  boots: readonly RecordedBoot[],
  release?: string,
  config: Readonly<Record<string, unknown>> = {},
): BootsCheck {
  const comparing = new Comparing<BootsDifference>();
  const notes = new Set<string>();
  let values = 0;
  for (const one of boots) {
    const { file, line, name, outcome } = one;
    const kernel = kernelOf(release ?? one.release ?? recordedRelease);
    const from = recordedBoot(one, kernel, config);
    const { compared, first } = compareBoot(outcome, boot(from.input));
    values += compared;
    for (const note of from.notes) notes.add(note);
    comparing.add(first === null ? null : { file, line, name, ...first });
  }
  return { ...comparing, values, notes };
}
