/** What a scenario prints, against what stands beside it. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { cmasim } from './cli/command.js';

export const folder = new URL('../scenarios/', import.meta.url);
export const names = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''));
export const fileOf = (name: string): string => fileURLToPath(new URL(`${name}.yaml`, folder));

/** Fourteen million events: the benchmark runs it. */
export const tooLarge = new Set(['rack-1024']);

/** Seconds each: only the campaign compares what they print. */
export const slow = new Set([
  'cma-starves',
  'numa-cma-truncated',
  'nvme-hmb',
  'own-device',
  'pinned-pages',
  'policy-proposals',
  'server-busy',
  'slots-exhausted',
  'smmu-msi-sev',
  'smmu-unmap-contention',
  'spurious-busy',
]);

export async function expectGolden(name: string): Promise<void> {
  const out = new URL(`${name}.out`, folder);
  expect(existsSync(out), `${name}.out is there`).toBe(true);
  const run = await cmasim(['run', fileOf(name)]);
  expect(run.err).toBe('');
  expect(run.out).toBe(readFileSync(out, 'utf8'));
  expect(run.code, 'every expectation holds').toBe(0);
}
