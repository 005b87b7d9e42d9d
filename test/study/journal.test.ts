/** The journal: what was added is there, whatever was cut off, changed or written twice. */

import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal } from '#cmasim/study/journal.js';
import { cases } from '../cases.js';
import { temporary } from './harness.js';

const directory = temporary();
let directories = 0;
const fresh = () => join(directory, String(directories++));
const name = (i: number) => i.toString(16).padStart(64, '0');
const record = (i: number) => JSON.stringify({ run: name(i), text: 'ä'.repeat(i % 7) });

async function filled(at: string, ...numbers: readonly number[]): Promise<void> {
  const journal = await Journal.open(at);
  await Promise.all(numbers.map((i) => journal.add(name(i), record(i))));
  await journal.close();
}

function segments(at: string): string[] {
  return readdirSync(join(at, 'journal')).map((file) => join(at, 'journal', file));
}

test('runs added by several processes, some twice, are all there once', async () => {
  const at = fresh();
  await filled(at, 1, 2, 3);
  await filled(at, 3, 4);
  const journal = await Journal.open(at);
  expect(journal.runs().sort()).toEqual([1, 2, 3, 4].map(name));
  for (const i of [1, 2, 3, 4]) expect(await journal.readText(name(i))).toBe(record(i));
  await journal.close();
});

test('a segment cut off anywhere holds the runs before the cut, and one torn record', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 999 }), async (permille) => {
      const at = fresh();
      await filled(at, 1, 2, 3, 4, 5);
      const [segment] = segments(at);
      const text = readFileSync(segment!);
      const size = Math.floor((text.length * permille) / 1000);
      truncateSync(segment!, size);
      const whole = text.subarray(0, size).toString().split('\n').length - 1;
      const isCut = size > 0 && text[size - 1] !== 10;
      const journal = await Journal.open(at);
      expect(journal.size).toBe(whole);
      expect(journal.torn).toBe(isCut ? 1 : 0);
      await journal.close();
    }),
    cases(25),
  );
});

test('a record with one byte changed is torn, those around it are not', async () => {
  const at = fresh();
  await filled(at, 1, 2, 3);
  const [segment] = segments(at);
  const text = readFileSync(segment!);
  const second = text.indexOf(10) + 90;
  text[second] = text[second] ^ 1;
  writeFileSync(segment!, text);
  const journal = await Journal.open(at);
  expect(journal.runs()).toEqual([1, 3].map(name));
  expect(journal.torn).toBe(1);
  await journal.close();
});

test('compacted, runs are in the order asked for, then by name, segments are gone', async () => {
  const at = fresh();
  await filled(at, 5, 1, 9);
  await filled(at, 2);
  const journal = await Journal.open(at);
  await journal.add(name(7), record(7));
  await journal.compact([9, 2].map(name));
  expect(segments(at)).toEqual([]);
  const lines = readFileSync(join(at, 'runs.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => line.slice(9, 73))).toEqual([9, 2, 1, 5, 7].map(name));
  // It goes on from there.
  await journal.add(name(8), record(8));
  await journal.close();
  const again = await Journal.open(at);
  expect(again.size).toBe(6);
  expect(await again.readText(name(5))).toBe(record(5));
  await again.close();
});

test('a record of another run under this name is refused', async () => {
  const at = fresh();
  const journal = await Journal.open(at);
  await journal.add(name(1), record(2));
  await expect(journal.read(name(1))).rejects.toThrow('the record is of');
  await journal.close();
});
