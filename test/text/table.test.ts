/**
 * Text for people: alignment, numbers, units, and colour only where it is wanted.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numberText, paint, percentText, sizeText, table, timeText } from '#cmasim/text/table.js';

test('columns are aligned, numbers to the right, and no line ends in a space', () => {
  const lines = table(
    [{ title: 'area' }, { title: 'used', right: true }, { title: 'note' }],
    [
      ['reserved', 3136, ''],
      ['numa1', null, 'full'],
    ],
  );
  expect(lines).toEqual(['area       used  note', 'reserved  3 136', 'numa1         -  full']);
});

test('every cell of a table begins or ends in its column', () => {
  const cell = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
      const lines = table([{ title: 'a' }, { title: 'b', right: true }], rows);
      const width = Math.max(...lines.map((line) => line.length));
      expect(lines.every((line) => line.length === width)).toBe(true);
    }),
  );
});

test.each([
  [0, '0'],
  [1234567, '1 234 567'],
  [153.4, '153'],
  [60.42, '60.4'],
  [0.00123, '0.00123'],
  [Number.NaN, '-'],
])('the number %d reads %s', (value, text) => {
  expect(numberText(value)).toBe(text);
});

test.each([
  [4096, '4 KiB'],
  [64 * 2 ** 20, '64 MiB'],
  [3 * 2 ** 20 + 2048, '3 074 KiB'],
  [100, '100 B'],
])('%d bytes read %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test.each([
  [240, '240 ns'],
  [1500, '1.5 us'],
  [10e6, '10 ms'],
  [2.5e9, '2.5 s'],
])('%d ns read %s', (ns, text) => {
  expect(timeText(ns)).toBe(text);
});

test('a share that is nearly all or nearly nothing never reads as all or nothing', () => {
  expect([1, 0.9999, 0.25, 0.0001, 0, null].map(percentText)).toEqual([
    '100 %',
    '>99.9 %',
    '25 %',
    '<0.1 %',
    '0 %',
    '-',
  ]);
});

test('without colour, text stays as it is', () => {
  const { bold, good, bad, dim } = paint({ colour: false });
  expect([bold, good, bad, dim].map((ink) => ink('x'))).toEqual(['x', 'x', 'x', 'x']);
  expect(paint({ colour: true }).bad('x')).toBe('\u001b[31mx\u001b[0m');
});
