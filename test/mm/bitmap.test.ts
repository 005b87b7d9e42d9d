/** The bitmap against an array of booleans: small spaces completely, large ones at random. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Bitmap,
  bitmapClear,
  bitmapFindNextZeroAreaOff,
  bitmapHash,
  bitmapMaxZeroRun,
  bitmapRanges,
  bitmapRuns,
  bitmapSet,
  bitmapTest,
  bitmapWeight,
  bitmapZalloc,
} from '#cmasim/mm/alloc/bitmap.js';
import { cases } from '../cases.js';
import { bitmapDraw } from './drawing.js';

/** The search by trying every index in turn. */
function naiveSearch(
  bits: ArrayLike<number>,
  start: number,
  nr: number,
  mask: number,
  offset: number,
): number {
  for (let i = start; i + nr <= bits.length; i++) {
    if (((i + offset) & mask) !== 0) continue;
    let free = 0;
    while (free < nr && bits[i + free] === 0) free++;
    if (free === nr) return i;
  }
  return -1;
}

/** `X` is a set bit. */
function drawn(drawing: string, offset = 0): Bitmap {
  const map = bitmapZalloc(drawing.length, offset);
  for (let i = 0; i < drawing.length; i++) if (drawing[i] === 'X') bitmapSet(map, i, 1);
  return map;
}

test('every search in every bitmap of 12 bits finds what trying each index finds', () => {
  let wrong = 0;
  const bits = new Uint8Array(12);
  for (let value = 0; value < 4096; value++) {
    const map = bitmapZalloc(12);
    for (let i = 0; i < 12; i++) {
      bits[i] = (value >> i) & 1;
      if (bits[i] === 1) bitmapSet(map, i, 1);
    }
    for (const mask of [0, 1, 3, 7]) {
      for (let offset = 0; offset <= mask; offset++) {
        for (let nr = 1; nr <= 13; nr++) {
          for (let start = 0; start <= 12; start++) {
            const index = bitmapFindNextZeroAreaOff(map, start, nr, mask, offset);
            if (index !== naiveSearch(bits, start, nr, mask, offset)) wrong++;
          }
        }
      }
    }
  }
  expect(wrong).toBe(0);
});

test('alignment is of the absolute page, not of the bit', () => {
  const map = drawn('X...............', 3);
  expect(bitmapFindNextZeroAreaOff(map, 0, 4, 3, 3)).toBe(1);
  expect(bitmapFindNextZeroAreaOff(map, 2, 4, 3, 3)).toBe(5);
});

test('a request larger than any hole is refused although enough bits are zero', () => {
  expect(bitmapFindNextZeroAreaOff(drawn('XX..XX..XX..XX..'), 0, 4, 0, 0)).toBe(-1);
});

/** One step of a random life: search and set what is found, or clear a range. */
interface Step {
  readonly clear: boolean;
  readonly at: number;
  readonly nr: number;
  readonly order: number;
  readonly start: boolean;
}

function step(size: number, longest: number, orders: number): fc.Arbitrary<Step> {
  return fc.record({
    clear: fc.boolean(),
    at: fc.nat(size - 1),
    nr: fc.integer({ min: 1, max: longest }),
    order: fc.nat(orders),
    start: fc.boolean(),
  });
}

/** Lives the steps in both; every search must agree, and so must everything that is counted. */
function agree(size: number, offset: number, steps: readonly Step[]): void {
  const map = bitmapZalloc(size, offset);
  const bits = new Uint8Array(size);
  for (const { clear, at, nr, order, start } of steps) {
    if (clear) {
      const length = Math.min(nr * 4, size - at);
      const held = bits.subarray(at, at + length).reduce((sum, bit) => sum + bit, 0);
      expect(bitmapWeight(map, at, length)).toBe(held);
      expect(bitmapClear(map, at, length)).toBe(held);
      bits.fill(0, at, at + length);
      continue;
    }
    const mask = 2 ** order - 1;
    const from = start ? at : 0;
    const index = bitmapFindNextZeroAreaOff(map, from, nr, mask, offset & mask);
    expect(index).toBe(naiveSearch(bits, from, nr, mask, offset & mask));
    if (index < 0) continue;
    expect(bitmapSet(map, index, nr)).toBe(nr);
    bits.fill(1, index, index + nr);
  }
  expect(map.weight).toBe(bits.reduce((sum, bit) => sum + bit, 0));
  expect(bitmapDraw(map)).toBe(Array.from(bits, (bit) => (bit ? 'X' : '.')).join(''));
}

