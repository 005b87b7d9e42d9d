/**
 * `cmasim query 'select …' DIR…`: SQL over the tables of results directories.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type QueryResult, query } from '../study/duckdb.js';
import { type RunChoice, writeRequests } from '../study/requestsTable.js';
import { readStudy } from '../study/results.js';
import { type Cell, table } from '../text/table.js';
import { print, printJson } from './output.js';

interface QueryOptions {
  readonly requests?: readonly RunChoice[];
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function queryCommand(): Command {
  return new Command('query')
    .summary('ask the tables of finished sweeps in SQL')
    .description(
      'Runs a DuckDB statement over two views: `runs`, one row per run and statistic, and ' +
        '`summary`,\n' +
        'one row per variant and statistic. Of several directories the views hold all rows. ' +
        'With\n' +
        '--requests a third, `requests`, has a row per request of single runs, which are made ' +
        'again\n' +
        'for it. DuckDB must be installed (npm install @duckdb/node-api); the files are plain ' +
        'Parquet,\n' +
        'so anything else reads them.',
    )
    .argument('<sql>', "a statement: 'select nics, mean from summary where statistic = ...'")
    .argument('[dir...]', 'results directories; the current one unless given')
    .option('--requests <list>', 'add the view `requests`: of runs VARIANT/REPLICATION,…', choices)
    .option('--json', 'print one document')
    .addOption(new Option('--csv', 'print comma-separated values').conflicts('json'))
    .action(ask);
}

function choices(value: string): RunChoice[] {
  return value.split(',').map((one): RunChoice => {
    const [, variant, replication] = /^(\d+)\/(\d+)$/.exec(one) ?? [];
    if (replication === undefined) {
      throw new InvalidArgumentError(
        'expected VARIANT/REPLICATION such as 3/0, or several of them',
      );
    }
    return { variant: Number(variant), replication: Number(replication) };
  });
}

async function ask(sql: string, given: string[], options: QueryOptions): Promise<void> {
  const directories = given.length > 0 ? given : ['.'];
  const temporary = mkdtempSync(join(tmpdir(), 'cmasim-query-'));
  try {
    const requests: string[] = [];
    for (const [i, directory] of options.requests ? directories.entries() : []) {
      const path = join(temporary, `${i}.parquet`);
      await writeRequests(path, readStudy(directory), options.requests!);
      requests.push(path);
    }
    const result = await query(sql, directories, requests);
    if (options.json) printJson(document(result));
    else if (options.csv) print(csv(result));
    else print(text(result));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
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
