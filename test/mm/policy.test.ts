import { expect, test } from 'vitest';
import {
  allocSources,
  conditions,
  freeOwners,
  lowerPolicy,
  PolicyError,
  policies,
  stepWords,
} from '#cmasim/mm/policy.js';

test('every row can be lowered, for every page size', () => {
  for (const row of policies) {
    for (const pageSize of [4096, 16384, 65536]) {
      const policy = lowerPolicy(row, pageSize);
      expect(policy.alloc.source).toHaveLength(row.alloc.length);
      expect(policy.free.source).toHaveLength(row.free.length);
    }
  }
});

test('ids of rows are unique', () => {
  expect(new Set(policies.map((row) => row.id)).size).toBe(policies.length);
});

test('sizes are inclusive bounds in bytes', () => {
  const bounds = (condition: string): [number, number] => {
    const policy = { id: 'x', alloc: [`buddy if ${condition}`], free: [] };
    const { alloc } = lowerPolicy(policy, 4096);
    return [alloc.minSize[0], alloc.maxSize[0]];
  };
  expect(bounds('size > 1 page')).toEqual([4097, Infinity]);
  expect(bounds('size >= 2 pages')).toEqual([8192, Infinity]);
  expect(bounds('size <= 64K')).toEqual([0, 65536]);
  expect(bounds('size < 100')).toEqual([0, 99]);
  expect(bounds('size > 1 page, size <= 2M')).toEqual([4097, 2 ** 21]);
});

test('conditions become bits', () => {
  const policy = { id: 'x', alloc: ['numa if blocking, node known'], free: [] };
  const { alloc } = lowerPolicy(policy, 4096);
  expect(alloc.needs[0]).toBe(conditions.blocking | conditions['node known']);
});

test.each([
  [['cache if blocking'], /source "cache", expected one of device, pernuma/],
  [['numa if sleepy'], /condition "sleepy", expected blocking/],
  [['numa if size > many pages'], /condition "size > many pages"/],
  [['numa if constructor'], /condition "constructor"/],
])('%j is refused, and the step is named', (alloc, message) => {
  const lower = (): unknown => lowerPolicy({ id: 'x', alloc, free: [] }, 4096);
  expect(lower).toThrow(PolicyError);
  expect(lower).toThrow(message);
});

test('every word of every row has a meaning to print', () => {
  const steps = policies.flatMap(({ alloc, free }) => [...alloc, ...free]);
  const words = new Set(steps.flatMap((step) => step.split(/ if |, /)));
  expect([...words].filter((word) => !(word in stepWords))).toEqual([]);
  for (const name of [...allocSources, ...freeOwners, ...Object.keys(conditions)]) {
    expect(stepWords[name], name).toBeDefined();
  }
});
