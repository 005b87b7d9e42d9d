/**
 * Operations of a replay as columns: what a kernel was asked, when and after what, and what came.
 *
 * replay/ fills them: each row of an operation file is after the one before, each of a trace has
 * its time. replayer.ts issues them, and writes what came of each to columns of the same length.
 */

import { type Mode, modes } from '../wire/request.js';

export const operation = {
  code: 0,
  /** Mode of the DMA API in which memory is asked for or given back. */
  mode: 1,
  /** Row whose pages are given back; -1 for none. */
  target: 2,
  /** When it is issued, ns; 0: as soon as it may be. */
  time: 3,
  /** Rows that must have settled before; -1 for none. */
  after: 4,
  afterToo: 5,
  /** Node of the CPU that runs the call. */
  cpuNode: 6,
  /** Index into the run's policies. */
  policy: 7,
  /** dev_to_node(), -1 for none. */
  devNode: 8,
  /** Index of dev->cma_area, or of the area of a raw cma_alloc(); -1 for none. */
  area: 9,
  /** 0 where pages are given back: all of them. */
  bytes: 10,
  gfp: 11,
  /** Page offset into what is given back, or into the area whose pages are pinned. */
  offset: 12,
  /** Alignment order of a raw cma_alloc(). */
  align: 13,
  /** Bits of the coherent mask. */
  mask: 14,
} as const;
const OPERATION_WIDTH = 15;

/** One row by its columns; a column that is left out is 0, or -1 where that means none. */
export type Operation = Partial<Record<Exclude<keyof typeof operation, 'mode'>, number>> & {
  readonly mode?: Mode;
};

/** Nothing: the driver goes to another CPU. */
export const OP_NONE = 0;
export const OP_ALLOC = 1;
export const OP_FREE = 2;
/** Pages of an area leave the buddy without the bitmap knowing, or come back to it. */
export const OP_BUSY = 3;
export const OP_UNBUSY = 4;
/** The state of every area, or of every zone, is written down. */
export const OP_STATE = 5;
export const OP_ZONES = 6;

export const outcome = {
  verdict: 0,
  /** Area, BUDDY, or LEAKED. */
  source: 1,
  nid: 2,
  zone: 3,
  pfn: 4,
  pages: 5,
  /** When its CPU made the call and when it returned there, ns. */
  issued: 6,
  settled: 7,
  /** Positive where it was refused. */
  errno: 8,
} as const;
export const OUTCOME_WIDTH = 9;

/** Verdicts; 0: the run ended before. SKIPPED: there was nothing to give back. */
export const DONE = 1;
export const PLACED = 2;
export const NOTHING = 3;
export const RETURNED = 4;
export const SKIPPED = 5;

/** Pages that are in use when the run begins, at their place. */
export interface HeldAtStart {
  readonly area: number;
  readonly pfn: number;
  readonly pages: number;
  /** Row that frees count them under. */
  readonly row: number;
}

/** Work of the replayer: its rows, where it begins, and what is held before the first. */
export interface ReplayPlan {
  readonly operations: Float64Array;
  readonly cpuNode: number;
  readonly held: readonly HeldAtStart[];
}

const columnNames = Object.keys(operation) as (keyof Operation)[];
const noRow: Operation = { target: -1, after: -1, afterToo: -1, area: -1 };
const defaults = columnNames.map((name) => noRow[name] ?? 0);

/** The columns of rows that are all known. */
export function operationColumns(rows: readonly Operation[]): Float64Array {
  const columns = new Float64Array(rows.length * OPERATION_WIDTH);
  let at = 0;
  // A loop by name: copies of rows and lists of their entries cost more than the replay itself.
  for (const row of rows) {
    for (let i = 0; i < OPERATION_WIDTH; i++) {
      const value = row[columnNames[i]] ?? defaults[i];
      columns[at++] = typeof value === 'string' ? modes.indexOf(value) : value;
    }
  }
  return columns;
}

export const operationCount = (columns: Float64Array): number => columns.length / OPERATION_WIDTH;

/** Value of one column of a row. */
export const operationAt = (columns: Float64Array, row: number, field: number): number =>
  columns[row * OPERATION_WIDTH + field];

export const outcomeColumns = (rows: number): Float64Array =>
  new Float64Array(rows * OUTCOME_WIDTH);

export const outcomeAt = (columns: Float64Array, row: number, field: number): number =>
  columns[row * OUTCOME_WIDTH + field];
