/**
 * The language of `expect`, held against an evaluator that knows no grammar: JavaScript's own.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ExpressionError,
  judge,
  type Lookup,
  namesIn,
  parseExpression,
} from '#cmasim/scenario/expect.js';
import { cases } from '../cases.js';

const values: Readonly<Record<string, number>> = {
  cmd_sync_ns: 560,
  refused: 0,
  'nic1.placed.default': 12,
  'smmu@2.1.dma_unmap_ns': 1300,
};
const lookup: Lookup = (name, measure) => {
  const value = values[name];
  return value === undefined ? undefined : value + (measure === 'p99' ? 100 : 0);
};
const verdict = (text: string) => judge(parseExpression(text), lookup);

/** Text of our language and of JavaScript's with the same meaning, in pairs. */
type Both = readonly [ours: string, js: string];
const number: fc.Arbitrary<Both> = fc.oneof(
  fc.nat(2000).map((n): Both => [`${n}`, `${n}`]),
  fc.nat(20).map((n): Both => [`${n}us`, `${n * 1000}`]),
  fc.constantFrom(...Object.keys(values)).map((name): Both => [name, `${values[name]}`]),
  fc
    .constantFrom(...Object.keys(values))
    .map((name): Both => [`${name}.p99`, `${values[name] + 100}`]),
);
const { sum } = fc.letrec<{ sum: Both; term: Both; factor: Both }>((tie) => ({
  factor: fc.oneof(
    { maxDepth: 3 },
    number,
    tie('sum').map(([a, b]): Both => [`(${a})`, `(${b})`]),
    tie('factor').map(([a, b]): Both => [`- ${a}`, `(- ${b})`]),
  ),
  term: fc.oneof(
    { maxDepth: 3 },
    tie('factor'),
    fc
      .tuple(tie('term'), fc.constantFrom('*'), tie('factor'))
      .map(([a, op, b]): Both => [`${a[0]}${op}${b[0]}`, `${a[1]}${op}${b[1]}`]),
  ),
  sum: fc.oneof(
    { maxDepth: 3 },
    tie('term'),
    fc
      .tuple(tie('sum'), fc.constantFrom('+', '-'), tie('term'))
      .map(([a, op, b]): Both => [`${a[0]} ${op} ${b[0]}`, `${a[1]} ${op} ${b[1]}`]),
  ),
}));
const compare: fc.Arbitrary<Both> = fc
  .tuple(sum, fc.constantFrom('<', '<=', '==', '!=', '>=', '>'), sum)
  .map(([a, op, b]): Both => [`${a[0]} ${op} ${b[0]}`, `((${a[1]}) ${op} (${b[1]}))`]);
const { or } = fc.letrec<{ or: Both; and: Both; not: Both }>((tie) => ({
  not: fc.oneof(
    { maxDepth: 3 },
    compare,
    tie('not').map(([a, b]): Both => [`not ${a}`, `!${b}`]),
    tie('or').map(([a, b]): Both => [`(${a})`, `(${b})`]),
  ),
  and: fc.oneof(
    { maxDepth: 3 },
    tie('not'),
    fc
      .tuple(tie('and'), tie('not'))
      .map(([a, b]): Both => [`${a[0]} and ${b[0]}`, `${a[1]} && ${b[1]}`]),
  ),
  or: fc.oneof(
    { maxDepth: 3 },
    tie('and'),
    fc
      .tuple(tie('or'), tie('and'))
      .map(([a, b]): Both => [`${a[0]} or ${b[0]}`, `${a[1]} || ${b[1]}`]),
  ),
}));

test('any expression is judged as JavaScript judges the same expression', () => {
  fc.assert(
    fc.property(or, ([ours, js]) => {
      // Only numbers, operators and parentheses made above.
      const naive: unknown = new Function(`return (${js})`)();
      expect(verdict(ours).ok).toBe(naive);
    }),
    cases(500),
  );
});

test('within N % of is inclusive, and counts from what stands behind it', () => {
  expect(verdict('cmd_sync_ns within 12% of 500')).toEqual({ ok: true, value: 560 });
  expect(verdict('cmd_sync_ns within 11.9% of 500').ok).toBe(false);
  expect(verdict('532 within 5% of cmd_sync_ns').ok).toBe(true);
  expect(verdict('531 within 5% of cmd_sync_ns').ok).toBe(false);
});

test('the value shown is the left side of the comparison that decided', () => {
  expect(verdict('refused == 0 and cmd_sync_ns < 500')).toEqual({ ok: false, value: 560 });
  expect(verdict('refused == 0 or cmd_sync_ns < 500')).toEqual({ ok: true, value: 0 });
  expect(verdict('cmd_sync_ns.p99 > 600')).toEqual({ ok: true, value: 660 });
});

test('a statistic that does not exist makes every comparison with it false', () => {
  expect(verdict('nothing < 5')).toEqual({ ok: false, value: null });
  expect(verdict('nothing >= 5').ok).toBe(false);
  expect(verdict('nothing != 5').ok).toBe(false);
});

test('names hold the @ and the dots of expanded devices, and end in a measure', () => {
  const names = namesIn(
    parseExpression('smmu@2.1.cmd_sync_ns.p99 + a.b > nic0@3.placed.default.local'),
  );
  expect(names.map(({ name, measure }) => [name, measure])).toEqual([
    ['smmu@2.1.cmd_sync_ns', 'p99'],
    ['a.b', null],
    ['nic0@3.placed.default.local', null],
  ]);
});

test.each([
  ['', 0, 'the end, expected a statistic or a number'],
  ['a >', 3, 'the end, expected a statistic or a number'],
  ['a', 0, 'a number, expected a comparison'],
  ['a > 3 and b', 10, 'a number, expected a comparison'],
  ['(a > 3) + 1 > 2', 0, 'a comparison, expected a number'],
  ['1 < a < 3', 6, '<, expected and, or, or the end: comparisons do not chain'],
  ['a > 3 b', 6, 'b, expected the end, an operator or a comparison'],
  ['a > 3parsecs', 4, 'unit parsecs, expected one of %, ns, us, ms, s, K, M, G, T, P'],
  ['a within 5 of 3', 9, '5, expected a percentage such as 5%'],
  ['a within 5% 3', 12, '3, expected of'],
  ['a > (3', 6, 'the end, expected )'],
  ['a = 3', 2, '=, expected a statistic, a number or an operator'],
])('%j is refused at character %i: %s', (text, offset, message) => {
  let caught: unknown;
  try {
    parseExpression(text);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(ExpressionError);
  expect(caught).toMatchObject({ offset, message });
});
