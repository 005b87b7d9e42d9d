/** `run --log`: one device's requests in words, from an observer that nothing else knows of. */

import { expect, test } from 'vitest';
import { parseScenario, simulate } from '#cmasim/index.js';

const scenario = parseScenario(
  JSON.stringify({
    kernel: '6.12',
    config: { DMA_NUMA_CMA: 'y', DMA_COHERENT_POOL: 'n' },
    machine: { nodes: 2, memory: '1G', cpus: 2 },
    cmdline: 'cma=4M numa_cma=1:2M',
    devices: {
      a: { kind: 'allocator', node: 1, size: '2M', requests: 2, release: false },
      b: { kind: 'allocator', node: 0, size: '64K', start: '1us' },
    },
    stop: '20ms',
  }),
  'test.yaml',
)[0];

test('says what one device asked for, tried and got, as time goes, and nothing of others', async () => {
  const { log } = await simulate(scenario, { shards: 1, inline: true, log: 'a' });
  const times = log.map((line) => Number(line.split(' ')[0]));
  expect(times).toEqual(times.toSorted((x, y) => x - y));
  expect(log.map((line) => line.replace(/^\d+ ns /, '').replace(/\d+ ns/, 'N ns'))).toEqual([
    'a#0 asks for 2097152 bytes (coherent) on node 1',
    expect.stringMatching(/^a#0 numa1: cma_alloc\(\) of 512 pages (found them|errno)/),
    expect.stringMatching(/^a#0 gets 512 pages from numa1 on node 1, pfn \d+$/),
    'a#1 asks for 2097152 bytes (coherent) on node 1',
    expect.stringMatching(/^a#1 numa1: cma_alloc\(\) of 512 pages errno -12$/),
    expect.stringMatching(/^a#1 reserved: cma_alloc\(\) of 512 pages found them in N ns$/),
    expect.stringMatching(/^a#1 gets 512 pages from reserved on node \d, pfn \d+$/),
  ]);
});

test('is the same on two shards, and empty unless asked for', async () => {
  const one = await simulate(scenario, { shards: 1, inline: true, log: 'a' });
  const two = await simulate(scenario, { shards: 2, inline: true, log: 'a' });
  expect(two.log).toEqual(one.log);
  expect((await simulate(scenario, { shards: 1, inline: true })).log).toEqual([]);
});

test('tells of a refusal although pages that need not lie together had been taken first', async () => {
  const [tooMuch] = parseScenario(
    JSON.stringify({
      kernel: '6.12',
      machine: { nodes: 2, memory: '1G', cpus: 2 },
      devices: { a: { kind: 'allocator', node: 1, size: '3G', requests: 1, iommu: 'translated' } },
      stop: '1s',
    }),
    'test.yaml',
  );
  const { log } = await simulate(tooMuch, { shards: 1, inline: true, log: 'a' });
  expect(log.map((line) => line.replace(/^\d+ ns /, ''))).toEqual([
    'a#0 asks for 3221225472 bytes (iommu) on node 1',
    'a#0 is refused',
  ]);
});
