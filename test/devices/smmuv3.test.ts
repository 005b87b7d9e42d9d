import { expect, test } from 'vitest';
import { queueShift, tlbiCount } from '#cmasim/devices/kinds/smmu/smmuMemory.js';
import { smmuv3 } from '#cmasim/devices/kinds/smmu/smmuv3.js';
import { environment, footprintOf, run } from './world.js';

const footprint = (config: object, kernel = environment) =>
  footprintOf(smmuv3, config, kernel).map(
    ({ purpose, bytes, count, cma }) => `${count} ${purpose} ${bytes}${cma ? ' cma' : ''}`,
  );
const kernel64k = { ...environment, pageSize: 65_536, maxPageOrder: 13 };

test('a probe with 4K pages asks for three queues of 1 MiB and an L1 table', () => {
  const { asked, ends } = run({ devices: [{ kind: 'smmuv3', nid: 1 }] });
  expect(asked).toEqual([
    '0 alloc 1048576 for 1',
    '100 alloc 1048576 for 1',
    '200 alloc 1048576 for 1',
    '300 alloc 2048 for 1',
  ]);
  expect(ends[0]).toMatchObject({ state: 'smmuv3.ready.idle', pagesHeld: 769 });
});

test('a queue that is refused is halved, and the last attempt is below a page', () => {
  const asked = run({
    devices: [{ kind: 'smmuv3', config: { cmdqs: 10, eventqs: 2 } }],
    serve: (_bytes, nid, count) => (count === 0 ? nid : -1),
  }).asked.map((line) => line.split(' ').slice(1, 3).join(' '));
  expect(asked).toEqual(['alloc 16384', 'alloc 128', 'free 16384']);
  const halved = run({
    devices: [{ kind: 'smmuv3', config: { cmdqs: 10 } }],
    serve: (bytes, nid) => (bytes > 4096 ? -1 : nid),
  });
  expect(halved.asked.slice(0, 4).map((line) => Number(line.split(' ')[2]))).toEqual([
    16384, 8192, 4096, 1_048_576,
  ]);
  expect(halved.ends[0].state).toBe('smmuv3.ready.idle');
});

test('when no queue fits the probe fails and everything granted so far is freed in reverse', () => {
  const { asked, ends, sum } = run({
    devices: [{ kind: 'smmuv3', config: { cmdqs: 10, eventqs: 8, priqs: 8 } }],
    serve: (_bytes, nid, count) => (count < 2 ? nid : -1),
  });
  const sizes = asked.map((line) => line.split(' ').slice(1, 3).join(' '));
  // 4096 = PAGE_SIZE is halved once more; 2048 is less than a page, and the last.
  expect(sizes).toEqual([
    'alloc 16384',
    'alloc 8192',
    'alloc 4096',
    'alloc 2048',
    'free 8192',
    'free 16384',
  ]);
  expect(ends[0]).toMatchObject({ state: 'smmuv3.failed', pagesHeld: 0 });
  expect(sum('refused')).toBe(2);
});

test('CMD_SYNC is 3.5 transfers and the execution: 240 ns at home', () => {
  const sync = (serve?: () => number) =>
    run({
      devices: [{ kind: 'smmuv3', config: { sync_count: 20 } }],
      oneWay: 76,
      ...(serve ? { serve } : {}),
    }).min('cmd_sync_ns');
  expect(sync()).toBe(3.5 * 60 + 30);
  expect(sync(() => 1)).toBe(7 * 76 + 30);
});

test('polling for an event instead of a message leaves the queue out of the completion', () => {
  const { min } = run({
    devices: [{ kind: 'smmuv3', config: { sync_count: 2, completion: 'sev' } }],
  });
  expect(min('cmd_sync_ns')).toBe(2 * 60 + 30 + 17);
});

test('an unmap is one TLBI per page without range invalidation, in lists of 64', () => {
  const unmap = (config: object) =>
    run({ devices: [{ kind: 'smmuv3', config: { unmap_pages: 100, sync_count: 2, ...config } }] });
  const stores = (asked: readonly string[]) =>
    asked.filter((line) => / access (?!64 |4 )/.test(line)).map((line) => line.split(' ')[2]);
  expect(stores(unmap({}).asked).slice(2)).toEqual([`${64 * 16}`, `${37 * 16}`]);
  expect(stores(unmap({ unmap_pages: 64 }).asked).slice(1)).toEqual([`${65 * 16}`]);
  const ranged = unmap({ range_inv: true });
  expect(stores(ranged.asked).slice(1)).toEqual([`${2 * 16}`]);
  expect(ranged.min('dma_unmap_ns')).toBe(300 + 2 * 60 + 10 + 30 + 90);
});

test('a range is covered by the greedy split of the driver, five bits at a time', () => {
  expect([1, 16, 31, 32, 33, 100, 1023, 1024].map((pages) => tlbiCount(pages, true))).toEqual([
    1, 1, 1, 1, 2, 1, 2, 1,
  ]);
  expect(tlbiCount(100, false)).toBe(100);
});

test('removal waits for the command in flight, then frees all and ends', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'smmuv3', config: { sync_count: 5, masters: 2, ssid_bits: 12 } }],
    timeline: [{ at: 1_250, event: 'REMOVE' }],
  });
  expect(ends[0]).toMatchObject({ state: 'smmuv3.removed', pagesHeld: 0 });
  expect(asked.filter((line) => line.includes('free'))).toHaveLength(8);
});

test('a removal during the probe is done after it', () => {
  const { ends, sum } = run({
    devices: [{ kind: 'smmuv3' }],
    timeline: [{ at: 150, event: 'REMOVE' }],
  });
  expect(ends[0].state).toBe('smmuv3.removed');
  expect(sum('placed.node.local')).toBe(4);
});

test('the footprint is that of the driver for 4K and for 64K pages', () => {
  expect(footprint({ stream_blocks: 3, masters: 1 })).toEqual([
    '1 command queue 1048576 cma',
    '1 event queue 1048576 cma',
    '1 PRI queue 1048576 cma',
    '1 stream table 2048',
    '3 stream table, L2 16384 cma',
    '1 context descriptors 64',
  ]);
  expect(footprint({}, kernel64k).slice(0, 3)).toEqual([
    '1 command queue 8388608 cma',
    '1 event queue 16777216 cma',
    '1 PRI queue 8388608 cma',
  ]);
  expect(
    footprint({ sid_bits: 8, pri: false, two_level: false, ssid_bits: 11, masters: 1 }),
  ).toEqual([
    '1 command queue 1048576 cma',
    '1 event queue 1048576 cma',
    '1 stream table 16384 cma',
    '1 context descriptors 131072 cma',
  ]);
  expect(footprint({ ssid_bits: 20, masters: 2 }).slice(-2)).toEqual([
    '2 context descriptors 8192 cma',
    '2 context descriptors, leaf 65536 cma',
  ]);
});

test('without DMA_CMA the largest block of the buddy caps a queue', () => {
  expect(queueShift(19, 16, { ...environment, dmaCma: false })).toBe(18);
});
