/** Runs without their beginning. */

import { expect, test } from 'vitest';
import { Ns } from '#cmasim/mm/units.js';
import { simulateFrom } from '#cmasim/run/warmup.js';
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
const whole = await simulateFrom(scenario!, 0);

test('a warm-up without records changes nothing', async () => {
  expect(await simulateFrom(scenario!, 1e6)).toEqual({ ...whole, wallMs: expect.anything() });
});

test('one over the whole run leaves nothing', async () => {
  const none = await simulateFrom(scenario!, 30e6);
  expect(none.stats.filter(({ count }) => count !== 0)).toEqual([]);
  expect(none.devices.map(({ refused, localShare }) => [refused, localShare])).toEqual([
    [0, null],
    [0, null],
  ]);
});

test('counts and sums before and after it are those of the whole run', async () => {
  const after = await simulateFrom(scenario!, 12e6);
  const before = await simulateFrom({ ...scenario!, stopNs: Ns(12e6) }, 0);
  const sum = (count: number, mean: number | null) => count * (mean ?? 0);
  whole.stats.forEach((stat, i) => {
    const late = after.stats[i];
    const early = before.stats.find(
      ({ name, actor }) => name === stat.name && actor === stat.actor,
    );
    expect(late.count + (early?.count ?? 0)).toBe(stat.count);
    const total = sum(late.count, late.mean) + sum(early?.count ?? 0, early?.mean ?? null);
    expect(total).toBeCloseTo(sum(stat.count, stat.mean), 3);
    if (early?.count) expect(late.p99).toBeNull();
    else expect(late).toEqual(stat);
  });
});
