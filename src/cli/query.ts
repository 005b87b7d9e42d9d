/**
 * `cmasim query 'select …' DIR…`: SQL over the tables of results directories.
 */

import { Command, Option } from 'commander';
import { DuckDbMissing, QueryError, type QueryResult, query } from '../experiment/duckdb.js';
import { type Cell, table } from '../report/table.js';
import { print, printJson } from './output.js';
import { UsageError } from './usage.js';

interface QueryOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function queryCommand(): Command {
  return new Command('query')
    .summary('ask the tables of finished sweeps in SQL')
    .description(
      'Runs a DuckDB statement over two views: `runs`, one row per run and statistic, and `summary`, one\n' +
        'row per variant and statistic. Of several directories the views hold all rows. DuckDB must be\n' +
        'installed (npm install @duckdb/node-api); the files are plain Parquet, so anything else reads them.',
    )
    .argument('<sql>', "a statement: 'select nics, mean from summary where statistic = ...'")
    .argument('[dir...]', 'results directories; the current one unless given')
    .option('--json', 'print one document')
    .addOption(new Option('--csv', 'print comma-separated values').conflicts('json'))
    .action(ask);
}

async function ask(sql: string, directories: string[], options: QueryOptions): Promise<void> {
  try {
    const result = await query(sql, directories.length > 0 ? directories : ['.']);
    if (options.json) printJson(document(result));
    else if (options.csv) print(csv(result));
    else print(text(result));
  } catch (error) {
    if (error instanceof DuckDbMissing || error instanceof QueryError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}

function document({ columns, rows }: QueryResult) {
  const objects = rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
  return { format: 'cmasim-query/1', columns, rows: objects };
}

function text({ columns, rows }: QueryResult): string {
  const right = columns.map((_, i) => rows.every((row) => typeof row[i] !== 'string'));
  const cells = rows.map((row) => row.map(cellOf));
  return table(
    columns.map((title, i) => ({ title, right: right[i] ?? false })),
    cells,
  ).join('\n');
}

function cellOf(value: unknown): Cell {
  if (value === null || typeof value === 'number' || typeof value === 'string') return value;
  return JSON.stringify(value);
}

function csv({ columns, rows }: QueryResult): string {
  const field = (value: unknown) => {
    const plain = value === null ? '' : String(cellOf(value));
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return [columns, ...rows].map((row) => row.map(field).join(',')).join('\n');
}
