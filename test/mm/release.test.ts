/** Rows of releases, reservations and configurations: they refer to each other, and to nothing else. */

import { describe, expect, test } from 'vitest';
import { kconfigOf } from '#cmasim/mm/boot/kconfig.js';
import { reservations, stepsWithNodes } from '#cmasim/mm/boot/reservation.js';
import { ConfigError } from '#cmasim/mm/configError.js';
import { policies } from '#cmasim/mm/policy.js';
import { kernelOf, releases } from '#cmasim/mm/release.js';

const names = [...releases, ...policies].map(({ id }) => id);

describe('kernels', () => {
  test.each(names)('%s names a release, a policy and a reservation', (name) => {
    const { release, policy, reservation } = kernelOf(name);
    expect(releases).toContain(release);
    expect(policies).toContain(policy);
    expect(reservations).toContain(reservation);
  });

  test('a policy of the series brings its release and its way to reserve', () => {
    const { release, policy, reservation } = kernelOf('v2');
    expect([release.id, policy.id, reservation.id]).toEqual(['5.8-rc3', 'v2', 'v2']);
  });

  test('7.2-rc allocates as 7.2 and reserves in its own way; a policy named besides wins', () => {
    expect(kernelOf('7.2-rc').reservation.id).toBe('7.2-rc');
    expect(kernelOf('6.12', 'pre').reservation.id).toBe('none');
  });

  test('a name that is not there is refused with those that are', () => {
    expect(() => kernelOf('9.9')).toThrow(/kernel 9.9: expected one of 5.7/);
    expect(() => kernelOf('6.12', 'x')).toThrow(ConfigError);
  });
});

describe('the turn of the nodes', () => {
  const order = (name: string, arch: 'arm64' | 'x86') => {
    const { release, reservation } = kernelOf(name);
    return stepsWithNodes(release.boot[arch], reservation, arch).join(', ');
  };

  test.each([
    ['v2', 'default, numa init, nodes, hugetlb, sparse init'],
    ['v3', 'default, numa init, hugetlb, nodes, sparse init'],
    ['5.10', 'default, numa init, hugetlb, nodes, sparse init'],
    ['6.1', 'numa init, hugetlb, nodes, sparse init, default'],
    ['6.12', 'numa init, hugetlb, sparse init, nodes, default'],
    ['7.2', 'numa init, default, nodes, hugetlb, sparse init'],
  ])('%s on arm64: %s', (name, expected) => {
    expect(order(name, 'arm64')).toBe(expected);
  });

  test('x86 has none before 6.6', () => {
    expect(order('6.1', 'x86')).toBe('numa init, default, hugetlb, sparse init');
    expect(order('6.6', 'x86')).toBe('numa init, nodes, default, hugetlb, sparse init');
  });
});

describe('configuration', () => {
  const config = (name: string, overrides: Record<string, unknown> = {}) => {
    const { release, reservation } = kernelOf(name);
    return kconfigOf(release, reservation, 'arm64', overrides);
  };

  test('the switch of 5.10 is on by default on arm64, that of 6.6 is not', () => {
    expect(config('5.10').DMA_PERNUMA_CMA).toBe(true);
    expect(config('6.6').DMA_NUMA_CMA).toBe(false);
  });

  test('v2 reserves 16 MiB per node by default', () => {
    expect(config('v2').CMA_PERNUMA_SIZE_MBYTES).toBe(16);
  });

  test('values come as y and n, numbers, names, with or without CONFIG_', () => {
    const given = { CONFIG_DMA_NUMA_CMA: 'y', CMA_AREAS: '7', CMA_SIZE_SEL: 'MAX' };
    expect(config('6.12', given)).toMatchObject({
      DMA_NUMA_CMA: true,
      CMA_AREAS: 7,
      CMA_SIZE_SEL: 'MAX',
    });
  });

  test.each([
    [{ CMA_AREA: 7 }, /no such symbol, expected .*CMA_AREAS/],
    [{ CMA_AREAS: 'many' }, /CMA_AREAS: many, expected an integer/],
    [{ CMA_ALIGNMENT: 13 }, /from 2 to 12/],
    [{ NUMA: 1 }, /expected y or n/],
    [{ CMA_SIZE_SEL: 'MEAN' }, /expected MBYTES/],
  ])('%j is refused', (given, message) => {
    expect(() => config('6.12', given)).toThrow(message);
  });
});
