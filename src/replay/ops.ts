/**
 * Reads operation files: what a real kernel was asked and did, one JSON value per line.
 *
 * Line 1 is the meta data, line 2 memblock around the reservation, line 3 areas, zones and zonelists, then one
 * operation per line. Areas, zones and zonelists come from the file, not from our own boot, so that what is
 * compared is allocation alone.
 */

import { type AreasRow, areasRow, laidOutRow, metaRow, readRow } from '../boot/recordedRows.js';
import { emptyFile } from '../files/read.js';
import { parseGfp } from '../mm/gfp.js';
import type { MemoryLayout } from '../mm/layout.js';
import {
  OP_ALLOC,
  OP_BUSY,
  OP_CMA_ALLOC,
  OP_CMA_RELEASE,
  OP_COHERENT,
  OP_COHERENT_FREE,
  OP_CPU,
  OP_FREE,
  OP_STATE,
  OP_UNBUSY,
  OP_ZONES,
  OPERATION_WIDTH,
  operation,
} from '../nodes/operations.js';
import { InputError } from '../trace/read/input.js';
import { checkLayout, layoutOf } from './opsLayout.js';

/** Policies a recording may name: the kernel's own, the June 2020 v2 patch, the kernel before it. */
export const recordedPolicies = ['m', 'v', 'p'] as const;

export interface OperationFile {
  readonly file: string;
  readonly name: string;
  readonly layout: MemoryLayout;
  readonly cpus: number;
  /** MAX_NUMNODES of the recorded kernel. */
  readonly maxNumnodes: number;
  /** Node of the CPU that runs the first operation. */
  readonly cpuNode: number;
  /** Number of the actor that replays; requests are named after it. */
  readonly replayer: number;
  /** Columns for the replayer, OPERATION_WIDTH each. */
  readonly operations: Float64Array;
  /** The recorded rows, one per operation, and the line each stands on. */
  readonly rows: readonly Row[];
  readonly lines: readonly number[];
}

export type Row = readonly [string, ...unknown[]];

/** Reads a whole file's text. @throws InputError with file, line and column. */
export function readOperations(file: string, text: string): OperationFile {
  const lines = text.split('\n');
  const parsed: unknown[] = [];
  const numbers: number[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].trim() === '') continue;
    parsed.push(parseLine(file, i + 1, lines[i]));
    numbers.push(i + 1);
  }
  if (parsed.length === 0) throw emptyFile(file, 'operations');
  if ((parsed[0] as { type?: unknown } | null)?.type !== 'meta') {
    throw new InputError(file, '1:1', 'no operation file, expected {"type":"meta",…}');
  }
  if (parsed.length < 3) {
    throw new InputError(file, `${numbers.at(-1)}:1`, 'ends before the line with areas');
  }
  const meta = readRow(metaRow, parsed[0], { file, line: numbers[0] });
  const boot = readRow(laidOutRow, parsed[1], { file, line: numbers[1] });
  const areas = readRow(areasRow, parsed[2], { file, line: numbers[2] });
  const layout = layoutOf(meta, boot, areas);
  checkLayout(layout, { file, line: numbers[2] });
  const rows = parsed.slice(3) as Row[];
  const rowLines = numbers.slice(3);
  const encoder = new Encoder(file, { layout, areas, maxNumnodes: meta.config.max_numnodes });
  const kept: Row[] = [];
  const keptLines: number[] = [];
  rows.forEach((row, i) => {
    if (encoder.add(row, rowLines[i])) {
      kept.push(row);
      keptLines.push(rowLines[i]);
    }
  });
  return {
    file,
    name: meta.name,
    layout,
    cpus: areas.cpus.length,
    maxNumnodes: meta.config.max_numnodes,
    cpuNode: areas.cpus[0]?.mem_node ?? layout.nodes[0].nid,
    replayer: layout.nodes.length + 1,
    operations: encoder.take(),
    rows: kept,
    lines: keptLines,
  };
}

function parseLine(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const at = /position (\d+)/.exec((error as Error).message);
    const column = at ? Number(at[1]) + 1 : 1;
    throw new InputError(file, `${line}:${column}`, 'not JSON, expected one JSON value per line');
  }
}

/** Bytes, pages and ids of recordings stay far below; sums of them stay exact. */
const quantityMax = 2 ** 48;

/** Turns rows into columns. */
class Encoder {
  readonly #file: string;
  readonly #areas: ReadonlyMap<string, number>;
  readonly #cpuNode: ReadonlyMap<number, number>;
  readonly #columns: number[] = [];
  readonly #nidMax: number;
  /** Nothing that is freed is larger than all there is. */
  readonly #bytesMax: number;
  #line = 0;

  constructor(
    file: string,
    { layout, areas, maxNumnodes }: { layout: MemoryLayout; areas: AreasRow; maxNumnodes: number },
  ) {
    this.#file = file;
    this.#nidMax = maxNumnodes - 1;
    const zones = layout.nodes.flatMap((node) => node.zones);
    this.#bytesMax = zones.reduce((sum, { present }) => sum + present, 0) * 2 ** layout.pageShift;
    this.#areas = new Map(layout.areas.map((area) => [area.name, area.index]));
    this.#cpuNode = new Map(areas.cpus.map((cpu) => [cpu.cpu, cpu.mem_node]));
  }

