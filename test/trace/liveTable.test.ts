import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { LiveMemory } from '#cmasim/trace/join/livememory.js';
import { LiveTable } from '#cmasim/trace/join/liveTable.js';

const operations = fc.array(
  fc.record({
    add: fc.boolean(),
    device: fc.integer({ min: 0, max: 3 }),
    page: fc.integer({ min: 0, max: 40 }),
  }),
  { maxLength: 400 },
);

test('any sequence of maps and unmaps leaves what a plain map would hold', () => {
  fc.assert(
    fc.property(operations, (plan) => {
      const live = new LiveTable<number, number>(1 << 19);
      const model = new Map<string, number>();
      plan.forEach(({ add, device, page }, time) => {
        const address = page * 4096 + (page % 7) * 2 ** 32;
        const key = `${device} ${address}`;
        if (add) {
          expect(live.add(device, address, time)).toBe(!model.has(key));
          model.set(key, time);
        } else {
          expect(live.remove(device, address)).toBe(model.get(key));
          model.delete(key);
        }
        expect(live.size).toBe(model.size);
      });
    }),
  );
});

test('a recording that never unmaps is bounded: old mappings are forgotten and counted', () => {
  const live = new LiveTable<number, number>(1_000);
  for (let i = 0; i < 3_000; i++) live.add(0, i * 4096, i);
  expect([live.size, live.forgotten]).toEqual([1_000, 2_000]);
  expect([live.remove(0, 1_999 * 4096), live.remove(0, 2_000 * 4096)]).toEqual([undefined, 2_000]);
});

test('what is forgotten is not searched from the front each time', () => {
  const searches = vi.spyOn(Map.prototype, 'keys');
  const memory = new LiveMemory();
  for (let pfn = 0; pfn < 300_000; pfn++) memory.claim({ area: 'numa0', pfn, count: 1, time: pfn });
  const { length } = searches.mock.calls;
  searches.mockRestore();
  expect(length).toBe(1);
  expect([...memory.claims()]).toHaveLength(2 ** 18);
});
