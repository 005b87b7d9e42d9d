/**
 * Rows of an operation file held against what the model did, in the recording's own words.
 *
 * Of buddy pages only node, zone and count are compared: which pages are free in a real buddy is
 * not in the recording. Free counts of zones drift (per-CPU lists, background work), and are left
 * out likewise.
 */

import { type Compared, Comparing, same } from '../boot/compared.js';
import { zoneNames } from '../mm/alloc/zones.js';
import * as op from '../nodes/operations.js';
import { outcome, outcomeAt } from '../nodes/operations.js';
import type { AreaState, Attempted, ZoneState } from '../nodes/recorder.js';
import { attemptsById } from '../nodes/requestHistory.js';
import type { RunOutcome } from '../run/outcome.js';
import { BUDDY, ID_SPAN, LEAKED } from '../wire/request.js';
import type { OperationFile, RecordedRow } from './operationFile.js';

/** A recorded row the model disagrees with: what is comparable of it, and what the model did. */
export interface RowDifference {
  readonly line: number;
  readonly expected: RecordedRow;
  readonly actual: RecordedRow;
}

export interface RowComparison extends Compared<RowDifference> {
  readonly file: string;
  readonly operations: number;
  /** Largest gap between recorded and modelled free pages of a zone, shown and not judged. */
  readonly freeDrift: number;
  /** Leaks the model reports, and those the recording has. */
  readonly leaks: { readonly modelled: number; readonly recorded: number };
}

export function compareRows(
  file: OperationFile,
  record: Pick<RunOutcome, 'observed' | 'outcomes'>,
): RowComparison {
  const rows = new ModelRows(file, record);
  const comparing = new Comparing<RowDifference>();
  file.rows.forEach((row, index) => {
    const kind = kinds[String(row[0])];
    if (kind === undefined) return;
    const expected = comparable(row, kind);
    const actual = [...row.slice(0, kind.asked), ...kind.answer(rows, index)];
    const isSame = same(expected, actual);
    comparing.add(isSame ? null : { line: file.lines[index], expected, actual });
  });
  return {
    file: file.file,
    operations: file.rows.length,
    ...comparing,
    freeDrift: rows.freeDrift,
    leaks: {
      modelled: rows.leaks,
      recorded: file.rows.filter((row) => row[7] === 'buddy-leak').length,
    },
  };
}

/** Stands where a recording has a pfn that is not comparable. */
const ANY = '*';

/** A kind of row: its name and what was asked come first, then what came of it. */
interface Kind {
  readonly asked: number;
  /** The model's side of what came of it. */
  answer(rows: ModelRows, index: number): readonly unknown[];
  /** What is comparable of the recorded answer, where that is not all of it. */
  comparable?(row: RecordedRow): RecordedRow;
}

const kinds: Readonly<Record<string, Kind>> = {
  alloc: { asked: 7, answer: (rows, i) => [...rows.place(i), rows.tried(i)] },
  coherent: { asked: 6, answer: (rows, i) => [...rows.place(i), rows.tried(i), rows.returned(i)] },
  free: {
    asked: 7,
    answer: (rows, i) => rows.freed(i),
    // The area whose pages leak is told too.
    comparable: (row) => (row[7] === 'buddy-leak' ? row.slice(0, 10) : row),
  },
  coherent_free: { asked: 3, answer: (rows, i) => rows.freed(i).slice(0, 1) },
  cma_alloc: { asked: 5, answer: (rows, i) => [...rows.raw(i), rows.tried(i)] },
  cma_release: { asked: 5, answer: (rows, i) => rows.released(i) },
  busy: { asked: 5, answer: (rows, i) => [rows.value(i, 'pfn'), -rows.value(i, 'errno')] },
  unbusy: { asked: 2, answer: (rows, i) => [rows.value(i, 'verdict') === op.SKIPPED ? 'skip' : 0] },
  state: {
    asked: 1,
    answer: (rows, i) => [rows.areas(i)],
    comparable: ([name, areas]) => [name, (areas as RecordedRow[]).map((area) => area.slice(0, 6))],
  },
  zones: {
    asked: 1,
    answer: (rows, i) => [rows.nodes(i)],
    comparable: ([name, nodes]) => [name, (nodes as RecordedRow[]).map(staticNode)],
  },
};

/** A recorded row with what cannot be compared struck out. */
function comparable(row: RecordedRow, { asked, comparable: part }: Kind): RecordedRow {
  if (row[asked] === 'buddy' && row.length > asked + 1) return row.with(asked + 1, ANY);
  return part === undefined ? row : part(row);
}

type ZoneRow = readonly [string, ...number[]];

/** Of a node its nid, online, memory, start, spanned, and each populated zone's static part. */
function staticNode(node: RecordedRow): RecordedRow {
  const zones = (node[5] as ZoneRow[]).filter((zone) => zone[3] > 0);
  return [...node.slice(0, 5), zones.map((zone) => zone.slice(0, 5))];
}

