/** Runs without their beginning. */

import { expect, test } from 'vitest';
import { Ns } from '#cmasim/mm/units.js';
import { simulate } from '#cmasim/run/simulate.js';
import { parseScenario } from '#cmasim/scenario/load.js';

const text = `
kernel: "6.12"
machine: { nodes: 2, memory: 512M, cpus: 2 }
devices:
  a: { kind: smmuv3, node: 1, sync_count: 200, sync_interval: 10us, start: 1ms }
  b: { kind: hns3, node: 0, traffic: poisson, interval: 50us, start: 1ms }
stop: 30ms
`;
const [scenario] = parseScenario(text, 'warm.yaml');
const from = (warmupNs: number, stopNs: number = scenario.stopNs, shards = 1) =>
  simulate({ ...scenario, stopNs: Ns(stopNs) }, { shards, inline: true, warmupNs });
const whole = await from(0);

test('a warm-up without records changes nothing', async () => {
  expect(await from(1e6)).toEqual({ ...whole, wallMs: expect.anything() });
});

test('one over the whole run leaves nothing', async () => {
  for (const warmupNs of [30e6, 40e6]) {
    const none = await from(warmupNs);
    expect(none.stats.filter(({ count }) => count !== 0)).toEqual([]);
    expect(none.devices.map(({ refused, localShare }) => [refused, localShare])).toEqual([
      [0, null],
      [0, null],
    ]);
  }
});

test('counts and sums before and after it are those of the whole run, and quantiles stay', async () => {
  const after = await from(12e6);
  const before = await from(0, 12e6);
  const sum = (count: number, mean: number | null) => count * (mean ?? 0);
  expect(after.fingerprint).toBe(whole.fingerprint);
  whole.stats.forEach((stat, i) => {
    const late = after.stats[i];
    const early = before.stats.find(
      ({ name, actor }) => name === stat.name && actor === stat.actor,
    );
    expect(late.count + (early?.count ?? 0)).toBe(stat.count);
    const total = sum(late.count, late.mean) + sum(early?.count ?? 0, early?.mean ?? null);
    expect(total).toBeCloseTo(sum(stat.count, stat.mean), 3);
    if (stat.kind === 'counter') return;
    if (late.count === 0) expect(late.p99).toBeNull();
    else
      expect(late.min! <= late.p50! && late.p50! <= late.p99! && late.p99! <= late.max!).toBe(true);
    expect(Math.max(late.max ?? 0, early?.max ?? 0)).toBe(stat.max);
  });
});

test('it ends at the same event on any number of shards', async () => {
  const one = await from(12e6);
  expect(await from(12e6, 30e6, 2)).toEqual({ ...one, shards: 2, wallMs: expect.anything() });
});
