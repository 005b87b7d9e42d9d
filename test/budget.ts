/**
 * CPU time of a test run: said before it begins, added up while it runs, and a failure where it is more.
 *
 * Wall clock decides nothing: it is the neighbours' as much as ours. Counted are the processes of the test
 * files, and the children they have waited for.
 */

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));
const TICK_MS = 10;

interface Told {
  readonly file: string;
  readonly cpuMs: number;
}

/** Children waited for: user and system, in ticks; nothing where there is no /proc. */
function childrenMs(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
    return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** What the process of a test file has taken since it began. */
export function tellCpu(testPath: string): void {
  const list = process.env.CMASIM_CPU_LIST;
  if (list === undefined) return;
  const { user, system } = process.cpuUsage();
  const told: Told = {
    file: relative(root, testPath),
    cpuMs: Math.round((user + system) / 1e3 + childrenMs()),
  };
  appendFileSync(list, `${JSON.stringify(told)}\n`);
}

const seconds = (ms: number): string => `${Math.round(ms / 1e3)} s`;

/** Vitest calls this once, before the first file, and what it returns after the last. */
export default function setup(project: TestProject): () => void {
  const { mode } = project.vite.config;
  const { limit, takes } = budgets[mode] ?? budgets.test;
  const folder = mkdtempSync(join(tmpdir(), 'cmasim-test-'));
  const list = join(folder, 'cpu.jsonl');
  writeFileSync(list, '');
  process.env.CMASIM_CPU_LIST = list;
  console.log(`${mode}: takes ${takes} of CPU time`);
  return () => {
    const lines = readFileSync(list, 'utf8').trim().split('\n').filter(Boolean);
    const told = lines.map((line): Told => JSON.parse(line)).sort((a, b) => b.cpuMs - a.cpuMs);
    rmSync(folder, { recursive: true });
    const { user, system } = process.cpuUsage();
    const sum = told.reduce((all, { cpuMs }) => all + cpuMs, (user + system) / 1e3);
    const top = told.slice(0, 3).map(({ file, cpuMs }) => `${file} ${seconds(cpuMs)}`);
    console.log(`${seconds(sum)} of CPU time; most of it ${top.join(', ')}`);
    const report = process.env.CMASIM_CPU_REPORT;
    if (report !== undefined) writeFileSync(report, JSON.stringify(told, null, 2));
    if (sum <= limit * 1e3) return;
    console.error(`expected at most ${limit} s of CPU time: what is new goes to *.long.test.ts`);
    // Neighbours on a core's other thread make the same work take up to twice as long.
    if (sum > 2 * limit * 1e3) process.exitCode = 1;
  };
}

/**
 * Seconds of CPU time, and what a run says at its start. Beside other work the same instructions take up to a
 * half more of it: caches and cores are shared.
 */
const budgets: Readonly<Record<string, { limit: number; takes: string }>> = {
  quick: { limit: 90, takes: 'about 30 seconds' },
  test: { limit: 270, takes: 'about 4.5 minutes' },
  long: { limit: 7200, takes: 'about half an hour' },
};
