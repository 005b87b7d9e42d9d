/** Whether a placement is the first fit, is it for one order of what overlaps, or is it not. */
import { expect, test } from 'vitest';
import type { AreaLayout } from '#cmasim/mm/layout.js';
import { AreaHistory, type PageRange } from '#cmasim/replay/areaHistory.js';
import type { Step } from '#cmasim/replay/workload.js';
import type { DmaRequest } from '#cmasim/trace/join/request.js';

const base = 0x1000;
const area: AreaLayout = {
  index: 0,
  name: 'numa0',
  basePfn: base,
  count: 32,
  orderPerBit: 0,
  nid: 0,
  zone: 'Normal',
  role: 'numa',
  slotNid: 0,
};

/** `page` -1: refused. */
function alloc(start: number, end: number, page: number, count = 4): Step {
  const pfn = page < 0 ? -1 : base + page;
  const errno = page < 0 ? -16 : 0;
  const known = { align: 0, givenBack: false, available: -1, total: -1, busyRetries: 0 };
  const attempt = { area: 'numa0', count, start, end, pfn, errno, ...known };
  const source = page < 0 ? 'buddy' : 'numa0';
  const request = { device: 'nic', attempts: [attempt], source, pfn, end } as unknown as DmaRequest;
  return { kind: 'alloc', time: start, request };
}

function free(time: number, until: number, page: number, count = 4): Step {
  const known = { pid: 1, cpu: 0, request: null, device: 'nic', size: -1 };
  return { kind: 'free', time, until, area: 'numa0', pfn: base + page, count, ...known };
}

const verdicts = (steps: Step[], before: PageRange[] = []) =>
  new AreaHistory(area, steps, before).judge().map(({ verdict }) => verdict);

test('one after the other, the lowest free window is the first fit', () => {
  expect(verdicts([alloc(1, 2, 0), alloc(3, 4, 4)])).toEqual(['first fit', 'first fit']);
});

test('of two that overlap the later may have come first', () => {
  expect(verdicts([alloc(1, 5, 4), alloc(2, 6, 0)])).toEqual(['concurrent', 'first fit']);
});

test('a window nobody holds and the kernel does not take was passed over', () => {
  const judged = new AreaHistory(area, [alloc(1, 2, 8)]).judge();
  expect(judged[0]).toMatchObject({ verdict: 'passed over', passed: base });
});

test('what was in use before explains it', () => {
  expect(verdicts([alloc(1, 2, 8)], [[base, 8]])).toEqual(['first fit']);
});

test('a free that is under way may or may not have cleared its bits', () => {
  const steps = [alloc(1, 2, 0), alloc(3, 4, 4), free(5, 9, 0), alloc(6, 7, 8), alloc(10, 11, 0)];
  expect(verdicts(steps)).toEqual(['first fit', 'first fit', 'concurrent', 'first fit']);
});

test('pages somebody holds cannot be handed out', () => {
  expect(verdicts([alloc(1, 2, 0), alloc(3, 4, 2)])[1]).toBe('taken');
});

test('a refusal is right when nothing is free, and not when a window is', () => {
  expect(verdicts([alloc(1, 2, 0, 32), alloc(3, 4, -1)])[1]).toBe('first fit');
  expect(verdicts([alloc(1, 2, -1)])[0]).toBe('passed over');
});
