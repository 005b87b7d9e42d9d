import { expect, test } from 'vitest';
import type { PolicyRow } from '#cmasim/mm/policy.js';
import { outcome, outcomeAt, PLACED } from '#cmasim/nodes/operations.js';
import { attemptsById } from '#cmasim/nodes/requestHistory.js';
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
  const byId = attemptsById([result.observed.requests!]);
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
