import { expect, test } from 'vitest';
import { devices } from '#cmasim/devices/registry.js';
import { type Ran, run } from './world.js';

const nic = (config: object, until = 10_000_000): Ran =>
  run({ devices: [{ kind: 'e1000e', config: { batch: 16, ...config } }] }, until);
/** When the NIC read a batch of 16 descriptors of 32 bytes, ns. */
const times = ({ asked }: Ran): number[] =>
  asked.filter((line) => line.includes(' access 512 ')).map((line) => Number.parseInt(line, 10));
const gaps = (list: readonly number[]) => list.slice(1).map((time, i) => time - list[i]);

test.each(['steady', 'poisson', 'burst'])('%s traffic keeps its mean rate', (traffic) => {
  const { length } = times(nic({ traffic, interval: '10us' }));
  expect(length).toBeGreaterThan(900);
  expect(length).toBeLessThan(1100);
});

test('steady batches are evenly spaced, bursts come at once, random gaps have their mean as spread', () => {
  expect(new Set(gaps(times(nic({ traffic: 'steady', interval: '10us' }))))).toEqual(
    new Set([10_000]),
  );
  const bursts = gaps(times(nic({ traffic: 'burst', interval: '10us', burst: 4 })));
  expect(bursts.slice(0, 8)).toEqual([0, 0, 0, 40_000, 0, 0, 0, 40_000]);
  const random = gaps(times(nic({ traffic: 'poisson', interval: '10us' })));
  const mean = random.reduce((sum, gap) => sum + gap, 0) / random.length;
  const spread = Math.sqrt(random.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / random.length);
  expect(spread / mean).toBeGreaterThan(0.85);
  expect(spread / mean).toBeLessThan(1.15);
});

test('recorded traffic repeats its list of times, and devices of one configuration share it', () => {
  const config = { traffic: 'recorded', arrivals: ['1us', '5us', 0] };
  expect(gaps(times(nic(config))).slice(0, 6)).toEqual([5_000, 0, 1_000, 5_000, 0, 1_000]);
});

test('a closed loop has one batch per CPU under way, and the next an interval after its answer', () => {
  const { asked } = nic({ traffic: 'closed', cpus: 3, interval: '1us' }, 8_000);
  const list = asked
    .filter((line) => line.includes('access'))
    .map((line) => Number.parseInt(line, 10));
  // An access inside the node takes 60 ns here.
  expect(list.slice(0, 9)).toEqual([300, 300, 300, 1360, 1360, 1360, 2420, 2420, 2420]);
});

test('a batch that finds the ring full is dropped and counted', () => {
  const slow = {
    devices: [{ kind: 'e1000e', config: { traffic: 'steady', interval: '10ns', batch: 64 } }],
  };
  const { sum, asked } = run(slow, 2_000);
  expect(sum('dropped_batches')).toBeGreaterThan(0);
  expect(asked.filter((line) => line.includes('access')).length).toBeGreaterThan(0);
});

test('traffic stops with the device and waits for what is under way', () => {
  const { asked, ends } = run({
    devices: [
      { kind: 'igb', config: { queues: 1, traffic: 'closed', cpus: 2, interval: '100ns' } },
    ],
    timeline: [{ at: 3_010, event: 'DOWN' }],
  });
  expect(ends[0].state).toBe('igb.down');
  const last = asked.findLastIndex((line) => line.includes('access'));
  expect(asked.slice(last + 1).every((line) => line.includes('free'))).toBe(true);
});

test('a NIC whose rings are exchanged forgets the batches it had planned before', () => {
  const resized = run(
    {
      devices: [{ kind: 'igb', config: { queues: 1, traffic: 'steady', interval: '10us' } }],
      timeline: [200_000, 400_000].map((at) => ({ at, event: 'RESIZE', numbers: [512] })),
    },
    1_000_000,
  );
  const batches = resized.asked.filter((line) => line.includes('access'));
  // One batch in 10 us; each stream that cancel() left behind would go on beside the others.
  expect(batches.length).toBeGreaterThan(90);
  expect(batches.length).toBeLessThan(100);
});

const withTraffic = devices.filter(
  ({ config }) => config.safeParse({ traffic: 'closed', cpus: 2, interval: '3us' }).success,
);

test('every device but the SMMU and the load generator takes every traffic model', () => {
  const others = devices.filter((model) => !withTraffic.includes(model)).map(({ kind }) => kind);
  for (const kind of others) expect(kind).toMatch(/^(smmu|allocator)/);
  expect(withTraffic.length).toBeGreaterThan(11);
});

test.each(withTraffic)('$kind works in a closed loop, lowered as interpreted', ({ kind }) => {
  const options = { devices: [{ kind, config: { traffic: 'closed', cpus: 2, interval: '3us' } }] };
  const lowered = run(options, 400_000);
  expect(lowered.asked.filter((line) => line.includes('access')).length).toBeGreaterThan(4);
  expect(run({ ...options, interpreted: true }, 400_000).asked).toEqual(lowered.asked);
});

test('a recording without a time, and a rate without one, are refused with what was expected', () => {
  const message = (config: unknown) =>
    devices.find(({ kind }) => kind === 'igb')!.config.safeParse(config).error?.issues[0]?.message;
  expect(message({ traffic: 'recorded' })).toContain('no time over 0, expected some');
  expect(message({ traffic: 'steady', interval: 0 })).toBe('0, expected a time over 0');
});
