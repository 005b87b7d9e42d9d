/** Two runs compared: what counts as a move, what as worse, and what the verdict says. */
import { describe, expect, test } from 'vitest';
import { type DiffSide, diffRuns } from '#cmasim/diff/diff.js';
import { diffDocument, diffText, verdict } from '#cmasim/diff/text.js';
import { Bytes, Nid, Ns, Pages, Pfn } from '#cmasim/mm/units.js';
import type { Placement } from '#cmasim/run/placement.js';
import { paint } from '#cmasim/text/table.js';

const at = (nid: number, pfn: number, pages: number) => {
  return { nid: Nid(nid), pfn: Pfn(pfn), pages: Pages(pages) };
};
const numa1 = { source: 'numa1', role: 'numa', ...at(1, 0x1000, 4) } as const;
const reserved = { source: 'reserved', role: 'default', ...at(0, 0x100, 4) } as const;
const refused = { source: 'refused', role: 'refused', ...at(-1, -1, 0) } as const;

function placement(sequence: number, place: object, took = 1_000): Placement {
  const issued = sequence * 10_000;
  return {
    ...{ name: `nic#${sequence}`, device: 'nic', sequence, node: Nid(1) },
    ...{ mode: 'coherent', bytes: Bytes(16_384), gfp: 'GFP_KERNEL' },
    ...{ issued: Ns(issued), settled: Ns(issued + took), zero: Ns(0), freed: Ns(Infinity) },
    ...{ ...numa1, ...place, attempts: [], skipped: [] },
  };
}

function side(placements: Placement[], findings = 0): DiffSide {
  const server = { kernel: '7.2', policy: '7.2', machine: 'server', cmdline: 'cma=16M' };
  return { ...server, areas: [], placements, findings, notes: [] };
}

/** Ten requests in each; B's all lie at `place` and take `took`. */
const against = (place: object, took?: (i: number) => number, findings = 0) => {
  const ten = (change: (i: number) => Placement) => Array.from({ length: 10 }, (_, i) => change(i));
  const a = side(ten((i) => placement(i, {}, 1_000 + i)));
  const b = side(
    ten((i) => placement(i, place, took?.(i) ?? 1_000 + i)),
    findings,
  );
  return { ...diffRuns(a, b), workload: 'scenario.yaml' };
};

describe('verdict', () => {
  test.each([
    ['the same places', against({}), 'A and B are alike: all 10 requests'],
    ['another page of the same area', against({ pfn: 0x2000 }), 'A and B are alike'],
    [
      "a node's area under its older name",
      against({ source: 'pernuma1', role: 'pernuma' }),
      'A and B are alike',
    ],
    ["off the device's node", against(reserved), 'B is worse: 10 requests leave'],
    ['refused', against(refused), 'B is worse: 10 requests fail'],
    ['slower for sure', against({}, (i) => 2_000 + i * 3), 'B is worse: allocations take'],
    ['faster for sure', against({}, (i) => 500 + i * 3), 'B is better: allocations take'],
    ['slower, perhaps', against({}, (i) => (i % 2 === 0 ? 200 : 2_100)), 'A and B are alike'],
    ['a leak', against({}, undefined, 1), 'B is worse: 1 more findings'],
    [
      'the buddy of the same node',
      against({ source: 'buddy', role: 'buddy' }),
      'B is different, not worse: 10 of 10',
    ],
  ])('%s', (_, diff, expected) => {
    expect(verdict(diff)).toMatch(new RegExp(`^${expected}`));
  });
});

test('the text begins with the verdict and fits one screen', () => {
  const lines = diffText(against(reserved), paint({ colour: false })).split('\n');
  expect(lines[0]).toBe("B is worse: 10 requests leave their device's node");
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(
    lines.some((line) => /^area of node 1 +default area on node 0 +10 +160 KiB +nic$/.test(line)),
  ).toBe(true);
});

test('the document has the first request that moved, with both places', () => {
  const document = diffDocument(against(reserved));
  expect(document).toMatchObject({
    format: 'cmasim-diff/1',
    worse: true,
    paired: 10,
    left_node: 10,
  });
  expect(document.first).toMatchObject({ device: 'nic', sequence: 0, a: { source: 'numa1' } });
});

test('requests without a partner are counted and not judged', () => {
  const a = side([placement(0, {}), placement(1, {})]);
  const diff = diffRuns(a, side([placement(0, {})]));
  expect(diff).toMatchObject({ paired: 1, onlyA: 1, onlyB: 0, worse: [] });
});
