/**
 * The schema that editors complete from is the one the loader checks by.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scenarioJsonSchema } from '#cmasim/scenario/jsonSchema.js';
import { loadScenario } from '#cmasim/scenario/load.js';

const scenarios = new URL('../../scenarios/', import.meta.url);
const files = readdirSync(scenarios).filter((name) => name.endsWith('.yaml'));

test('scenarios/scenario.schema.json is what `cmasim schema` prints', () => {
  const file = readFileSync(new URL('scenario.schema.json', scenarios), 'utf8');
  expect(file).toBe(`${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`);
});

test('every key has a sentence', () => {
  const missing: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { properties } = schema as { properties?: Record<string, { description?: string }> };
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (!value.description) missing.push(`${path}.${key}`);
    }
    for (const [key, value] of Object.entries(schema)) visit(value, `${path}.${key}`);
  };
  visit(scenarioJsonSchema(), '');
  // The verb of a timeline entry is described by the entry.
  expect(missing.filter((path) => !path.endsWith('.do'))).toEqual([]);
});

test.each(files)('%s loads, is at most 40 lines, and begins with what to notice', (name) => {
  const file = new URL(name, scenarios);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(40);
  expect(lines[0]).toBe('# yaml-language-server: $schema=./scenario.schema.json');
  expect(lines.slice(1, 6).join(' ')).toMatch(/^# .*Notice/);
  expect(loadScenario(file.pathname).length).toBeGreaterThan(0);
});

test('the table of contents names every scenario', () => {
  const readme = readFileSync(new URL('README.md', scenarios), 'utf8');
  for (const name of files) expect(readme).toContain(`(${name})`);
});
