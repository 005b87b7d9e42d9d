/**
 * Every scenario prints what stands beside it, to the last digit of its fingerprint. A changed output is
 * changed on purpose: `npm run golden` writes them anew.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadScenario } from '#cmasim/index.js';
import { expectGolden, fileOf, folder, names, slow, tooLarge } from './goldens.js';

describe('what a scenario prints is what NAME.out says', () => {
  test.each(names.filter((name) => !tooLarge.has(name) && !slow.has(name)))('%s', expectGolden);
});

describe('a scenario is short and says what to notice', () => {
  test.each(names)('%s', (name) => {
    const text = readFileSync(fileOf(name), 'utf8');
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(45);
    expect(lines[0]).toBe('# yaml-language-server: $schema=./scenario.schema.json');
    expect(lines[1]).toMatch(/^# /);
    const scenarios = loadScenario(fileOf(name));
    for (const { expect: expectations } of scenarios)
      expect(expectations.length).toBeGreaterThan(0);
  });
});

test('the table of contents has every scenario', () => {
  const contents = readFileSync(new URL('README.md', folder), 'utf8');
  for (const name of names) expect(contents).toContain(`(${name}.yaml)`);
});
