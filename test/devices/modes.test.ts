/** Whole runs: where memory comes from behind an IOMMU, in an area of one's own, and page by page. */
import { expect, test } from 'vitest';
import type { RunResult } from '#cmasim/run/result.js';
import { simulate } from '#cmasim/run/simulate.js';
import { parseScenario } from '#cmasim/scenario/load.js';

const machine = 'machine: { nodes: 2, memory: 2G, cpus: 4 }';
async function result(text: string): Promise<RunResult> {
  const [scenario] = parseScenario(`kernel: 6.12\n${machine}\n${text}`, 's.yaml');
  return simulate(scenario!, { inline: true, shards: 1, check: true });
}
const count = ({ stats }: RunResult, name: string, actor = '') =>
  stats.find((one) => one.name === name && one.actor === actor)?.count ?? 0;

const both =
  'devices: { smmu: { kind: smmuv3, node: 1 }, nic: { kind: hns3, node: 1, queues: 2 } }';

test('behind an SMMU a device is translated unless the command line says passthrough', async () => {
  const on = await result(`cmdline: cma=64M\n${both}\nstop: 90ms`);
  expect(count(on, 'placed.default', 'nic')).toBe(0);
  expect(count(on, 'placed.buddy.local', 'nic')).toBe(6);
  // Rings and command queues of 32 KiB share a leaf table; the root and two above it.
  expect(count(on, 'page_table_pages.local', 'nic')).toBe(4);
  // The SMMU itself is never translated.
  expect(count(on, 'placed.default', 'smmu')).toBe(3);
  const off = await result(`cmdline: cma=64M iommu.passthrough=1\n${both}\nstop: 90ms`);
  expect(count(off, 'placed.default', 'nic')).toBe(6);
  expect(count(off, 'page_table_pages', 'nic')).toBe(0);
});

test('a translated device needs no block above the largest order, a direct one is refused', async () => {
  const camera = (iommu: string) =>
    result(
      `cmdline: cma=0\nstop: 90ms\n` +
        `devices: { cam: { kind: vb2, width: 3840, height: 2160, buffers: 2, iommu: ${iommu} } }`,
    );
  expect(count(await camera('translated'), 'buffers_short')).toBe(0);
  expect(count(await camera('direct'), 'buffers_short')).toBe(2);
});

test('what may not wait is one block of the buddy, also behind an IOMMU', async () => {
  const zip = await result(
    'cmdline: cma=64M\ndevices: { z: { kind: zip, queues: 2, iommu: translated } }\nstop: 50ms',
  );
  expect(count(zip, 'placed.buddy')).toBe(3);
  expect(zip.findings).toEqual([]);
});

test('pages of a pool are taken from node after node, and all come back', async () => {
  const text =
    'cmdline: cma=0\npressure: { 1: 1950M }\nstop: 200ms\n' +
    'devices: { nic: { kind: igb, node: 1, queues: 8, rx_desc_num: 4096 } }\n';
  const taken = await result(text);
  expect(count(taken, 'pool_pages')).toBe(8 * 4096);
  expect(count(taken, 'pool_pages.remote')).toBeGreaterThan(0);
  const back = await result(`${text}timeline: [{ at: 100ms, do: send, device: nic, event: DOWN }]`);
  expect(back.devices[0].state).toBe('igb.down');
});

test('a pool that no node can hold is refused whole, and what was taken goes back', async () => {
  const none = await result(
    'cmdline: cma=0\npressure: { 0: 1900M, 1: 1900M }\nstop: 200ms\n' +
      'devices: { nic: { kind: mlx5, node: 1, channels: 1, fw_pages: 1G } }',
  );
  expect(count(none, 'refused')).toBe(1);
  expect(none.devices[0].state).toBe('mlx5.failed');
});

const camera = 'kind: vb2, width: 3840, height: 2160, stream: false';

test('an area of firmware’s serves its device alone, which asks no other', async () => {
  const run = await result(
    `cmdline: cma=64M\nreserved_memory: { pool: { size: 32M, node: 1 } }\nstop: 200ms\n` +
      `devices: { cam: { ${camera}, buffers: 3, area: pool }, fb: { kind: display } }`,
  );
  const pool = run.areas.find(({ name }) => name === 'pool')!;
  expect([pool.role, pool.nid, pool.count]).toEqual(['private', 1, 8192]);
  expect(count(run, 'placed.device', 'cam')).toBe(2);
  expect(count(run, 'buffers_short', 'cam')).toBe(1);
  expect(count(run, 'placed.default', 'fb')).toBe(2);
  expect(run.areas[0].name).toBe('pool');
});

test('a region that does not fit leaves its device to the default area, and cma= wins over one', async () => {
  const small = await result(
    `cmdline: cma=64M\nreserved_memory: { pool: { size: 5M } }\nstop: 200ms\n` +
      `devices: { fb: { kind: display, area: pool } }`,
  );
  expect(small.bootLog).toContain('Reserved memory: incorrect alignment of CMA region');
  expect(count(small, 'placed.default')).toBe(2);
  const both = await result(
    'cmdline: cma=64M\nreserved_memory: { dt: { size: 128M, default: true } }\nstop: 50ms\n' +
      'devices: { fb: { kind: display } }',
  );
  expect(both.areas.map(({ name, count: pages }) => [name, pages])).toEqual([['reserved', 16_384]]);
});
