/**
 * Operation files: what a real kernel was asked and did, one JSON value per line.
 *
 * Line 1 is the meta data, line 2 memblock around the reservation, line 3 areas, zones and
 * zonelists, then one operation per line. Areas, zones and zonelists come from the file, not from
 * our own boot, so that what is compared is allocation alone.
 */

import {
  type AreasRow,
  areasRow,
  laidOutRow,
  linesOf,
  metaRow,
  type RecordedLine,
  readRow,
} from '../boot/recordedRows.js';
import { emptyFile } from '../files/read.js';
import { GFP_KERNEL, parseGfp } from '../mm/gfp.js';
import type { MemoryLayout } from '../mm/layout.js';
import * as op from '../nodes/operations.js';
import { InputError } from '../trace/read/input.js';
import { checkLayout, layoutOf } from './operationLayout.js';

/** Policies a recording may name: the kernel's own, the June 2020 v2 patch, the one before it. */
const recordedPolicies: readonly string[] = ['m', 'v', 'p'];

export interface OperationFile {
  readonly file: string;
  readonly layout: MemoryLayout;
  /** Node of the CPU that runs the first operation. */
  readonly cpuNode: number;
  /** Number of the actor that replays; requests are named after it. */
  readonly replayer: number;
  /** Columns for the replayer, a row per operation. */
  readonly operations: Float64Array;
  /** The recorded rows, one per operation, and the line each stands on. */
  readonly rows: readonly RecordedRow[];
  readonly lines: readonly number[];
}

export type RecordedRow = readonly unknown[];

/** Reads a whole file's text. @throws InputError with file, line and column. */
export function readOperations(file: string, text: string): OperationFile {
  const lines = linesOf(file, text);
  if (lines.length === 0) throw emptyFile(file, 'operations');
  const [first, second, third, ...rest] = lines;
  if ((first.value as { type?: unknown } | null)?.type !== 'meta') {
    throw new InputError(file, '1:1', 'no operation file, expected {"type":"meta",…}');
  }
  if (third === undefined) {
    throw new InputError(file, `${lines.at(-1)?.line}:1`, 'ends before the line with areas');
  }
  const meta = readRow(metaRow, first.value, { file, line: first.line });
  const boot = readRow(laidOutRow, second.value, { file, line: second.line });
  const areas = readRow(areasRow, third.value, { file, line: third.line });
  const layout = layoutOf(meta, boot, areas);
  checkLayout(layout, { file, line: third.line });
  const cpuNode = areas.cpus[0]?.mem_node ?? layout.nodes[0].nid;
  const nidMax = meta.config.max_numnodes - 1;
  const kept = rest.filter(({ value }) => !Array.isArray(value) || value[0] !== 'note');
  const driver = new Driver(new Fields(file, { layout, areas, nidMax }), cpuNode);
  return {
    file,
    layout,
    cpuNode,
    replayer: layout.nodes.length + 1,
    operations: op.operationColumns(kept.map((line, row) => driver.operation(line, row))),
    rows: kept.map(({ value }) => value as RecordedRow),
    lines: kept.map(({ line }) => line),
  };
}

type Kind = (fields: Fields) => op.Operation;

/** Columns that each kind of row stands for. Field 1 is an id, under which pages are held. */
const kinds: Readonly<Record<string, Kind>> = {
  alloc: (fields) => ({
    code: op.OP_ALLOC,
    mode: 'contiguous',
    policy: fields.policy(2),
    devNode: fields.nid(3),
    bytes: fields.number(4),
    gfp: fields.gfp(5),
    area: fields.deviceArea(6),
  }),
  free: (fields) => ({
    code: op.OP_FREE,
    mode: 'contiguous',
    policy: fields.policy(2),
    devNode: fields.nid(3),
    bytes: fields.number(4, fields.bytesMax),
    offset: fields.number(5),
    area: fields.deviceArea(6),
  }),
  cma_alloc: (fields) => ({
    code: op.OP_ALLOC,
    mode: 'raw',
    area: fields.area(2),
    bytes: fields.pages(3),
    gfp: GFP_KERNEL,
    align: fields.number(4, 63),
  }),
  cma_release: (fields) => ({
    code: op.OP_FREE,
    mode: 'raw',
    area: fields.area(2),
    offset: fields.number(3),
    bytes: fields.pages(4),
  }),
  busy: (fields) => ({
    code: op.OP_BUSY,
    area: fields.area(2),
    offset: fields.number(3),
    bytes: fields.pages(4),
  }),
  unbusy: () => ({ code: op.OP_UNBUSY }),
  coherent: (fields) => ({
    code: op.OP_ALLOC,
    mode: 'coherent',
    devNode: fields.nid(2),
    bytes: fields.number(3),
    gfp: fields.gfp(4),
    mask: fields.number(5, 64),
  }),
  coherent_free: (fields) => ({
    code: op.OP_FREE,
    mode: 'coherent',
    devNode: fields.nid(2),
  }),
  state: (fields) => {
    fields.lists('an entry per area');
    return { code: op.OP_STATE };
  },
  zones: (fields) => {
    for (const node of fields.lists('an entry per node')) {
      fields.listsIn(node[5], 'zones in every node');
    }
    return { code: op.OP_ZONES };
  },
  cpu: (fields) => ({ code: op.OP_NONE, cpuNode: fields.memNode(1) }),
};