/** The model's side of the rows, in the words of the recording. */
class ModelRows {
  readonly #file: OperationFile;
  readonly #outcomes: Float64Array;
  readonly #attempts: ReadonlyMap<number, readonly Attempted[]>;
  readonly #returned = new Map<number, number[][]>();
  readonly #areaStates = new Map<number, AreaState[]>();
  readonly #zoneStates = new Map<number, ZoneState[]>();
  freeDrift = 0;
  leaks = 0;

  constructor(
    file: OperationFile,
    { observed, outcomes }: Pick<RunOutcome, 'observed' | 'outcomes'>,
  ) {
    this.#file = file;
    this.#outcomes = outcomes;
    this.#attempts = attemptsById(observed.flatMap(({ attempts }) => attempts ?? []));
    for (const { attempts, states, findings } of observed) {
      for (const { id, area, pfn, pages } of attempts?.gaveBack ?? []) {
        append(this.#returned, id, [area, pfn, pages]);
      }
      for (const state of states?.areas ?? []) append(this.#areaStates, state.id, state);
      for (const state of states?.zones ?? []) append(this.#zoneStates, state.id, state);
      this.leaks += findings.filter((finding) => finding.kind === 'leak').length;
    }
  }

  #id(index: number): number {
    return this.#file.replayer * ID_SPAN + index;
  }

  value(index: number, field: keyof typeof outcome): number {
    return outcomeAt(this.#outcomes, index, outcome[field]);
  }

  /** where, pfn, nid, pages, zone */
  place(index: number): unknown[] {
    if (this.value(index, 'verdict') !== op.PLACED) return ['none', -1, -1, 0, ''];
    const source = this.value(index, 'source');
    const where = source === BUDDY ? ['buddy', ANY] : [source, this.value(index, 'pfn')];
    const zone = zoneNames[this.value(index, 'zone')] ?? '';
    return [...where, this.value(index, 'nid'), this.value(index, 'pages'), zone];
  }

  /** pfn, nid */
  raw(index: number): number[] {
    if (this.value(index, 'verdict') !== op.PLACED) return [-1, -1];
    return [this.value(index, 'pfn'), this.value(index, 'nid')];
  }

  /** Per attempt: area, count, align, err, retries */
  tried(index: number): number[][] {
    const list = this.#attempts.get(this.#id(index)) ?? [];
    return list.map(({ area, count, align, err, retries }) => [area, count, align, err, retries]);
  }

  /** Per range that went back for its mask: area, pfn, pages */
  returned(index: number): number[][] {
    return this.#returned.get(this.#id(index)) ?? [];
  }

  freed(index: number): unknown[] {
    if (this.value(index, 'verdict') === op.SKIPPED) return ['skip'];
    const source = this.value(index, 'source');
    const pfn = this.value(index, 'pfn');
    const pages = this.value(index, 'pages');
    if (source === LEAKED) return ['buddy-leak', pfn, Math.ceil(Math.log2(pages))];
    if (source === BUDDY) return ['buddy', ANY, Math.log2(pages)];
    return [[[source, pfn, pages]]];
  }

  released(index: number): unknown[] {
    const freed = this.freed(index);
    return this.value(index, 'verdict') === op.SKIPPED ? freed : [1, ...freed];
  }

  /** Per area: index, used, maxchunk, runs, hash, and its ranges where the recording has them */
  areas(index: number): unknown[] {
    const recorded = this.#file.rows[index][1] as RecordedRow[];
    const states = [...(this.#areaStates.get(this.#id(index)) ?? [])];
    return states
      .sort((a, b) => a.area - b.area)
      .map(({ area, used, maxchunk, runs, hash, ranges }, i) => {
        const known = [area, used, maxchunk, runs, hash];
        return (recorded[i] ?? []).length > 5 ? [...known, ranges] : known;
      });
  }

  /** Per node: nid, online, memory, start, spanned, zones */
  nodes(index: number): unknown[] {
    const states = this.#zoneStates.get(this.#id(index)) ?? [];
    return (this.#file.rows[index][1] as RecordedRow[]).map((recorded) => {
      const nid = recorded[0];
      const node = this.#file.layout.nodes.find((candidate) => candidate.nid === nid);
      const zones = states.filter((state) => state.nid === nid && state.present > 0);
      this.#drift(recorded[5] as ZoneRow[], zones);
      const start = zones.length === 0 ? 0 : Math.min(...zones.map((zone) => zone.startPfn));
      const end = Math.max(0, ...zones.map((zone) => zone.startPfn + zone.spanned));
      return [
        nid,
        node?.online ? 1 : 0,
        zones.length > 0 ? 1 : 0,
        start,
        end - start,
        zones.map((z) => [z.zone, z.startPfn, z.spanned, z.present, z.managed]),
      ];
    });
  }

  #drift(recorded: readonly ZoneRow[], zones: readonly ZoneState[]): void {
    for (const [name, , , , , free] of recorded) {
      const zone = zones.find((candidate) => candidate.zone === name);
      if (zone) this.freeDrift = Math.max(this.freeDrift, Math.abs(zone.free - free));
    }
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
