/**
 * Holds what the model did against what the recorded kernel did, row by row, in the recording's own words.
 *
 * Of buddy pages only node, zone and count are compared: which pages are free in a real buddy is not in
 * the recording. Free counts of zones drift (per-CPU lists, background work) and are left out likewise.
 */

import { zoneNames } from '../mm/alloc/zones.js';
import type { Observed } from '../nodes/observers.js';
import * as op from '../nodes/operations.js';
import { operation, outcome } from '../nodes/operations.js';
import type { AreaState, Attempted, ZoneState } from '../nodes/recorder.js';
import { attemptsById } from '../nodes/requestHistory.js';
import { BUDDY, ID_SPAN, LEAKED } from '../wire/dma.js';
import type { OperationFile, Row } from './ops.js';

/** One recorded row the model disagrees with; `expected` and `actual` are what is comparable of it. */
export interface Difference {
  readonly line: number;
  readonly expected: Row;
  readonly actual: Row;
}

export interface Comparison {
  readonly file: string;
  readonly operations: number;
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  readonly first: Difference | null;
  /** Largest gap between recorded and modelled free pages of a zone, shown and not judged. */
  readonly freeDrift: number;
  /** Leaks the model reports, and those the recording has. */
  readonly leaks: { readonly modelled: number; readonly recorded: number };
}

/** What a replay left behind, from all shards. */
export interface ReplayRecord {
  readonly observed: readonly Observed[];
  readonly outcomes: Float64Array;
}

type Tried = readonly [area: number, count: number, align: number, err: number, retries: number];

export function compareReplay(file: OperationFile, record: ReplayRecord): Comparison {
  const actual = new ActualRows(file, record);
  let equal = 0;
  let different = 0;
  let recordedLeaks = 0;
  let first: Difference | null = null;
  file.rows.forEach((row, index) => {
    if (row[0] === 'cpu') return;
    if (row[7] === 'buddy-leak') recordedLeaks++;
    const expected = comparable(row);
    const found = actual.row(index);
    if (same(expected, found)) {
      equal++;
      return;
    }
    different++;
    first ??= { line: file.lines[index], expected, actual: found };
  });
  return {
    file: file.file,
    operations: file.rows.length,
    compared: equal + different,
    equal,
    different,
    first,
    freeDrift: actual.freeDrift,
    leaks: { modelled: actual.leaks, recorded: recordedLeaks },
  };
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((value, i) => same(value, b[i]));
}

/** Stands where a recording has a pfn that is not comparable. */
const ANY = '*';

/** A recorded row with what cannot be compared struck out. */
function comparable(row: Row): Row {
  switch (row[0]) {
    case 'alloc':
      return row[7] === 'buddy' ? replaced(row, 8, ANY) : row;
    case 'coherent':
      return row[6] === 'buddy' ? replaced(row, 7, ANY) : row;
    case 'free':
      if (row[7] === 'buddy') return replaced(row, 8, ANY);
      return row[7] === 'buddy-leak' ? cut(row, 10) : row;
    case 'state':
      return ['state', (row[1] as unknown[][]).map((area) => area.slice(0, 6))];
    case 'zones':
      return ['zones', (row[1] as unknown[][]).map(staticNode)];
    default:
      return row;
  }
}

function replaced(row: Row, at: number, value: unknown): Row {
  const [kind, ...fields] = row;
  fields[at - 1] = value;
  return [kind, ...fields];
}

/** The first `length` entries of a row. */
function cut(row: Row, length: number): Row {
  const [kind, ...fields] = row;
  return [kind, ...fields.slice(0, length - 1)];
}

/** Of a node in a `zones` row: nid, online, memory, start, spanned, and each populated zone's static part. */
function staticNode(node: unknown[]): unknown[] {
  const zones = (node[5] as [string, ...number[]][]).filter((zone) => zone[3] > 0);
  return [...node.slice(0, 5), zones.map((zone) => zone.slice(0, 5))];
}

/** The model's side of every row, in the shape of the recording's. */
class ActualRows {
  readonly #file: OperationFile;
  readonly #record: ReplayRecord;
  readonly #attempts: ReadonlyMap<number, readonly Attempted[]>;
  readonly #returned = new Map<number, number[][]>();
  readonly #areaStates = new Map<number, AreaState[]>();
  readonly #zoneStates = new Map<number, ZoneState[]>();
  freeDrift = 0;
  readonly leaks: number;

