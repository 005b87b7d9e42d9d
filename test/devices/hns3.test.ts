import { expect, test } from 'vitest';
import { hns3, ringSize } from '#cmasim/devices/hns3.js';
import type { DeviceModel } from '#cmasim/devices/model.js';
import { environment, run } from './world.js';

const config = { queues: 2, desc_num: 512, rx_buffer: 2048 };
const RING = 512 * 32;
const POOL = 512 * 2048;
const of = (asked: readonly string[]) => asked.map((line) => line.split(' ').slice(1, 3).join(' '));
const rings = [`alloc ${RING}`, `alloc ${RING}`, `alloc ${POOL}`];
const cmdqs = ['alloc 32768', 'alloc 32768'];
const freedRings = [`free ${POOL}`, `free ${RING}`, `free ${RING}`];

test('probe takes the command queues, ifup two rings and a page pool per queue', () => {
  const { asked, ends, sum } = run({ devices: [{ kind: 'hns3', nid: 1, config }] });
  expect(of(asked)).toEqual([...cmdqs, ...rings, ...rings]);
  expect(asked.filter((line) => line.endsWith('pages'))).toHaveLength(2);
  expect(ends[0]!.state).toBe('hns3.up.idle.resting');
  expect(sum('placed.node.local')).toBe(6);
  expect(sum('pool_pages.local')).toBe((2 * POOL) / 4096);
});

test('a page pool larger than the largest buddy block is asked for in blocks', () => {
  const { asked } = run({ devices: [{ kind: 'hns3', config: { queues: 1, desc_num: 4096 } }] });
  expect(of(asked).slice(-2)).toEqual([`alloc ${4 * 2 ** 20}`, `alloc ${4 * 2 ** 20}`]);
});

test('a resize takes the new rings before it frees the old ones', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [1000] }],
  });
  const larger = [`alloc 32000`, `alloc 32000`, `alloc ${1000 * 2048}`];
  expect(of(asked).slice(8)).toEqual([...larger, ...larger, ...freedRings, ...freedRings]);
  expect(ends[0]!.state).toBe('hns3.up.idle.resting');
});

test('a resize that is refused gives the new rings back and keeps the old', () => {
  const { asked, ends } = run({
    devices: [{ kind: 'hns3', config: { ...config, traffic: 'steady' } }],
    timeline: [{ at: 5_000, event: 'RESIZE', numbers: [1024] }],
    serve: (_bytes, nid, count) => (count === 12 ? -1 : nid),
  });
  const after = of(asked).slice(8, 17);
  expect(after.slice(0, 5)).toEqual([
    'alloc 32768',
    'alloc 32768',
    `alloc ${1024 * 2048}`,
    'alloc 32768',
    'alloc 32768',
  ]);
  expect(after.slice(5, 9)).toEqual([
    'free 32768',
    `free ${1024 * 2048}`,
    'free 32768',
    'free 32768',
  ]);
  expect(ends[0]).toMatchObject({ state: 'hns3.up.idle.pausing', pagesHeld: 16 + 2 * (8 + 256) });
});

test('rings that are refused at ifup are unwound, and the interface stays down', () => {
  const { asked, ends, sum } = run({
    devices: [{ kind: 'hns3', config }],
    serve: (_bytes, nid, count) => (count === 6 ? -1 : nid),
  });
  expect(of(asked).slice(7)).toEqual([`free ${RING}`, ...freedRings]);
  expect(ends[0]).toMatchObject({ state: 'hns3.down', pagesHeld: 16 });
  expect(sum('refused')).toBe(1);
});

test('a command queue that is refused fails the probe, and the other is freed', () => {
  const { ends } = run({
    devices: [{ kind: 'hns3', config }],
    serve: (_bytes, nid, count) => (count === 1 ? -1 : nid),
  });
  expect(ends[0]).toMatchObject({ state: 'hns3.failed', pagesHeld: 0 });
});

test('a reset frees all rings and takes them again; down frees them; removal frees all', () => {
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
    ...freedRings,
    ...rings,
    ...rings,
    ...freedRings,
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
  expect(ends[0]!.state).toMatch(/^hns3.up/);
  expect(of(asked).filter((line) => line === `alloc ${256 * 32}`)).toHaveLength(4);
}, 10_000);

test('a ring on another node makes every batch wait for the way there and back', () => {
  const fetch = (serve: (bytes: number, nid: number, count: number) => number) =>
    run({ devices: [{ kind: 'hns3', config: { ...config, traffic: 'burst' } }], serve });
  expect(fetch(() => 0).mean('descriptor_fetch_ns')).toBe(60);
  expect(fetch(() => 1).mean('descriptor_fetch_ns')).toBe(100);
  expect(fetch(() => 1).sum('placed.buddy.remote')).toBe(6);
});

test('traffic keeps its mean rate whether it is even, random or in bursts', () => {
  for (const traffic of ['steady', 'poisson', 'burst']) {
    const { asked } = run({
      devices: [{ kind: 'hns3', config: { ...config, traffic, interval: '10us', batch: 64 } }],
    });
    const batches = asked.filter((line) => line.includes(`access ${64 * 32} `)).length;
    expect(batches).toBeGreaterThan(900);
    expect(batches).toBeLessThan(1100);
  }
});

test('a free after numa_node was rewritten asks with the node written', () => {
  const { asked, sum } = run({
    devices: [{ kind: 'hns3', config: { ...config, queues: 1 } }],
    writes: [{ at: 5_000, nid: -1 }],
    timeline: [{ at: 6_000, event: 'DOWN' }],
  });
  expect(
    asked.filter((line) => line.includes('free')).every((line) => line.endsWith(' for -1')),
  ).toBe(true);
  expect(sum('leaked_pages')).toBe((2 * RING + POOL) / 4096);
});

test('a ring has a multiple of eight descriptors within the driver and the configuration', () => {
  expect([1, 73, 1000, 9999].map((asked) => ringSize(asked, 4096))).toEqual([72, 80, 1000, 4096]);
});

test('the footprint is that of the driver', () => {
  const rows = (hns3 as DeviceModel).footprint(hns3.config.parse({}), environment);
  expect(rows).toEqual([
    { purpose: 'command queue', bytes: 32_768, count: 2, cma: true },
    { purpose: 'TX ring', bytes: 32_768, count: 16, cma: true },
    { purpose: 'RX ring', bytes: 32_768, count: 16, cma: true },
    { purpose: 'RX page pool', bytes: 2 ** 21, count: 16, cma: false },
  ]);
});