test('random lives of bitmaps of odd sizes and offsets equal the naive model', () => {
  const life = fc
    .tuple(fc.integer({ min: 1, max: 3000 }), fc.nat(5000))
    .chain(([size, offset]) =>
      fc.tuple(
        fc.constant(size),
        fc.constant(offset),
        fc.array(step(size, Math.max(1, size >> 3), 12), { maxLength: 120, size: 'max' }),
      ),
    );
  fc.assert(
    fc.property(life, ([size, offset, steps]) => agree(size, offset, steps)),
    cases(150),
  );
});

test('windows whose alignment does not meet the blocks are found all the same', () => {
  const steps = fc.array(step(2048, 200, 9), { maxLength: 100, size: 'max' });
  fc.assert(
    fc.property(steps, fc.nat(600), (list, offset) => {
      const map = bitmapZalloc(2048, 0);
      const bits = new Uint8Array(2048);
      for (const { at, nr, order } of list) {
        const mask = 2 ** order - 1;
        const index = bitmapFindNextZeroAreaOff(map, 0, nr, mask, offset & mask);
        expect(index).toBe(naiveSearch(bits, 0, nr, mask, offset & mask));
        const from = index < 0 ? at : index;
        const to = Math.min(2048, from + nr);
        if (index < 0) bitmapClear(map, from, to - from);
        else bitmapSet(map, from, nr);
        bits.fill(index < 0 ? 0 : 1, from, to);
      }
    }),
    cases(60),
  );
});

test('a full life of 262 144 bits equals the search without an index', () => {
  const size = 262_144;
  const map = bitmapZalloc(size);
  const held: [number, number][] = [];
  let state = 7;
  const random = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let i = 0; i < 6000; i++) {
    const nr = random(20) === 0 ? 1 + random(6000) : 1 + random(300);
    const mask = 2 ** Math.min(8 + random(4), 32 - Math.clz32(nr - 1)) - 1;
    // A bitmap without knowledge walks every word: the plain search of lib/bitmap.c.
    const plain = { ...map, slots: map.slots.slice().fill(0) };
    const index = bitmapFindNextZeroAreaOff(map, 0, nr, mask, 0);
    expect(index).toBe(bitmapFindNextZeroAreaOff(plain, 0, nr, mask, 0));
    if (index >= 0) {
      bitmapSet(map, index, nr);
      held.push([index, nr]);
    }
    while (held.length > 0 && (index < 0 || map.weight > size * 0.95)) {
      const [gone] = held.splice(random(held.length), 1);
      bitmapClear(map, gone![0], gone![1]);
      if (map.weight < size * 0.9) break;
    }
  }
  expect(map.weight).toBe(held.reduce((sum, [, nr]) => sum + nr, 0));
});

test('runs, ranges and the longest zero run are those of the drawing', () => {
  const drawing = fc.string({ unit: fc.constantFrom('X', '.'), minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(drawing, (text) => {
      const map = drawn(text);
      const runs = text.match(/X+/g) ?? [];
      expect(bitmapDraw(map)).toBe(text);
      expect(bitmapRuns(map)).toBe(runs.length);
      expect(bitmapRanges(map).map(([, length]) => length)).toEqual(runs.map((r) => r.length));
      for (const [start] of bitmapRanges(map)) expect(bitmapTest(map, start)).toBe(1);
      const holes = text.match(/\.+/g) ?? [];
      expect(bitmapMaxZeroRun(map)).toBe(Math.max(0, ...holes.map((hole) => hole.length)));
    }),
  );
});

test('clearing what is not set is counted, and changes nothing', () => {
  const map = drawn('XX..XX..');
  expect(bitmapClear(map, 1, 4)).toBe(2);
  expect(bitmapDraw(map)).toBe('X....X..');
});

test('the hash is FNV-1a over the bytes, lowest bit first', () => {
  expect(bitmapHash(bitmapZalloc(0))).toBe(0x811c9dc5);
  // FNV-1a of the byte 0x61, the letter a.
  expect(bitmapHash(drawn('X....XX.'))).toBe(0xe40c292c);
});

test('an idle bitmap holds no words', () => {
  const map = bitmapZalloc(262_144);
  expect(bitmapFindNextZeroAreaOff(map, 0, 300, 255, 0)).toBe(0);
  expect(map.words.length + map.slots.length).toBe(0);
});
