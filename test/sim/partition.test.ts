import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutLookahead, lookaheadRange, partition } from '#cmasim/sim/partition.js';

const even = (count: number): number[] => new Array(count).fill(1);

/** Weight per shard. */
function loads(weights: number[], shardOf: ArrayLike<number>, shards: number): number[] {
  const sums = new Array(shards).fill(0);
  weights.forEach((weight, group) => {
    sums[shardOf[group]] += weight;
  });
  return sums;
}

test('chassis stay whole, so that windows are as wide as the links between them', () => {
  // Nodes of a chassis are dealt out like cards: number says nothing about nearness.
  const lookahead = (a: number, b: number): number => (a % 4 === b % 4 ? 40 : 300);
  const cut = partition({ weights: even(32), lookahead }, 4);
  expect(cut.lookahead).toBe(300);
  expect(loads(even(32), cut.shardOf, 4)).toEqual([8, 8, 8, 8]);
});

test('a wide window is not bought with a lopsided cut', () => {
  // Nodes 0 to 6 are near each other, 7 is far: 7 against 1 would be wide and useless.
  const lookahead = (a: number, b: number): number => (a === 7 || b === 7 ? 1_000 : 50);
  const cut = partition({ weights: even(8), lookahead }, 2);
  expect(loads(even(8), cut.shardOf, 2)).toEqual([4, 4]);
  expect(cut.lookahead).toBe(50);
});

test('one shard has no cut, and there are never more shards than groups', () => {
  expect(partition({ weights: even(5), lookahead: 9 }, 1).lookahead).toBe(Number.POSITIVE_INFINITY);
  expect(partition({ weights: even(3), lookahead: 9 }, 8)).toMatchObject({
    shards: 3,
    lookahead: 9,
  });
});

test('every shard has groups, no shard is much heavier than it must be, and the cut is what it says', () => {
  const groups = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }),
    chassis: fc.integer({ min: 1, max: 8 }),
    shards: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(groups, ({ weights, chassis, shards }) => {
      const lookahead = (a: number, b: number): number =>
        100 * (1 + Math.abs(Math.floor(a / chassis) - Math.floor(b / chassis)));
      const cut = partition({ weights, lookahead }, shards);
      expect(new Set(cut.shardOf).size).toBe(cut.shards);
      expect(cut.lookahead).toBe(cutLookahead({ weights, lookahead }, cut.shardOf));
      const total = weights.reduce((sum, w) => sum + w, 0);
      const least = Math.max(total / cut.shards, ...weights);
      // Heaviest first is within 4/3 of the best, and imbalance for width is capped.
      expect(Math.max(...loads(weights, cut.shardOf, cut.shards))).toBeLessThanOrEqual(2 * least);
      const { least: near, most } = lookaheadRange({ weights, lookahead });
      if (cut.shards > 1) expect(cut.lookahead).toBeGreaterThanOrEqual(near);
      if (cut.shards > 1) expect(cut.lookahead).toBeLessThanOrEqual(most);
    }),
  );
});
