/** The tables of a finished study: what DuckDB and hyparquet read back is what the runs said. */

import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { beforeAll, expect, test } from 'vitest';
import { query } from '#cmasim/study/duckdb.js';
import type { Engine, RunOne } from '#cmasim/study/engine.js';
import { meanInterval, pairedInterval, quantileInterval } from '#cmasim/study/intervals.js';
import type { Journal } from '#cmasim/study/journal.js';
import { parseStudy } from '#cmasim/study/load.js';
import { Maker } from '#cmasim/study/make.js';
import { finishResults, openResults, takeIn } from '#cmasim/study/results.js';
import { RunLedger } from '#cmasim/study/runLedger.js';
import { sweep } from '#cmasim/study/sweep.js';
import { temporary } from './harness.js';
import runSynthetic from './processes/runner.mjs';

const directory = temporary();
const study = parseStudy(
  `
scenario: { machine: { nodes: 2, memory: 1G }, kernel: "6.12" }
axes: { kernel: [v2, 5.10, 6.12], cmdline: [cma=16M, cma=0] }
replications: 9
quantiles: [0.5, 0.9]
baseline: { kernel: v2 }
labels: { rack: 7, who: me }
`,
  'study.yaml',
  { model: 'test' },
);
const maker = new Maker(runSynthetic as unknown as RunOne);
const engine: Engine = {
  ...{ width: 4, state: { text: '', redone: 0 }, close: async () => {} },
  run: (job) => maker.make(job),
};
let journal: Journal;

beforeAll(async () => {
  journal = await openResults(directory, study);
  await sweep({ study, journal, engine });
  const ledger = new RunLedger(study);
  expect(await takeIn(ledger, journal)).toBe(0);
  await finishResults(directory, study, { ledger, journal });
});

/** Values of a column over replications, by variant. */
async function values(column: string, statistic: string): Promise<number[][]> {
  const sql = `select variant, list(${column} order by replication) from runs
    where statistic = '${statistic}' and actor = '' group by variant order by variant`;
  const { rows } = await query(sql, [directory]);
  return rows.map(([, list]) => list as number[]);
}

test('one row per run and statistic, with axes and labels as columns', async () => {
  const { rows } = await query('select count(*)::int, count(distinct run)::int from runs', [
    directory,
  ]);
  // dma_alloc_ns, refused, and four numbers of the run itself.
  expect(rows).toEqual([[6 * 9 * 6, 6 * 9]]);
  const sql = 'select distinct kernel, cmdline, rack, who, policy from runs order by variant';
  const distinct = await query(`${sql.replace('distinct', 'distinct variant,')}`, [directory]);
  expect(distinct.rows.map((row) => row.slice(1))).toEqual([
    ['v2', 'cma=16M', 7, 'me', 'v2'],
    ['v2', 'cma=0', 7, 'me', 'v2'],
    ['5.10', 'cma=16M', 7, 'me', '5.10'],
    ['5.10', 'cma=0', 7, 'me', '5.10'],
    ['6.12', 'cma=16M', 7, 'me', '6.6'],
    ['6.12', 'cma=0', 7, 'me', '6.6'],
  ]);
});

test('DuckDB reads what the records hold, to the last bit', async () => {
  const p99 = await values('p99', 'dma_alloc_ns');
  const ledger = new RunLedger(study);
  for (const { variant, replication, run } of ledger.runs()) {
    const { stats } = await journal.read(run);
    const stat = stats.find(({ name }) => name === 'dma_alloc_ns')!;
    expect(p99[variant.index][replication]).toBe(stat.p99);
  }
});

test('the summary is what the intervals of the runs are', async () => {
  const p99 = await values('p99', 'dma_alloc_ns');
  const sql = `select mean, mean_low, mean_high, p50, p50_low, p90,
      difference, difference_low, baseline
    from summary where statistic = 'dma_alloc_ns' and measure = 'p99' order by variant`;
  const { rows } = await query(sql, [directory]);
  rows.forEach((row, variant) => {
    const { mean, low, high } = meanInterval(p99[variant], 0.95);
    const median = quantileInterval(p99[variant], 0.5, 0.95);
    const p90 = quantileInterval(p99[variant], 0.9, 0.95);
    expect(row.slice(0, 6)).toEqual([mean, low, high, median.value, median.low, p90.value]);
    const base = variant % 2;
    if (variant < 2) expect(row.slice(6)).toEqual([null, null, null]);
    else {
      const paired = pairedInterval(p99[variant], p99[base], 0.95);
      expect(row.slice(6)).toEqual([paired.mean, paired.low, base]);
    }
  });
});

test('any other reader of Parquet sees the same', async () => {
  const file = await asyncBufferFromFile(join(directory, 'runs.parquet'));
  const rows = await parquetReadObjects({ file });
  const { rows: counted } = await query('select count(*)::int, sum(p50) from runs', [directory]);
  expect(counted[0][0]).toBe(rows.length);
  const sum = rows.reduce((total, { p50 }) => total + ((p50 as number | null) ?? 0), 0);
  expect(counted[0][1]).toBeCloseTo(sum, 3);
});

test('of a wrong statement DuckDB says why; of an unfinished study, we do', async () => {
  await expect(query('select nonsense from runs', [directory])).rejects.toThrow(/nonsense/);
  await expect(query('select 1', [join(directory, 'journal')])).rejects.toThrow(
    /no results directory/,
  );
});
