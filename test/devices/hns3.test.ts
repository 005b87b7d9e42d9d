import { expect, test } from 'vitest';
import { hns3 } from '#cmasim/devices/kinds/hns3.js';
import { ringSize } from '#cmasim/devices/parts/rings.js';
import { footprintOf, run } from './world.js';

const config = { queues: 2, desc_num: 512, rx_buffer: 2048 };
const RING = 512 * 32;
const POOL = 512 * 2048;
const of = (asked: readonly string[]) => asked.map((line) => line.split(' ').slice(1, 3).join(' '));
const rings = [`alloc ${RING}`, `alloc ${RING}`, `alloc ${RING}`, `alloc ${RING}`];
const pools = [`alloc ${POOL}`, `alloc ${POOL}`];
const cmdqs = ['alloc 32768', 'alloc 32768'];
const freedRings = [
  ...pools.map((line) => line.replace('alloc', 'free')),
  ...rings.map((line) => line.replace('alloc', 'free')),
];

test('the probe takes the command queues, all TX rings, all RX rings and their page pools', () => {
  const { asked, ends, sum } = run({ devices: [{ kind: 'hns3', nid: 1, config }] });
  expect(of(asked)).toEqual([...cmdqs, ...rings, ...pools]);
  expect(asked.filter((line) => line.endsWith('bulk'))).toHaveLength(2);
  expect(ends[0].state).toBe('hns3.up.running');
  expect(sum('placed.node.local')).toBe(6);
  expect(sum('pool_pages.local')).toBe((2 * POOL) / 4096);
});

test('up and down do not touch the rings, which live from probe to removal', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config }],
    timeline: [
      { at: 5_000, event: 'DOWN' },
      { at: 6_000, event: 'UP' },
      { at: 7_000, event: 'DOWN' },
    ],
  });
  expect(asked).toHaveLength(8);
  expect(ends[0].state).toBe('hns3.down');
});

test('a resize takes the new rings before it frees the old ones', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [1000] }],
  });
  const larger = [...rings.map(() => `alloc 32000`), ...pools.map(() => `alloc ${1000 * 2048}`)];
  expect(of(asked).slice(8)).toEqual([...larger, ...freedRings]);
  expect(ends[0].state).toBe('hns3.up.running');
});

test('a resize that is refused gives the new rings back and keeps the old', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config: { ...config, traffic: 'steady' } }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [1024] }],
    serve: (_bytes, nid, count) => (count === 11 ? -1 : nid),
  });
  const after = of(asked).slice(8, 15);
  expect(after.slice(0, 4)).toEqual(Array(4).fill('alloc 32768'));
  expect(after.slice(4)).toEqual(Array(3).fill('free 32768'));
  expect(ends[0]).toMatchObject({ state: 'hns3.up.running', pagesHeld: 16 + 4 * 4 + 2 * 256 });
});

test('a resize while the interface is down is done at once', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config: { ...config, up: false } }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [128] }],
  });
  expect(of(asked).slice(8, 10)).toEqual(Array(2).fill(`alloc ${128 * 32}`));
  expect(ends[0].state).toBe('hns3.down');
});

test('rings that are refused fail the probe, and everything granted so far is freed', () => {
  const { asked, ends, sum } = run({
    devices: [{ kind: 'hns3', config }],
    serve: (_bytes, nid, count) => (count === 5 ? -1 : nid),
  });
  expect(of(asked).slice(6)).toEqual([
    ...Array(3).fill(`free ${RING}`),
    ...cmdqs.map(() => 'free 32768'),
  ]);
  expect(ends[0]).toMatchObject({ state: 'hns3.failed', pagesHeld: 0 });
  expect(sum('refused')).toBe(1);
});

test('ethtool -L frees all rings and takes those of as many queues', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config }],
    timeline: [{ at: 5_000, event: 'CHANNELS', numbers: [1] }],
  });
  expect(of(asked).slice(8)).toEqual([
    ...freedRings,
    `alloc ${RING}`,
    `alloc ${RING}`,
    `alloc ${POOL}`,
  ]);
  expect(ends[0].state).toBe('hns3.up.running');
});

test('a reset frees all rings and takes them again; removal frees all', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config }],
    timeline: [
      { at: 5_000, event: 'RESET' },
      { at: 10_000, event: 'DOWN' },
      { at: 15_000, event: 'REMOVE' },
    ],
  });
  expect(of(asked).slice(8)).toEqual([
    ...freedRings,
    ...rings,
    ...pools,
    ...freedRings,
    'free 32768',
    'free 32768',
  ]);
  expect(ends[0]).toMatchObject({ state: 'hns3.removed', pagesHeld: 0 });
});

test('what is asked for during an operation is done after it', () => {
  const { ends, asked } = run({
    devices: [{ kind: 'hns3', config: { ...config, traffic: 'steady', interval: '1us' } }],
    timeline: [
      { at: 250, event: 'RESIZE', numbers: [128] },
      { at: 300, event: 'RESET' },
      { at: 20_010, event: 'DOWN' },
      { at: 20_020, event: 'RESIZE', numbers: [256] },
      { at: 20_030, event: 'UP' },
    ],
  });
  expect(ends[0].state).toMatch(/^hns3.up/);
  expect(of(asked).filter((line) => line === `alloc ${256 * 32}`)).toHaveLength(4);
}, 10_000);

test('a ring on another node makes every batch wait for the way there and back', () => {
  const fetch = (serve: (bytes: number, nid: number, count: number) => number) =>
    run({ devices: [{ kind: 'hns3', config: { ...config, traffic: 'steady' } }], serve });
  expect(fetch(() => 0).mean('descriptor_fetch_ns')).toBe(60);
  expect(fetch(() => 1).mean('descriptor_fetch_ns')).toBe(100);
  expect(fetch(() => 1).sum('placed.buddy.remote')).toBe(6);
});

test('a free after numa_node was rewritten asks with the node written', () => {
  const { asked, sum } = run({
    devices: [{ kind: 'hns3', config: { ...config, queues: 1 } }],
    writes: [{ at: 5_000, nid: -1 }],
    timeline: [{ at: 6_000, event: 'REMOVE' }],
  });
  expect(
    asked.filter((line) => line.includes('free')).every((line) => line.endsWith(' for -1')),
  ).toBe(true);
  expect(sum('leaked_pages')).toBe(16 + (2 * RING + POOL) / 4096);
});

test('a ring has a multiple of eight descriptors within the limits of the driver', () => {
  const limits = { least: 72, most: 32_760, multiple: 8 };
  expect([1, 73, 1000, 99_999].map((asked) => ringSize(limits, asked))).toEqual([
    72, 80, 1000, 32_760,
  ]);
});

test('the footprint is that of the driver', () => {
  const rows = footprintOf(hns3);
  expect(rows).toEqual([
    { purpose: 'command queue', bytes: 32_768, count: 1, cma: true },
    { purpose: 'command queue', bytes: 32_768, count: 1, cma: true },
    { purpose: 'TX ring', bytes: 32_768, count: 16, cma: true },
    { purpose: 'RX ring', bytes: 32_768, count: 16, cma: true },
    { purpose: 'RX buffers', bytes: 2 ** 21, count: 16, cma: false },
  ]);
});
