/**
 * Whatever is written into a scenario: it loads and its kernel boots, or one line says what is
 * wrong.
 */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { deviceModels } from '#cmasim/devices/registry.js';
import { BootFailed, planRun } from '#cmasim/run/plan.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import { UserError } from '#cmasim/text/userError.js';
import { cases } from '../cases.js';
import { anyDocument, readable } from './anyScenario.js';

const folder = new URL('../../scenarios/', import.meta.url);
const texts = readdirSync(folder)
  // A thousand nodes boot a thousand times slower.
  .filter((name) => name.endsWith('.yaml') && !name.startsWith('rack'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));
const documents = texts.flatMap((text) =>
  parseAllDocuments(text)
    .slice(0, 1)
    .map((one) => one.toJS() as unknown),
);

const oneLine = /^s\.yaml:[1-9]\d*:[1-9]\d*: [^\n]+$/;

/** Loads every document and boots it; anything but the one-line errors fails the test. */
function digest(text: string): void {
  try {
    for (const scenario of parseScenario(text, 's.yaml')) {
      planRun(scenario, { interpreted: false, checks: false });
    }
  } catch (error) {
    if (error instanceof BootFailed) return;
    if (!(error instanceof UserError)) throw error;
    expect(error.message).toMatch(oneLine);
  }
}

const words = [
  'all',
  'y',
  'n',
  '',
  'buddy',
  'cma=1P',
  'numa_cma=0:4G',
  '4K',
  '1.5',
  '0x10',
  '16M',
  '99999999999P',
  '-1',
  '1us',
  '1000000s',
  'hns3',
  'smmuv3',
  'allocator',
  'write',
  'UP',
  'toString',
  'constructor',
  '__proto__',
  'v2',
  '5.7',
  '7.2-rc',
  'kunpeng920-2p',
  'rpi4',
  'refused == 0',
  '((',
  'x: y',
  '*a',
  '\u0000',
  '\ud83d',
]; // prettier-ignore
const numbers = [0, -0, -1, 0.5, 1, 2, 64, 1023, 1024, 4096, 2 ** 32, 2 ** 53, 1e300, -1e300];
const wrong: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...words),
  fc.constantFrom(...numbers, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constantFrom(
    null,
    true,
    false,
    [],
    {},
    [[]],
    [0, 1],
    [
      [10, 20],
      [20, 10],
    ],
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Steps into a document, and what is done where they end. */
const change = fc.record({
  steps: fc.array(fc.nat(20), { maxLength: 5 }),
  how: fc.constantFrom('replace', 'remove', 'add', 'rename'),
  key: fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 })),
  value: wrong,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(value: unknown, { steps, how, key, value: put }: Change): unknown {
  const [step, ...rest] = steps;
  if (typeof value !== 'object' || value === null || step === undefined) return put;
  const entries = Object.entries(value);
  const at = step % Math.max(1, entries.length);
  const entry = entries[at];
  if (!entry || rest.length === 0) {
    if (how === 'add' || !entry) entries.splice(at, 0, [key, put]);
    else if (how === 'remove') entries.splice(at, 1);
    else entries[at] = how === 'rename' ? [key, entry[1]] : [entry[0], put];
  } else {
    entries[at] = [entry[0], changed(entry[1], { steps: rest, how, key, value: put })];
  }
  return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

test('a document with values replaced, removed, added and renamed', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.constantFrom(...documents),
        anyDocument.map((text) => JSON.parse(text) as unknown),
      ),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (document, changes) => {
        digest(stringify(changes.reduce<unknown>(changed, document)));
      },
    ),
    cases(500),
  );
});

test('what is drawn at random has devices of every kind, and most of it loads and boots', () => {
  const drawn = fc.sample(anyDocument, { numRuns: 200, seed: 1 });
  const kinds = deviceModels().filter(({ kind }) => kind !== 'smmu-cpu');
  for (const { kind } of kinds) expect(drawn.join()).toContain(`"kind":"${kind}"`);
  const read = drawn.filter((text) => readable(text) !== null);
  expect(read.length).toBeGreaterThan(120);
});

test('a text with characters changed, cut out and put in', () => {
  const edit = fc.record({
    at: fc.nat(2500),
    drop: fc.nat(30),
    put: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        '&a ',
        '*a',
        '<<: *a',
        '---\n',
        '!!str ',
        '\t',
        '? ',
        '{',
        '[',
        "'",
        '|\n',
        '%',
        '\ufeff',
        '\r',
      ),
    ),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(edit, { minLength: 1, maxLength: 6 }),
      (text, edits) => {
        digest(
          edits.reduce((t, { at, drop, put }) => t.slice(0, at) + put + t.slice(at + drop), text),
        );
      },
    ),
    cases(250),
  );
});

test('the shipped scenarios are what is mutated: they load and boot', () => {
  expect(documents.length).toBeGreaterThan(4);
  for (const text of texts) {
    expect(parse(text.split('---')[0])).toHaveProperty('kernel');
    // Where they lie: one names a module beside it.
    for (const scenario of parseScenario(text, new URL('s.yaml', folder).pathname)) {
      planRun(scenario, { interpreted: false, checks: false });
    }
  }
});
