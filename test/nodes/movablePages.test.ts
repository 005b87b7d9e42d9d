import { expect, test } from 'vitest';
import { Bytes, Nid, Ns } from '#cmasim/mm/units.js';
import { Movable } from '#cmasim/nodes/movablePages.js';
import type { Wiring } from '#cmasim/nodes/wiring.js';
import type { Zones } from '#cmasim/nodes/zones.js';

/** Node 0 without areas, with `free` pages and a watermark of 10: what programs on it hold, and lose. */
function node(free: number) {
  const dropped: number[] = [];
  const state = { free, mark: 10 };
  const zones = {
    freeOther: () => state.free,
    mark: () => state.mark,
    hold: (_nid: number, pages: number) => {
      state.free -= pages;
      return pages;
    },
    drop: (_nid: number, pages: number) => {
      state.free += pages;
      dropped.push(pages);
    },
  } as unknown as Zones;
  const wiring = {
    layout: { areas: [], pageShift: 12 },
    rules: { movableUsesCma: 'last' },
  } as unknown as Wiring;
  const movable = new Movable(wiring, zones, () => {
    throw new Error('expected no area to be asked for');
  });
  return { movable, state, dropped };
}

test('a page that is partly dirty is not clean: of seven pages half clean, kswapd drops three', () => {
  const { movable, state, dropped } = node(17);
  const rest = { cma: null, renew: Ns(0), pinned: 0, pin: Ns(0) };
  movable.begin({ nid: Nid(0), movable: Bytes(7 * 4096), clean: 0.5, ...rest });
  expect(state.free).toBe(10);
  state.mark = 100;
  movable.settle(0, 1000);
  expect(dropped).toEqual([3]);
  // Of the four that are left, two.
  movable.settle(0, 2000);
  expect(dropped).toEqual([3, 2]);
});
