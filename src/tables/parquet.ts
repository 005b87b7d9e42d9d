/**
 * Tables as Parquet files, written a row group at a time: what DuckDB, pandas and Polars read.
 *
 * The same rows give the same bytes. Left out: nested columns, other codecs than Snappy.
 */

import { replaceFile, writeAll } from '../files/write.js';

export type ColumnValue = string | number | boolean | null;

export interface TableColumn<Row> {
  readonly name: string;
  readonly type: 'STRING' | 'DOUBLE' | 'INT32' | 'BOOLEAN';
  of(row: Row): ColumnValue | undefined;
}

/** Rows per group: a few megabytes in memory. */
const rowGroupSize = 20_000;

/** Replaces a file with these rows; it is there whole or not at all. Throws StorageError. */
export async function writeTable<Row>(
  path: string,
  columns: readonly TableColumn<Row>[],
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<void> {
  // Loaded on demand: most commands write no table.
  const { ByteWriter, parquetWriteRows } = await import('hyparquet-writer');
  await replaceFile(path, async (file) => {
    const writer = new ByteWriter();
    // Called after every row group: what the encoder has collected goes to the file.
    const flush = async () => {
      await writeAll(file, writer.getBytes());
      writer.index = 0;
    };
    await parquetWriteRows({
      writer: Object.assign(writer, { flush, finish: flush }),
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
): AsyncGenerator<Record<string, ColumnValue>> {
  for await (const row of rows) {
    const entries = columns.map(({ name, type, of }) => [name, cell(of(row), type)] as const);
    yield Object.fromEntries(entries);
  }
}

function cell(value: ColumnValue | undefined, type: TableColumn<never>['type']): ColumnValue {
  if (value === undefined || value === null) return null;
  if (type === 'STRING') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** Type of a column that holds these values. */
export function columnType(values: Iterable<NonNullable<ColumnValue>>): TableColumn<never>['type'] {
  const types = new Set([...values].map((value) => typeof value));
  if (types.size > 1) return 'STRING';
  return types.has('number') ? 'DOUBLE' : types.has('boolean') ? 'BOOLEAN' : 'STRING';
}
