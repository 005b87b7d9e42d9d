/**
 * Tables as Parquet files, written a row group at a time: what DuckDB, pandas and Polars read.
 *
 * The same rows give the same bytes. Left out: nested columns, other codecs than Snappy.
 */

import type { FileHandle } from 'node:fs/promises';
import { ByteWriter, parquetWriteRows } from 'hyparquet-writer';
import { replaceFile, writeAll } from './durable.js';
import type { AxisValue } from './study.js';

export type Cell = string | number | boolean | null;

export interface TableColumn<Row> {
  readonly name: string;
  readonly type: 'STRING' | 'DOUBLE' | 'INT32' | 'BOOLEAN';
  of(row: Row): Cell | undefined;
}

/** Rows per group: a few megabytes in memory. */
const rowGroupSize = 20_000;

/** Replaces a file with these rows; it is there whole or not at all. Throws StorageError. */
export async function writeTable<Row>(
  path: string,
  columns: readonly TableColumn<Row>[],
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<void> {
  await replaceFile(path, async (file) => {
    await parquetWriteRows({
      writer: new FileWriter(file),
      columns: columns.map(({ name, type }) => ({ name, type, nullable: true })),
      rows: cells(columns, rows),
      rowGroupSize,
      createdBy: 'cmasim',
    });
  });
}

async function* cells<Row>(
  columns: readonly TableColumn<Row>[],
  rows: AsyncIterable<Row> | Iterable<Row>,
): AsyncGenerator<Record<string, Cell>> {
  for await (const row of rows) {
    const entries = columns.map(({ name, type, of }) => [name, cell(of(row), type)] as const);
    yield Object.fromEntries(entries);
  }
}

function cell(value: Cell | undefined, type: TableColumn<never>['type']): Cell {
  if (value === undefined || value === null) return null;
  if (type === 'STRING') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** Type of a column that holds these values. */
export function columnType(values: Iterable<AxisValue>): TableColumn<never>['type'] {
  const types = new Set([...values].map((value) => typeof value));
  if (types.size > 1) return 'STRING';
  return types.has('number') ? 'DOUBLE' : types.has('boolean') ? 'BOOLEAN' : 'STRING';
}

/** Collects what the encoder writes and hands it to the file after every row group. */
class FileWriter extends ByteWriter {
  private readonly file: FileHandle;

  constructor(file: FileHandle) {
    super();
    this.file = file;
  }

  async flush(): Promise<void> {
    await writeAll(this.file, this.getBytes());
    this.index = 0;
  }

  override async finish(): Promise<void> {
    await this.flush();
  }
}
