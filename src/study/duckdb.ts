/**
 * SQL over the tables of results directories, through DuckDB where it is installed.
 *
 * DuckDB is an optional peer: a native library of tens of megabytes that nothing else needs.
 */

import { join } from 'node:path';
import { exists } from '../files/read.js';
import { UserError } from '../text/userError.js';
import { runsTable, summaryTable } from './results.js';

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Views of a query: `runs` and `summary`, of one directory or of several together; `requests`, if
 * files of that table are given.
 */
export async function query(
  sql: string,
  directories: readonly string[],
  requests: readonly string[] = [],
): Promise<QueryResult> {
  const duckdb = await load();
  const instance = await duckdb.DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const views = {
      runs: directories.map((directory) => tableFile(directory, runsTable)),
      summary: directories.map((directory) => tableFile(directory, summaryTable)),
      ...(requests.length > 0 ? { requests } : {}),
    };
    for (const [view, files] of Object.entries(views)) {
      const list = files.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ');
      await connection.run(
        `create view ${view} as select * from read_parquet([${list}], union_by_name = true)`,
      );
    }
    const reader = await connection.runAndReadAll(sql);
    return { columns: reader.columnNames(), rows: reader.getRowsJson() };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(null, (error as Error).message.split('\n').slice(0, 4).join('\n'));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function tableFile(directory: string, file: string): string {
  const path = join(directory, file);
  if (exists(path)) return path;
  const what = exists(join(directory, 'study.json'))
    ? 'the study is not finished: run the same sweep again'
    : 'no results directory';
  throw new UserError({ file: directory }, what);
}

async function load(): Promise<typeof import('@duckdb/node-api')> {
  try {
    return await import('@duckdb/node-api');
  } catch {
    throw new UserError(null, 'DuckDB is not installed: npm install @duckdb/node-api');
  }
}
