/** What a mask refuses goes back to where it came from. */

import { expect, test } from 'vitest';
import { marked, runText } from '../harness.js';

const above = 'pages of an area beyond the mask go back to it';
const lower = 'a block beyond the mask goes back, and a lower zone is asked';

const board = (mask: number) => `
kernel: 6.12
machine: { nodes: 2, memory: 4G, cpus: 4 }
cmdline: cma=64M@0x60000000
devices: { t: { kind: allocator, node: 1, requests: 4, size: 64K, mask: ${mask} } }
stop: 2s
`;

test('pages of an area that the device cannot reach go back to the area', async () => {
  let used: number[] = [];
  const reached = await marked(async () => {
    const [run] = await runText(board(30));
    used = run!.areas.map((area) => area.used);
  });
  expect(reached).toContain(above);
  // Only what the kernel itself holds.
  const [fresh] = await runText(board(30).replace(/devices:.*/, ''));
  expect(used).toEqual(fresh!.areas.map((area) => area.used));
  expect(await marked(() => runText(board(32)))).not.toContain(above);
});

test('a block of the buddy that the device cannot reach goes back, and a lower zone is asked', async () => {
  // Node 1 lies above 8 GiB.
  const tiny = (mask: number) => board(mask).replace('4G', '8G').replace('64K', '4K');
  expect(await marked(() => runText(tiny(33)))).toContain(lower);
  expect(await marked(() => runText(tiny(64)))).toEqual([]);
});
