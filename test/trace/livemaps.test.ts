import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveMaps } from '#cmasim/trace/join/livemaps.js';

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
      const live = new LiveMaps();
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
        expect(live.count).toBe(model.size);
      });
    }),
  );
});

test('a recording that never unmaps is bounded: old mappings are forgotten and counted', () => {
  const live = new LiveMaps();
  for (let i = 0; i < 600_000; i++) live.add(0, i * 4096, i);
  expect(live.count).toBe(2 ** 19);
  expect(live.forgotten).toBe(600_000 - 2 ** 19);
});
