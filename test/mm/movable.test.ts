import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cmaDrift,
  cmaShare,
  drawBorrowed,
  type MovableRule,
  poisson,
} from '#cmasim/mm/alloc/movable.js';
import { Stream } from '#cmasim/sim/random.js';

const stream = (seed: number) => new Stream([seed, seed ^ 0x5bd1e995, 0x9e3779b9, 1]);

/** __rmqueue() page by page: which kind each of `pages` faults is served from. */
function oneByOne(rule: MovableRule, pages: number, freeCma: number, freeOther: number): number {
  let [cma, other] = [freeCma, freeOther];
  for (let page = 0; page < pages; page++) {
    const fromCma = other === 0 || (cma > 0 && rule === 'above half' && cma > (cma + other) / 2);
    if (fromCma) cma -= 1;
    else other -= 1;
  }
  return freeCma - cma;
}

const rules = fc.constantFrom<MovableRule>('last', 'above half');

test('pages placed at once lie where page after page would have come to lie', () => {
  fc.assert(
    fc.property(rules, fc.nat(200), fc.nat(200), fc.nat(400), (rule, cma, other, wanted) => {
      const pages = Math.min(wanted, cma + other);
      const share = cmaShare(rule, pages, cma, other);
      expect(Math.abs(share - oneByOne(rule, pages, cma, other))).toBeLessThanOrEqual(1);
      expect(share).toBeGreaterThanOrEqual(Math.max(0, pages - other));
      expect(share).toBeLessThanOrEqual(Math.min(cma, pages));
    }),
  );
});

test('last: CMA pages are not touched while others are free', () => {
  expect(cmaShare('last', 100, 1000, 100)).toBe(0);
  expect(cmaShare('last', 101, 1000, 100)).toBe(1);
});

test('above half: the kind that is ahead is used up to the other, then both alike', () => {
  expect(cmaShare('above half', 300, 1000, 700)).toBe(300);
  expect(cmaShare('above half', 500, 1000, 700)).toBe(400);
  expect(cmaShare('above half', 500, 700, 1000)).toBe(100);
});

test('renewed pages leave CMA where it comes last, and enter it where most of what is free is CMA', () => {
  const full = { borrowed: 100, other: 900, freeCma: 0, freeOther: 500 };
  expect(cmaDrift('last', 100, full)).toBe(-10);
  const empty = { borrowed: 0, other: 900, freeCma: 1000, freeOther: 100 };
  expect(cmaDrift('above half', 100, empty)).toBe(100);
  expect(cmaDrift('above half', 100, { borrowed: 0, other: 0, freeCma: 9, freeOther: 9 })).toBe(0);
});

test('a draw of borrowed pages never exceeds what there is, in the window or in the area', () => {
  fc.assert(
    fc.property(
      fc.nat(500),
      fc.nat(500),
      fc.nat(500),
      fc.nat(9),
      (window, borrowed, rest, seed) => {
        const free = Math.max(window, borrowed) + rest;
        const drawn = drawBorrowed(stream(seed), window, borrowed, free);
        expect(drawn).toBeGreaterThanOrEqual(Math.max(0, window - (free - borrowed)));
        expect(drawn).toBeLessThanOrEqual(Math.min(window, borrowed));
      },
    ),
  );
});

test.each([
  [4, 1000, 10_000],
  [256, 5000, 16_384],
  [8000, 3000, 16_384],
])('windows of %i pages hold their share of %i borrowed in %i', (window, borrowed, free) => {
  const draws = stream(window);
  let sum = 0;
  for (let i = 0; i < 20_000; i++) sum += drawBorrowed(draws, window, borrowed, free);
  const mean = (window * borrowed) / free;
  expect(sum / 20_000 / mean).toBeCloseTo(1, 1);
});

test('an area that programs have filled is in the way page by page', () => {
  expect(drawBorrowed(stream(1), 300, 4096, 4096)).toBe(300);
});

test('poisson has its mean', () => {
  const draws = stream(7);
  let sum = 0;
  for (let i = 0; i < 50_000; i++) sum += poisson(draws, 3.5);
  expect(sum / 50_000).toBeCloseTo(3.5, 1);
});