/** The driver that made the recording: one call after the other, on one CPU at a time. */
class Driver {
  readonly #fields: Fields;
  /** Id -> row of the latest operation that asked for something under it. */
  readonly #rowOf = new Map<number, number>();
  #cpuNode: number;

  constructor(fields: Fields, cpuNode: number) {
    this.#fields = fields;
    this.#cpuNode = cpuNode;
  }

  /** Columns of the row. */
  operation(line: RecordedLine, row: number): op.Operation {
    const fields = this.#fields;
    const asked = fields.kindOf(line)(fields);
    let target = -1;
    if (asked.code === op.OP_ALLOC || asked.code === op.OP_BUSY) {
      this.#rowOf.set(fields.number(1), row);
    } else if (asked.code === op.OP_FREE || asked.code === op.OP_UNBUSY) {
      target = this.#rowOf.get(fields.number(1)) ?? -1;
    }
    this.#cpuNode = asked.cpuNode ?? this.#cpuNode;
    asked.target = target;
    asked.after = row - 1;
    asked.cpuNode = this.#cpuNode;
    return asked;
  }
}

/** Bytes, pages and ids of recordings stay far below; sums of them stay exact. */
const quantityMax = 2 ** 48;

/** Fields of one row at a time, each checked as it is read. */
class Fields {
  readonly #file: string;
  readonly #areas: ReadonlyMap<string, number>;
  readonly #memNode: ReadonlyMap<number, number>;
  readonly #nidMax: number;
  readonly #pageSize: number;
  /** Nothing that is freed is larger than all there is. */
  readonly bytesMax: number;
  #row: RecordedRow = [];
  #line = 0;

  constructor(
    file: string,
    { layout, areas, nidMax }: { layout: MemoryLayout; areas: AreasRow; nidMax: number },
  ) {
    const zones = layout.nodes.flatMap((node) => node.zones);
    this.#file = file;
    this.#nidMax = nidMax;
    this.#pageSize = 2 ** layout.pageShift;
    this.bytesMax = zones.reduce((sum, { present }) => sum + present, 0) * this.#pageSize;
    this.#areas = new Map(layout.areas.map((area) => [area.name, area.index]));
    this.#memNode = new Map(areas.cpus.map((cpu) => [cpu.cpu, cpu.mem_node]));
  }

  /** Goes on to this line's row. */
  kindOf({ line, value }: RecordedLine): Kind {
    this.#line = line;
    if (!Array.isArray(value)) return this.#fail('not an operation, expected an array');
    this.#row = value;
    const name = String(value[0]);
    if (Object.hasOwn(kinds, name)) return kinds[name];
    return this.#fail(`operation "${name}", expected alloc, free, cma_alloc, …`, 2);
  }

  #fail(message: string, column = 1): never {
    throw new InputError(this.#file, `${this.#line}:${column}`, message);
  }

  /** A whole number: a count, bytes, or an order. */
  number(at: number, most = quantityMax): number {
    return this.#whole(at, { least: 0, most });
  }

  /** A number of pages, in bytes. */
  pages(at: number): number {
    return this.number(at) * this.#pageSize;
  }

  nid(at: number): number {
    return this.#whole(at, { least: -1, most: this.#nidMax });
  }

  #whole(at: number, { least, most }: { least: number; most: number }): number {
    const value = this.#row[at];
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
      return value;
    }
    const found = `field ${at} of "${this.#row[0]}" is ${JSON.stringify(value)}`;
    return this.#fail(`${found}, expected a whole number from ${least} to ${most}`);
  }

  /** The row's only field: a list of lists. */
  lists(what: string): unknown[][] {
    return this.listsIn(this.#row[1], what);
  }

  listsIn(value: unknown, what: string): unknown[][] {
    if (Array.isArray(value) && value.every(Array.isArray)) return value;
    return this.#fail(`${JSON.stringify(value)?.slice(0, 40)}, expected a list with ${what}`);
  }

  policy(at: number): number {
    const policy = recordedPolicies.indexOf(String(this.#row[at]));
    if (policy >= 0) return policy;
    return this.#fail(`policy ${JSON.stringify(this.#row[at])}, expected m, v or p`);
  }

  gfp(at: number): number {
    const { bits, unknown } = parseGfp(String(this.#row[at]));
    if (unknown.length === 0) return bits;
    return this.#fail(`gfp flag "${unknown[0]}", expected names such as KERNEL`);
  }

  area(at: number): number {
    const name = this.#row[at];
    const index = this.#areas.get(String(name));
    return index ?? this.#fail(`area ${JSON.stringify(name)} is not among the areas`);
  }

  /** dev->cma_area; null: the device has none. */
  deviceArea(at: number): number {
    return this.#row[at] === null ? -1 : this.area(at);
  }

  /** Node from which a CPU allocates. */
  memNode(at: number): number {
    const node = this.#memNode.get(this.number(at));
    return node ?? this.#fail(`cpu ${String(this.#row[at])} is not among the cpus`);
  }
}
