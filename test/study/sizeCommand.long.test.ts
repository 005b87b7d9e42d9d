/** `cmasim size` on a scenario, and the run that its answer is for. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cmasim } from '../cli/command.js';
import { temporary } from './harness.js';

test('size prints a boot string that the simulator then finds to be enough', async () => {
  const scenario = join(temporary(), 'one.yaml');
  const text = `
kernel: "6.12"
config: { DMA_NUMA_CMA: y }
machine: { nodes: 2, memory: 512M, cpus: 2 }
devices: { nic: { kind: hns3, node: 1, traffic: poisson, interval: 1ms } }
stop: 30ms
`;
  writeFileSync(scenario, text);
  const asked = ['--risk', '20%', '--avoid', 'refused,remote,buddy', '--curve', '2', '--json'];
  const { out, err, code } = await cmasim(['size', scenario, ...asked]);
  expect(code, err).toBe(0);
  const answer = JSON.parse(out);
  expect(answer).toMatchObject({ format: 'cmasim-size/1', found: true });
  expect(answer.boot).toMatch(/^cma=0 numa_cma=1:\d+M$/);
  expect(answer.bad.high).toBeLessThanOrEqual(0.2);
  const run = await cmasim(['run', scenario, '--cmdline', answer.cmdline, '--json']);
  const [nic] = JSON.parse(run.out).devices;
  expect(nic).toMatchObject({ local_share: 1, refused: 0 });
});
