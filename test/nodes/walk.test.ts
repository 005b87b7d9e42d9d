import { expect, test } from 'vitest';
import { conditions, type PolicyRow } from '#cmasim/mm/policy.js';
import { outcome, outcomeAt, PLACED } from '#cmasim/nodes/operations.js';
import { attemptsById } from '#cmasim/nodes/requestHistory.js';
import { figure, runText } from '../harness.js';
import { operationText, type Replayed, replayInline, type TestArea } from './harness.js';

const areas: readonly TestArea[] = [
  { name: 'reserved', nid: 0, count: 512 },
  { name: 'pernuma1', nid: 1, count: 512 },
  { name: 'pernuma2', nid: 2, count: 512 },
];
const alloc = (id: number, nid: number, pages: number, gfp = 'KERNEL'): unknown => [
  'alloc',
  id,
  'm',
  nid,
  pages * 4096,
  gfp,
  null,
];

/** Per operation: where the pages lie, as `pernuma1`, `buddy 2` or `none`. */
function placements({ file, result }: Replayed): string[] {
  return file.rows.map((_, i) => {
    const value = (field: number): number => outcomeAt(result.outcomes!, i, field);
    if (value(outcome.verdict) !== PLACED) return 'none';
    const area = file.layout.areas[value(outcome.source)];
    return area ? area.name : `buddy ${value(outcome.nid)}`;
  });
}

/** Per operation the areas tried, by name, as the tracepoints would tell. */
function tried({ file, result }: Replayed): string[][] {
  const byId = attemptsById([result.observed.attempts!]);
  return [...byId.values()].map((list) => list.map(({ area }) => file.layout.areas[area].name));
}

async function run(rows: readonly unknown[], policy?: Partial<PolicyRow>): Promise<Replayed> {
  const text = operationText(3, areas, rows);
  const row = policy && { id: 'test', free: ['buddy'], alloc: ['buddy'], ...policy };
  return replayInline(text, row ? { policies: [row, row, row] } : {});
}

test('a request goes to its node, then to the default area, then to the local and a remote buddy', async () => {
  const rows = [alloc(0, 1, 512), alloc(1, 1, 512), alloc(2, 1, 512), alloc(3, 1, 2048)];
  const replayed = await run(rows);
  expect(placements(replayed)).toEqual(['pernuma1', 'reserved', 'buddy 1', 'none']);
  expect(tried(replayed)).toEqual([
    ['pernuma1'],
    ['pernuma1', 'reserved'],
    ['pernuma1', 'reserved'],
    ['pernuma1', 'reserved'],
  ]);
});

test('a full node hands the walk on to the next node of its zonelist, until none is left', async () => {
  const rows = Array.from({ length: 190 }, (_, id) => alloc(id, 1, 1024, 'ATOMIC'));
  const places = placements(await run(rows));
  const order = places.filter((place, i) => place !== places[i - 1]);
  expect(order).toEqual(['buddy 1', 'buddy 2', 'buddy 0', 'none']);
});

test('GFP_THISNODE as a policy: the walk ends on the own node', async () => {
  const rows = Array.from({ length: 190 }, (_, id) => alloc(id, 1, 1024, 'ATOMIC'));
  const places = placements(await run(rows, { alloc: ['buddy on node'] }));
  expect(new Set(places)).toEqual(new Set(['buddy 1', 'none']));
});

test('nearest: the areas of the other nodes are asked in zonelist order, each once', async () => {
  const rows = [alloc(0, 0, 512), alloc(1, 0, 512), alloc(2, 0, 512)];
  const replayed = await run(rows, { alloc: ['pernuma', 'nearest', 'buddy'] });
  expect(placements(replayed)).toEqual(['pernuma1', 'pernuma2', 'buddy 0']);
  expect(tried(replayed)).toEqual([
    ['pernuma1'],
    ['pernuma1', 'pernuma2'],
    ['pernuma1', 'pernuma2'],
  ]);
});

test('a condition decides by size: small requests stay on the node, large ones go to the default', async () => {
  const rows = [alloc(0, 1, 2), alloc(1, 1, 64)];
  const replayed = await run(rows, { alloc: ['pernuma if size <= 16K', 'default', 'buddy'] });
  expect(placements(replayed)).toEqual(['pernuma1', 'reserved']);
});

test('an area that gave pages beyond the mask is not asked again, also behind a buddy step', async () => {
  // Memory begins at 1 GiB: what is asked for is nowhere.
  const [result] = await runText(`
kernel: 6.12
machine: { nodes: 2, memory: 4G, cpus: 4 }
cmdline: cma=64M@0x60000000
policy:
  alloc: [buddy on node, default if default exists, buddy]
  free: [default, buddy]
devices: { t: { kind: allocator, node: 1, requests: 4, size: 64K, mask: 30 } }
stop: 2s
`);
  expect(figure(result!, 't', 'refused', 'count')).toBe(4);
  expect(figure(result!, 't', 'cma_alloc_ns', 'count')).toBe(4);
});

test('an area behind a buddy step serves what the mask reaches', async () => {
  const [result] = await runText(`
kernel: 6.12
machine: { nodes: 2, memory: 4G, cpus: 4 }
cmdline: cma=64M@0x60000000
policy:
  alloc: [buddy on node, default if default exists, buddy]
  free: [default, buddy]
devices: { t: { kind: allocator, node: 1, requests: 4, size: 64K, mask: 32 } }
stop: 2s
`);
  expect(figure(result!, 't', 'placed.default.remote', 'count')).toBe(4);
});

test('nearest from a node without memory begins with the nearest node that has some', async () => {
  const [result] = await runText(`
kernel: 6.12
config: { DMA_NUMA_CMA: y }
machine:
  nodes: [{ memory: 2G, cpus: 4 }, { memory: 2G, cpus: 4 }, { memory: [], cpus: 4 }]
  distance: [[10, 20, 30], [20, 10, 15], [30, 15, 10]]
cmdline: cma=0 numa_cma=0:16M,1:16M
policy: { alloc: [numa, nearest, buddy], free: [numa of page, buddy] }
devices: { t: { kind: allocator, node: 2, requests: 4, size: 64K, release: false } }
stop: 1s
`);
  expect(result!.areas.map(({ name, used }) => [name, used])).toEqual([
    ['numa0', 0],
    ['numa1', 64],
  ]);
});

test('the walk says why it passes a step over', async () => {
  const alloc = ['device', 'pernuma if device area', 'numa', 'default if size > 1M', 'buddy'];
  const text = operationText(3, areas, [['alloc', 0, 'm', 1, 8192, 'KERNEL', null]]);
  const row = { id: 'test', alloc, free: ['buddy'] };
  const { result } = await replayInline(text, {
    policies: [row, row, row],
    observe: { walk: [0, Infinity] },
  });
  expect(result.observed.walk!.skipped.map(({ step, reason }) => [step, reason])).toEqual([
    [0, { why: 'no area' }],
    [1, { why: 'conditions', missing: conditions['device area'] }],
    [2, { why: 'no area' }],
    [3, { why: 'size', bytes: 8192 }],
  ]);
});
