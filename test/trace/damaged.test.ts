/**
 * Operation files and boots that were cut short or changed: read as far as they make sense, or one
 * line with the place.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readBoots } from '#cmasim/boot/recorded.js';
import { readOperations } from '#cmasim/replay/operationFile.js';
import { UserError } from '#cmasim/text/userError.js';
import { cases } from '../cases.js';
import { replayInline } from '../nodes/harness.js';

const rowsOf = (name: string, from: number, count: number) =>
  gunzipSync(readFileSync(new URL(`../kernel/oracle/${name}.jsonl.gz`, import.meta.url)))
    .toString()
    .split('\n')
    .slice(from, from + count);
const recordings = ['c04_4node_both', 'c07_v2_2node', 'r2k_coh', 'r2k_raw_busy'].map((name) =>
  rowsOf(name, 0, 60),
);
const boots = rowsOf('boots', 0, 6);

/** Null, or the line that says what is wrong; any other error fails the test. */
function refusal(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.message).toMatch(/^f:[1-9]\d*:[1-9]\d*: [^\n]+$/);
    return error.message;
  }
}

test('a recording cut anywhere but behind a row is refused at its last row', () => {
  fc.assert(
    fc.property(fc.constantFrom(...recordings), fc.nat(), (rows, at) => {
      const text = rows.join('\n');
      const cut = text.slice(0, at % text.length);
      const whole = /[\]}]\n?$/.test(cut) && cut.split('\n').length >= 3;
      const message = refusal(() => readOperations('f', cut));
      if (message === null) expect(whole).toBe(true);
      else if (cut.trim() !== '') expect(message).toMatch(`f:${cut.trimEnd().split('\n').length}:`);
    }),
    cases(300),
  );
});

const odd = fc.constantFrom<unknown>(
  null,
  true,
  -1,
  0,
  1,
  1.5,
  4097,
  2 ** 31,
  2 ** 53,
  1e300,
  '',
  'x',
  '__proto__',
  [],
  [1],
  {},
  'm',
); // prettier-ignore

/** The value with one thing inside it replaced, or taken out. */
function damaged(value: unknown, [step, ...steps]: readonly number[], put: unknown): unknown {
  if (typeof value !== 'object' || value === null || step === undefined) return put;
  const entries = Object.entries(value);
  const at = step % Math.max(1, entries.length);
  const entry = entries[at];
  if (!entry || step % 7 === 6) entries.splice(at, 1);
  else entries[at] = [entry[0], damaged(entry[1], steps, put)];
  return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

const damage = fc.record({
  // The first three rows describe the kernel; as many mistakes as in all others together.
  row: fc.oneof(fc.nat(2), fc.nat(59)),
  steps: fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }),
  put: odd,
});

function damagedRows(
  rows: readonly string[],
  { row, steps, put }: { row: number; steps: readonly number[]; put: unknown },
): string {
  const at = row % rows.length;
  return rows
    .map((text, i) => (i === at ? JSON.stringify(damaged(JSON.parse(text), steps, put)) : text))
    .join('\n');
}

test('a recording with a value changed is replayed, or refused with its place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...recordings), damage, async (rows, change) => {
      const text = damagedRows(rows, change);
      if (refusal(() => readOperations('f', text)) === null) await replayInline(text);
    }),
    cases(250),
  );
});

test('a recorded boot with a value changed is read, or refused with its place', () => {
  fc.assert(
    fc.property(damage, (change) => {
      refusal(() => readBoots('f', damagedRows(boots, change)));
    }),
    cases(500),
  );
});
