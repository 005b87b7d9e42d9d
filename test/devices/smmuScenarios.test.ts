import { expect, test } from 'vitest';
import { simulate } from '#cmasim/run/simulate.js';
import { loadScenario } from '#cmasim/scenario/load.js';
import { UserError } from '#cmasim/text/userError.js';

const file = (name: string) => new URL(`../../scenarios/${name}.yaml`, import.meta.url).pathname;

function contention(cpus: number, cmdq = 'cmpxchg') {
  const set = (path: string, value: string) => ({ path, value, option: `--set ${path}=${value}` });
  const overrides = [set('devices.smmu.cpus', String(cpus)), set('devices.smmu.cmdq', cmdq)];
  return loadScenario(file('smmu-unmap-contention'), { overrides })[0];
}

test('contention across nodes is the same on any number of shards', async () => {
  const prints = [];
  for (const shards of [1, 2, 4]) {
    prints.push((await simulate(contention(40), { inline: true, shards })).fingerprint);
  }
  expect(new Set(prints).size).toBe(1);
});

test('MSI and SEV take what was published, from the numbers of CMD_SYNC', async () => {
  for (const scenario of loadScenario(file('smmu-msi-sev'))) {
    const { checks } = await simulate(scenario, { inline: true });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  }
});

test('more CPUs than the machine has are a mistake of the scenario', () => {
  expect(() => contention(97)).toThrow(UserError);
  expect(() => contention(97)).toThrow('97, expected at most 96: the machine has no more');
});