  take(): Float64Array {
    return Float64Array.from(this.#columns);
  }

  /** False for rows that ask nothing of the kernel. */
  add(row: Row, line: number): boolean {
    this.#line = line;
    if (!Array.isArray(row)) this.#fail(1, 'not an operation, expected an array');
    const [kind] = row;
    switch (kind) {
      case 'note':
        return false;
      case 'alloc':
        return this.#push(OP_ALLOC, {
          id: this.#number(row, 1),
          policy: this.#policy(row),
          devNode: this.#nid(row, 3),
          size: this.#number(row, 4),
          gfp: this.#gfp(row, 5),
          area: this.#area(row, 6),
        });
      case 'free':
        return this.#push(OP_FREE, {
          id: this.#number(row, 1),
          policy: this.#policy(row),
          devNode: this.#nid(row, 3),
          size: this.#number(row, 4, this.#bytesMax),
          offset: this.#number(row, 5),
          area: this.#area(row, 6),
        });
      case 'cma_alloc':
        return this.#push(OP_CMA_ALLOC, {
          id: this.#number(row, 1),
          area: this.#area(row, 2),
          size: this.#number(row, 3),
          align: this.#number(row, 4, 63),
        });
      case 'cma_release':
        return this.#push(OP_CMA_RELEASE, {
          id: this.#number(row, 1),
          area: this.#area(row, 2),
          offset: this.#number(row, 3),
          size: this.#number(row, 4),
        });
      case 'busy':
        return this.#push(OP_BUSY, {
          id: this.#number(row, 1),
          area: this.#area(row, 2),
          offset: this.#number(row, 3),
          size: this.#number(row, 4),
        });
      case 'unbusy':
        return this.#push(OP_UNBUSY, { id: this.#number(row, 1) });
      case 'coherent':
        return this.#push(OP_COHERENT, {
          id: this.#number(row, 1),
          devNode: this.#nid(row, 2),
          size: this.#number(row, 3),
          gfp: this.#gfp(row, 4),
          mask: this.#number(row, 5, 64),
        });
      case 'coherent_free':
        return this.#push(OP_COHERENT_FREE, {
          id: this.#number(row, 1),
          devNode: this.#nid(row, 2),
        });
      case 'state':
        this.#lists(row[1], 'an entry per area');
        return this.#push(OP_STATE, {});
      case 'zones':
        this.#lists(row[1], 'an entry per node').forEach((node) => {
          this.#lists(node[5], 'zones in every node');
        });
        return this.#push(OP_ZONES, {});
      case 'cpu':
        return this.#push(OP_CPU, { devNode: this.#cpu(row) });
      default:
        return this.#fail(2, `operation "${String(kind)}", expected alloc, free, cma_alloc, …`);
    }
  }

  #push(code: number, fields: Partial<Record<keyof typeof operation, number>>): true {
    const row = new Array<number>(OPERATION_WIDTH).fill(0);
    row[operation.code] = code;
    row[operation.area] = -1;
    for (const [name, value] of Object.entries(fields)) {
      row[operation[name as keyof typeof operation]] = value;
    }
    this.#columns.push(...row);
    return true;
  }

  #fail(column: number, message: string): never {
    throw new InputError(this.#file, `${this.#line}:${column}`, message);
  }

  /** A whole number: a count, bytes, or an order. */
  #number(row: Row, at: number, most = quantityMax): number {
    return this.#whole(row, at, { least: 0, most });
  }

  #nid(row: Row, at: number): number {
    return this.#whole(row, at, { least: -1, most: this.#nidMax });
  }

  #whole(row: Row, at: number, { least, most }: { least: number; most: number }): number {
    const value = row[at];
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    const range = `a whole number from ${least} to ${most}`;
    return this.#fail(
      1,
      `field ${at} of "${row[0]}" is ${JSON.stringify(value)}, expected ${range}`,
    );
  }

  #lists(value: unknown, what: string): unknown[][] {
    if (Array.isArray(value) && value.every(Array.isArray)) return value;
    return this.#fail(1, `${JSON.stringify(value)?.slice(0, 40)}, expected a list with ${what}`);
  }

  #policy(row: Row): number {
    const at = recordedPolicies.indexOf(row[2] as (typeof recordedPolicies)[number]);
    if (at < 0) this.#fail(1, `policy ${JSON.stringify(row[2])}, expected m, v or p`);
    return at;
  }

  #gfp(row: Row, at: number): number {
    const { bits, unknown } = parseGfp(String(row[at]));
    if (unknown.length > 0)
      this.#fail(1, `gfp flag "${unknown[0]}", expected names such as KERNEL`);
    return bits;
  }

  #area(row: Row, at: number): number {
    const name = row[at];
    const isDevices = row[0] === 'alloc' || row[0] === 'free';
    if (name === null && isDevices) return -1;
    const index = this.#areas.get(String(name));
    if (index === undefined) this.#fail(1, `area ${JSON.stringify(name)} is not among the areas`);
    return index;
  }

  #cpu(row: Row): number {
    const node = this.#cpuNode.get(this.#number(row, 1));
    if (node === undefined) this.#fail(1, `cpu ${String(row[1])} is not among the cpus`);
    return node;
  }
}
