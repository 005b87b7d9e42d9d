/** The commands, with the simulator itself: what they print, where, and how they end. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cmasim } from '../cli/command.js';
import { bytesOf, temporary } from './harness.js';

const directory = temporary();
const file = join(directory, 'nics.yaml');
writeFileSync(
  file,
  `
title: rings of a NIC
scenario:
  kernel: "6.12"
  config: { DMA_NUMA_CMA: y }
  machine: { nodes: 2, memory: 512M, cpus: 2 }
  devices: { nic: { kind: hns3, node: 1, traffic: poisson, interval: 1ms } }
  stop: 30ms
axes: { cmdline: [cma=0, "cma=16M", "cma=16M cma_pernuma=16M"] }
replications: 8
`,
);

test('sweep leaves a results directory and prints a row per variant', async () => {
  const results = join(directory, 'whole');
  const { code, out, err } = await cmasim(['sweep', file, '-o', results]);
  expect(err).toMatch(/^nics: 24 of 24 runs, .* threads?\n$/);
  expect(code).toBe(0);
  expect(readdirSync(results).sort()).toEqual(
    ['journal', 'runs.jsonl', 'runs.parquet', 'study.json', 'summary.parquet'].sort(),
  );
  const rows = out.split('\n').filter((line) => line.startsWith('  cma='));
  expect(rows.map((row) => row.trim().split(/ {2,}/)[1])).toEqual(['8', '8', '8']);
});

test('three shards, made in any order, merge to the bytes of the whole', async () => {
  const parts = ['3', '1', '2'].map((i) => [i, join(directory, `part${i}`)] as const);
  for (const [i, part] of parts) {
    const { code, err } = await cmasim([
      'sweep',
      file,
      '-o',
      part,
      '--shard',
      `${i}/3`,
      '--jobs',
      '1',
    ]);
    expect(err).toContain(`shard ${i}/3 is done: cmasim merge puts the shards together`);
    expect(code).toBe(0);
  }
  const merged = join(directory, 'merged');
  const some = await cmasim(['merge', merged, parts[0][1], parts[1][1]]);
  expect(some.code).toBe(1);
  expect(some.err).toMatch(/8 runs are lacking/);
  const all = await cmasim(['merge', merged, ...parts.map(([, part]) => part)]);
  expect(all.code).toBe(0);
  expect(bytesOf(merged)).toEqual(bytesOf(join(directory, 'whole')));
});

test('with --json one document on standard output, and one event per line beside it', async () => {
  const results = join(directory, 'json');
  const { out, err } = await cmasim(['sweep', file, '-o', results, '--json', '--jobs', '1']);
  const document = JSON.parse(out);
  expect(document).toMatchObject({ format: 'cmasim-sweep/1', runs: 24, made: 24, complete: true });
  const p99 = document.statistics.find(
    (one: { name: string; variant: number }) =>
      one.name === 'dma_alloc_ns.p99' && one.variant === 0,
  );
  expect(p99).toMatchObject({ unit: 'ns', count: 8 });
  const events = err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.filter(({ event }) => event === 'run').length).toBe(24);
  expect(events.at(-1)).toMatchObject({ event: 'end', there: 24, failed: 0 });
});

test('variants of a scenario with a device of its own are documents times axes', async () => {
  const own = join(directory, 'own.yaml');
  const scenario = new URL('../../scenarios/own-device.yaml', import.meta.url).pathname;
  writeFileSync(own, `scenario: ${scenario}\naxes: { kernel: [6.6, 6.12] }\nreplications: 2\n`);
  const results = join(directory, 'own');
  const { code, out, err } = await cmasim(['sweep', own, '-o', results, '--jobs', '1', '--json']);
  expect(code, err).toBe(0);
  const { variants } = JSON.parse(out);
  expect(variants.map(({ values }: { values: object }) => values)).toEqual([
    { document: 1, kernel: 6.6 },
    { document: 2, kernel: 6.6 },
    { document: 1, kernel: 6.12 },
    { document: 2, kernel: 6.12 },
  ]);
});

test('query answers in a table, as JSON and as CSV', async () => {
  const sql = `select cmdline, sum(count) as local from runs
    where statistic = 'placed.node.local' and actor = '' group by all order by all`;
  const results = join(directory, 'whole');
  const { out } = await cmasim(['query', sql, results, '--csv']);
  expect(out).toMatch(/^cmdline,local\ncma=16M cma_pernuma=16M,\d+\n$/);
  const json = JSON.parse((await cmasim(['query', sql, results, '--json'])).out);
  expect(json).toMatchObject({ format: 'cmasim-query/1', columns: ['cmdline', 'local'] });
  const { code, err } = await cmasim(['query', 'selct 1', results]);
  expect(code).toBe(2);
  expect(err).toMatch(/^cmasim: Parser Error/);
});

test('query lists every request of the runs one asks about', async () => {
  const sql = `select cmdline, served_from, count(*)::int as n from requests
    where local group by all order by n desc limit 1`;
  const results = join(directory, 'whole');
  const { out, err } = await cmasim(['query', sql, results, '--requests', '2/0,2/1', '--json']);
  expect(err).toBe('');
  const [row] = JSON.parse(out).rows;
  expect(row).toMatchObject({ cmdline: 'cma=16M cma_pernuma=16M' });
  expect(row.n).toBeGreaterThan(0);
  const wrong = await cmasim(['query', sql, results, '--requests', '9/0']);
  expect(wrong.err).toBe('cmasim: variant 9 is not in the study, expected 0 to 2\n');
});

test.each([
  [['sweep', 'nowhere.yaml'], /^nowhere.yaml: no such file\n$/],
  [['sweep', file, '--shard', '4/3'], /expected i\/n with i from 1 to n/],
  [['sweep', file, '--engine', 'http://x'], /expected redis:\/\/host:port/],
  [['sweep', file, '-o', directory], /holds something else, expected a new directory\n$/],
  [['merge', join(directory, 'out'), directory], /no study.json, expected a results directory\n$/],
  [['size', file, '--avoid', 'rain'], /rain, expected a list of refused, remote, buddy, default/],
])('%j is a mistake of one line, exit 2', async (args, message) => {
  const { code, err } = await cmasim(args as string[]);
  expect(err).toMatch(message as RegExp);
  expect(code).toBe(2);
});
