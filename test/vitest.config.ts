/**
 * What `npm test`, `test:quick` and `test:long` run: `--mode` test (the default), quick or long.
 *
 * `*.long.test.ts` are campaigns. Quick are the folders listed here, without the files that start processes
 * or threads. Long are the campaigns, and every file of properties with many times the cases.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
const all = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => ({
    path: `test/${name}`,
    text: readFileSync(new URL(name, import.meta.url), 'utf8'),
  }));

const isCampaign = (path: string): boolean => path.endsWith('.long.test.ts');
/** Rooms whose tests take seconds. */
const quickRooms = /^test\/(mm|text|machine|wire|scenario|nodes|devices|trace)\//;
const startsSomething = /child_process|spawn|startScript|shards: [2-9]|ShardPool|runShards/;

const chosen: Readonly<Record<string, (file: (typeof all)[number]) => boolean>> = {
  quick: ({ path, text }) =>
    quickRooms.test(path) && !isCampaign(path) && !startsSomething.test(text),
  test: ({ path }) => !isCampaign(path),
  long: ({ path, text }) => isCampaign(path) || text.includes("from 'fast-check'"),
};
const factors: Readonly<Record<string, string>> = { quick: '0.1', test: '0.4', long: '10' };

export default defineConfig(({ mode }) => ({
  root,
  test: {
    include: all.filter(chosen[mode] ?? chosen.test).map(({ path }) => path),
    setupFiles: ['test/setup.ts'],
    globalSetup: ['test/budget.ts'],
    env: { CMASIM_CASES: process.env.CMASIM_CASES ?? factors[mode] ?? '1' },
    // What is tested is what ships: `#cmasim/*` resolves to dist/, which vite leaves as it is.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    maxWorkers: 2,
    // A hang ends one day; nothing that works is ever near it, however busy the machine.
    testTimeout: mode === 'long' ? 3_600_000 : 600_000,
    hookTimeout: mode === 'long' ? 3_600_000 : 600_000,
  },
}));