  constructor(file: OperationFile, record: ReplayRecord) {
    this.#file = file;
    this.#record = record;
    const { observed } = record;
    this.#attempts = attemptsById(observed.flatMap(({ requests }) => requests ?? []));
    let leaks = 0;
    for (const { requests, states, findings } of observed) {
      for (const { id, area, pfn, pages } of requests?.gaveBack ?? []) {
        append(this.#returned, id % ID_SPAN, [area, pfn, pages]);
      }
      for (const state of states?.areas ?? []) append(this.#areaStates, state.id % ID_SPAN, state);
      for (const state of states?.zones ?? []) append(this.#zoneStates, state.id % ID_SPAN, state);
      leaks += findings.filter((finding) => finding.kind === 'leak').length;
    }
    this.leaks = leaks;
  }

  row(index: number): Row {
    const row = this.#file.rows[index];
    switch (row[0]) {
      case 'alloc':
        return [...cut(row, 7), ...this.#place(index), this.#tried(index)];
      case 'coherent':
        return [
          ...cut(row, 6),
          ...this.#place(index),
          this.#tried(index),
          this.#returned.get(index) ?? [],
        ];
      case 'free':
        return [...cut(row, 7), ...this.#freed(index)];
      case 'coherent_free':
        return [...cut(row, 3), this.#freed(index)[0]];
      case 'cma_alloc':
        return [...cut(row, 5), ...this.#raw(index), this.#tried(index)];
      case 'cma_release':
        return [...cut(row, 5), ...this.#released(index)];
      case 'busy':
        return [...cut(row, 5), this.#pinned(index), this.#errno(index)];
      case 'unbusy':
        return ['unbusy', row[1], this.#verdict(index) === op.SKIPPED ? 'skip' : 0];
      case 'state':
        return ['state', this.#areas(index, row)];
      case 'zones':
        return ['zones', this.#nodes(index, row)];
      default:
        throw new Error(`rows of kind ${row[0]} are compared`);
    }
  }

  #outcome(index: number, field: number): number {
    return this.#record.outcomes[index * op.OUTCOME_WIDTH + field];
  }

  #verdict(index: number): number {
    return this.#outcome(index, outcome.verdict);
  }

  /** where, pfn, nid, pages, zone */
  #place(index: number): unknown[] {
    if (this.#verdict(index) !== op.PLACED) return ['none', -1, -1, 0, ''];
    const source = this.#outcome(index, outcome.source);
    return [
      source === BUDDY ? 'buddy' : source,
      source === BUDDY ? ANY : this.#outcome(index, outcome.pfn),
      this.#outcome(index, outcome.nid),
      this.#outcome(index, outcome.pages),
      zoneNames[this.#outcome(index, outcome.zone)] ?? '',
    ];
  }

  /** pfn, nid */
  #raw(index: number): unknown[] {
    if (this.#verdict(index) !== op.PLACED) return [-1, -1];
    return [this.#outcome(index, outcome.pfn), this.#outcome(index, outcome.nid)];
  }

  #tried(index: number): Tried[] {
    const id = this.#file.replayer * ID_SPAN + index;
    const list = this.#attempts.get(id) ?? [];
    return list.map(({ area, count, align, err, retries }) => [area, count, align, err, retries]);
  }

  #freed(index: number): unknown[] {
    if (this.#verdict(index) === op.SKIPPED) return ['skip'];
    const source = this.#outcome(index, outcome.source);
    const pfn = this.#outcome(index, outcome.pfn);
    const pages = this.#outcome(index, outcome.pages);
    if (source === LEAKED) return ['buddy-leak', pfn, Math.ceil(Math.log2(pages))];
    if (source === BUDDY) return ['buddy', ANY, Math.log2(pages)];
    return [[[source, pfn, pages]]];
  }

  #released(index: number): unknown[] {
    if (this.#verdict(index) === op.SKIPPED) return ['skip'];
    return [1, ...this.#freed(index)];
  }

  #errno(index: number): number {
    return this.#verdict(index) === op.FAILED ? -16 : 0;
  }

  #pinned(index: number): number {
    const at = index * op.OPERATION_WIDTH;
    const area = this.#file.operations[at + operation.area];
    const offset = this.#file.operations[at + operation.offset];
    return this.#file.layout.areas[area].basePfn + offset;
  }

  #areas(index: number, row: Row): unknown[] {
    const states = [...(this.#areaStates.get(index) ?? [])].sort((a, b) => a.area - b.area);
    const withRanges = (row[1] as unknown[][]).map((area) => area.length > 5);
    return states.map(({ area, used, maxchunk, runs, hash, ranges }, i) => [
      area,
      used,
      maxchunk,
      runs,
      hash,
      ...(withRanges[i] ? [ranges] : []),
    ]);
  }

  #nodes(index: number, row: Row): unknown[] {
    const states = this.#zoneStates.get(index) ?? [];
    return (row[1] as unknown[][]).map((recorded) => {
      const nid = recorded[0] as number;
      const node = this.#file.layout.nodes.find((candidate) => candidate.nid === nid);
      const zones = states.filter((state) => state.nid === nid && state.present > 0);
      this.#drift(recorded, zones);
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

  #drift(recorded: unknown[], zones: readonly ZoneState[]): void {
    for (const [name, , , , , free] of recorded[5] as [string, ...number[]][]) {
      const zone = zones.find((candidate) => candidate.zone === name);
      if (zone) this.freeDrift = Math.max(this.freeDrift, Math.abs(zone.free - free!));
    }
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
