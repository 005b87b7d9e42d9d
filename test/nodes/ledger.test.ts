import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cmaAlloc, cmaAreaFromLayout, cmaClaim } from '#cmasim/mm/alloc/cma.js';
import { BrokenInvariant, PageLedger } from '#cmasim/nodes/pageLedger.js';
import { type Finding, RunRecorder } from '#cmasim/nodes/recorder.js';
import { cases } from '../cases.js';
import { operationText, replayInline } from './harness.js';

const areas = [
  { name: 'reserved', nid: 0, count: 512 },
  { name: 'pernuma1', nid: 1, count: 512 },
];

async function findings(rows: readonly unknown[]): Promise<readonly Finding[]> {
  const text = operationText(2, areas, rows);
  return (await replayInline(text, { checks: true })).result.observed.findings;
}

const alloc = (id: number, nid: number, size: number, policy = 'm'): unknown => [
  'alloc',
  id,
  policy,
  nid,
  size,
  'KERNEL',
  null,
];
const free = (id: number, nid: number, policy = 'm', size = 0): unknown => [
  'free',
  id,
  policy,
  nid,
  size,
  0,
  null,
];

describe('what a policy does wrong is a finding', () => {
  test('a free of 4097 bytes takes the page of a neighbour along', async () => {
    const found = await findings([alloc(0, 1, 4097), alloc(1, 1, 8192 - 1), free(0, 1)]);
    expect(found.map(({ kind, pages }) => [kind, pages])).toEqual([['double-free', 1]]);
    const close = [alloc(0, 1, 4097), ['cma_alloc', 9, 'pernuma1', 1, 0], free(0, 1)];
    expect((await findings(close)).map(({ kind }) => kind)).toEqual(['foreign-free']);
  });

  test('v2 with node -1: every page of the request leaks, once', async () => {
    const found = await findings([alloc(0, 1, 65536, 'v'), free(0, -1, 'v')]);
    expect(found).toMatchObject([{ kind: 'leak', pages: 16, area: 1 }]);
  });

  test('6.12 with node -1: nothing to find', async () => {
    expect(await findings([alloc(0, 1, 65536), free(0, -1)])).toEqual([]);
  });
});

test('any order of allocations and frees of whole requests leaves nothing to find', async () => {
  const step = fc.record({
    nid: fc.constantFrom(-1, 0, 1),
    pages: fc.integer({ min: 2, max: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.infiniteStream(fc.nat()),
      async (steps, draws) => {
        const rows: unknown[] = [];
        const live: number[] = [];
        steps.forEach(({ nid, pages }, id) => {
          rows.push(alloc(id, nid, pages * 4096));
          live.push(id);
          if (draws.next().value! % 2 === 0) {
            const [gone] = live.splice(draws.next().value! % live.length, 1);
            rows.push(free(gone, steps[gone].nid));
          }
        });
        expect(await findings(rows)).toEqual([]);
      },
    ),
    cases(60),
  );
});

describe('what does not add up stops the run', () => {
  const area = () =>
    cmaAreaFromLayout({
      index: 0,
      name: 'numa0',
      basePfn: 512,
      count: 512,
      orderPerBit: 0,
      nid: 0,
      zone: 'Normal',
      role: 'numa',
      slotNid: 0,
    });

  test('a bit that nobody asked for', () => {
    const ledger = new PageLedger(new RunRecorder([]), false);
    const numa0 = area();
    ledger.audit(numa0);
    cmaClaim(numa0, 5, 1);
    expect(() => ledger.audit(numa0)).toThrow(BrokenInvariant);
  });

  test('a page that is granted twice', () => {
    const ledger = new PageLedger(new RunRecorder([]), true);
    const numa0 = area();
    const { pfn } = cmaAlloc(numa0, 4, 0);
    ledger.granted(numa0, pfn, 4, 1);
    expect(() => ledger.granted(numa0, pfn + 3, 1, 2)).toThrow(/page 515 of numa0 has one owner/);
  });
});
