/**
 * Every scenario prints what stands beside it, to the last digit of its fingerprint. A changed output is
 * changed on purpose: `npm run golden` writes them anew.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadScenario } from '#cmasim/index.js';
import { cmasim } from './cli/command.js';

const root = new URL('../', import.meta.url);
const folder = new URL('scenarios/', root);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''));

/** Fourteen million events: the benchmark runs it. */
const tooLarge = new Set(['rack-1024']);

describe('what a scenario prints is what NAME.out says', () => {
  test.each(names.filter((name) => !tooLarge.has(name)))('%s', async (name) => {
    const out = new URL(`${name}.out`, folder);
    expect(existsSync(out), `${name}.out is there`).toBe(true);
    const file = fileURLToPath(new URL(`${name}.yaml`, folder));
    const run = await cmasim(['run', file]);
    expect(run.err).toBe('');
    expect(run.out).toBe(readFileSync(out, 'utf8'));
    expect(run.code, 'every expectation holds').toBe(0);
  });
});

describe('a scenario is short and says what to notice', () => {
  test.each(names)('%s', (name) => {
    const text = readFileSync(new URL(`${name}.yaml`, folder), 'utf8');
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(45);
    expect(lines[0]).toBe('# yaml-language-server: $schema=./scenario.schema.json');
    expect(lines[1]).toMatch(/^# /);
    const scenarios = loadScenario(fileURLToPath(new URL(`${name}.yaml`, folder)));
    for (const { expect: expectations } of scenarios)
      expect(expectations.length).toBeGreaterThan(0);
  });
});

test('the table of contents has every scenario', () => {
  const contents = readFileSync(new URL('README.md', folder), 'utf8');
  for (const name of names) expect(contents).toContain(`(${name}.yaml)`);
});
