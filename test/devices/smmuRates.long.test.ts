/** What 8 to 64 CPUs unmap through one command queue, against the published rates. */

import { expect, test } from 'vitest';
import { simulate } from '#cmasim/run/simulate.js';
import { loadScenario } from '#cmasim/scenario/load.js';

const file = (name: string) => new URL(`../../scenarios/${name}.yaml`, import.meta.url).pathname;

function contention(cpus: number, cmdq = 'cmpxchg') {
  const set = (path: string, value: string) => ({ path, value, option: `--set ${path}=${value}` });
  const overrides = [set('devices.smmu.cpus', String(cpus)), set('devices.smmu.cmdq', cmdq)];
  return loadScenario(file('smmu-unmap-contention'), { overrides })[0];
}

/** Map+unmap per second and CPU. */
async function rate(cpus: number, cmdq?: string): Promise<number> {
  const run = await simulate(contention(cpus, cmdq), { inline: true, shards: 1 });
  expect(run.checks.filter(({ ok }) => !ok)).toEqual([]);
  return 1e9 / run.stats.find(({ name, actor }) => name === 'map_unmap_ns' && actor === '')!.mean!;
}

test('8, 16, 32 and 64 CPUs unmap as fast as was published for cmpxchg', async () => {
  const published = { 8: 282_000, 16: 115_000, 32: 36_000, 64: 11_000 };
  for (const [cpus, expected] of Object.entries(published)) {
    expect(Math.abs((await rate(Number(cpus))) / expected - 1)).toBeLessThan(0.15);
  }
});

test('an atomic add is faster the more CPUs there are, and within a third of what was published', async () => {
  const published = { 8: 302_000, 16: 193_000, 32: 80_000, 64: 30_000 };
  for (const [cpus, expected] of Object.entries(published)) {
    expect(Math.abs((await rate(Number(cpus), 'atomic-add')) / expected - 1)).toBeLessThan(0.33);
  }
  expect(await rate(64, 'atomic-add')).toBeGreaterThan(2 * (await rate(64)));
});
