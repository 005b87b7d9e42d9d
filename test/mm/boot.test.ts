/** Boot by release: order, placement, defects, refusals. Recorded boots are in bootRecorded.test.ts. */

import { describe, expect, test } from 'vitest';
import { bootUnder, draw, GiB, MiB, sentence, server } from './booting.js';

/** Two nodes wholly below 4 GiB, the second small. */
const small = {
  nodes: [[[0, 1 * GiB] as const], [[1 * GiB, 1 * GiB + 64 * MiB] as const]],
};

describe('order and placement by release', () => {
  test('v2 reserves the default area, then 16 MiB per node from the configuration, top-down', () => {
    expect(draw(bootUnder('v2', server, 'cma=64M'))).toEqual([
      'reserved: 64 MiB on 0 at 1984 MiB',
      'pernuma0: 16 MiB on 0 at 14316 MiB',
      'pernuma1: 16 MiB on 1 at 24556 MiB',
      'pernuma2: 16 MiB on 2 at 32748 MiB',
      'pernuma3: 16 MiB on 3 at 40940 MiB',
    ]);
  });

  test('6.12 reserves the nodes first, bottom-up from 4 GiB, and the default area last', () => {
    expect(draw(bootUnder('6.12', server, 'cma=64M cma_pernuma=16M numa_cma=2:8M'))).toEqual([
      'pernuma0: 16 MiB on 0 at 8192 MiB',
      'pernuma1: 16 MiB on 1 at 16384 MiB',
      'pernuma2: 16 MiB on 2 at 24576 MiB',
      'numa2: 8 MiB on 2 at 24592 MiB',
      'pernuma3: 16 MiB on 3 at 32768 MiB',
      'reserved: 64 MiB on 0 at 1984 MiB',
    ]);
  });

  test('7.2 has one array: numa_cma= before cma_pernuma=, and the default area first', () => {
    expect(draw(bootUnder('7.2', server, 'cma=64M cma_pernuma=16M numa_cma=2:8M'))).toEqual([
      'reserved: 64 MiB on 0 at 1984 MiB',
      'numa0: 16 MiB on 0 at 8192 MiB',
      'numa1: 16 MiB on 1 at 16384 MiB',
      'numa2: 8 MiB on 2 at 24576 MiB',
      'numa3: 16 MiB on 3 at 32768 MiB',
    ]);
  });

  test('5.10 and 6.1 know cma_pernuma= on arm64 alone', () => {
    const x86 = { ...server, arch: 'x86' as const };
    for (const kernel of ['5.10', '6.1']) {
      expect(bootUnder(kernel, server, 'cma_pernuma=16M').areas).toHaveLength(4);
      expect(bootUnder(kernel, x86, 'cma_pernuma=16M').areas).toEqual([]);
    }
  });

  test('arm64 keeps the default area below 4 GiB, x86 puts it at the first gap above', () => {
    const nodes = [[[MiB, 2 * GiB] as const, [4 * GiB, 8 * GiB] as const]];
    expect(draw(bootUnder('6.12', { arch: 'x86', nodes }, 'cma=64M'))).toEqual([
      'reserved: 64 MiB on 0 at 4096 MiB',
    ]);
    expect(draw(bootUnder('6.12', { nodes }, 'cma=64M'))[0]).toMatch(/at 1984 MiB/);
  });

  test('struct pages are taken before the default area up to 6.15, after it from 7.2 on', () => {
    const nodes = [[[0, 4 * GiB] as const]];
    // 32 sections of 2 MiB of struct pages lie at the top, below them struct pglist_data.
    expect(draw(bootUnder('6.12', { nodes }, 'cma=64M'))[0]).toMatch(/at 3966 MiB/);
    expect(draw(bootUnder('7.2', { nodes }, 'cma=64M'))[0]).toMatch(/at 4030 MiB/);
  });

  test('an explicit limit counts against the arch limit from 7.2 on', () => {
    expect(sentence(bootUnder('6.12', server, 'cma=64M@8G-16G'), 'reserved')).toMatch(/-22/);
    expect(draw(bootUnder('7.2', server, 'cma=64M@8G-16G'))).toEqual([
      'reserved: 64 MiB on 0 at 8192 MiB',
    ]);
  });
});

describe('defects by release', () => {
  test('up to 5.8-rc3 an area asked for a node without room lies on another one', () => {
    const rc3 = bootUnder('v2', small, '', { CMA_PERNUMA_SIZE_MBYTES: 128 });
    expect(rc3.areas.map(({ name, nid, slotNid }) => [name, nid, slotNid])).toEqual([
      ['pernuma0', 0, 0],
      ['pernuma1', 0, 1],
    ]);
    expect(sentence(rc3, 'pernuma1')).toMatch(/lies on node 0/);
    const fixed = bootUnder('v7', small, 'pernuma_cma=128M');
    expect(fixed.areas.map(({ name }) => name)).toEqual(['pernuma0']);
    expect(fixed.log.at(-1)).toBe(
      'cma: dma_pernuma_cma_reserve: reservation failed: err -12, node 1',
    );
  });

  test('5.7 reserves hugetlb areas before it knows the nodes: one area, under node 0', () => {
    const before = bootUnder('5.7', server, 'hugetlb_cma=4G');
    expect(before.areas.map(({ name, nid, slotNid }) => [name, nid, slotNid])).toEqual([
      ['hugetlb', 3, 0],
    ]);
    const after = bootUnder('5.10', server, 'hugetlb_cma=4G');
    expect(after.areas.map(({ name, nid }) => [name, nid])).toEqual([
      ['hugetlb0', 0],
      ['hugetlb1', 1],
      ['hugetlb2', 2],
      ['hugetlb3', 3],
    ]);
  });

  test('7.2-rc passes a size per node through an int: 4G nothing, 2G refused, 5G is 1G', () => {
    const report = bootUnder('7.2-rc', server, 'numa_cma=0:4G,1:2G,2:5G,3:16M');
    expect(draw(report)).toEqual([
      'numa2: 1024 MiB on 2 at 24576 MiB',
      'numa3: 16 MiB on 3 at 32768 MiB',
    ]);
    expect(report.log.slice(0, 3)).toEqual([
      'cma: Size (0xffffffff80000000) of region at 0x0000000000000000 exceeds limit (0x0000000a00000000)',
      'cma: Failed to reserve 17592186042368 MiB',
      'cma: dma_numa_cma_reserve: reservation failed: err -22, node 1',
    ]);
    expect(draw(bootUnder('7.2', server, 'numa_cma=1:2G'))).toEqual([
      'numa1: 2048 MiB on 1 at 16384 MiB',
    ]);
  });

  test('7.2 leaves the nodes without areas when the default area fails, 6.12 does not', () => {
    const stopped = bootUnder('7.2', server, 'cma=8G cma_pernuma=16M');
    expect(stopped.areas).toEqual([]);
    expect(sentence(stopped, 'numa2')).toMatch(/default area failed/);
    expect(bootUnder('6.12', server, 'cma=8G cma_pernuma=16M').areas).toHaveLength(4);
  });

  test('CMA_SIZE_PERNUMA gives every node the default size unless a parameter was there', () => {
    const config = { CMA_SIZE_PERNUMA: 'y' };
    const sizes = (cmdline: string) =>
      bootUnder('7.2', server, cmdline, config).areas.map((area) => (area.count * 4096) / MiB);
    expect(sizes('cma=32M')).toEqual([32, 32, 32, 32, 32]);
    expect(sizes('cma=32M cma_pernuma=0')).toEqual([32]);
    expect(sizes('')).toEqual([]);
  });

  test('up to 5.8 one area that cannot be activated keeps all later ones inactive', () => {
    const straddling = 'cma=64M@992M-1056M';
    const counts = (kernel: string, cmdline: string) =>
      bootUnder(kernel, server, cmdline).areas.map(({ name, count }) => [name, count]);
    expect(counts('v7', `${straddling} pernuma_cma=16M`).every(([, count]) => count === 0)).toBe(
      true,
    );
    expect(counts('5.10', `${straddling} cma_pernuma=16M`)).toEqual([
      ['reserved', 0],
      ['pernuma0', 4096],
      ['pernuma1', 4096],
      ['pernuma2', 4096],
      ['pernuma3', 4096],
    ]);
    expect(bootUnder('5.10', server, straddling).log).toContain(
      'cma: CMA area reserved could not be activated',
    );
  });

  test('a size per node stays unread where the configuration does not have it', () => {
    const report = bootUnder('6.6', server, 'cma_pernuma=16M', { DMA_NUMA_CMA: 'n' });
    expect(report.areas).toEqual([]);
    expect(report.log).toEqual([]);
  });
});

describe('slots, alignment, crashes', () => {
  test('the area that comes last loses when slots run out: the default one in 6.12', () => {
    const report = bootUnder('6.12', server, 'cma=64M cma_pernuma=16M', { CMA_AREAS: 4 });
    expect(report.defaultArea).toBe(-1);
    expect(report.areas).toHaveLength(4);
    expect(sentence(report, 'reserved')).toMatch(/-28.*all 4 slots/);
    const newer = bootUnder('7.2', server, 'cma=64M cma_pernuma=16M', { CMA_AREAS: 4 });
    expect(newer.areas.map(({ name }) => name)).toEqual(['reserved', 'numa0', 'numa1', 'numa2']);
    expect(newer.log.slice(-3)).toEqual([
      'cma: Not enough slots for CMA reserved regions!',
      'cma: Failed to reserve 16 MiB',
      'cma: dma_numa_cma_reserve: reservation failed: err -28, node 3',
    ]);
  });

  test('hugetlb areas take slots before the DMA areas do on arm64', () => {
    const cmdline = 'hugetlb_cma=4G cma=64M cma_pernuma=16M';
    const names = (kernel: string) =>
      bootUnder(kernel, server, cmdline, { CMA_AREAS: 6 }).areas.map(({ name }) => name);
    expect(names('6.12').slice(0, 5)).toEqual([
      'hugetlb0',
      'hugetlb1',
      'hugetlb2',
      'hugetlb3',
      'pernuma0',
    ]);
    expect(names('7.2').slice(0, 5)).toEqual(['reserved', 'numa0', 'numa1', 'numa2', 'numa3']);
  });

  test.each([
    [4096, '5.16', 4],
    [4096, '6.1', 2],
    [16384, '6.12', 32],
    [65536, '6.12', 512],
  ])('pages of %i bytes on %s: an area is a multiple of %i MiB', (pageSize, kernel, unit) => {
    const report = bootUnder(kernel, { ...server, pageSize }, 'cma_pernuma=1M');
    expect(report.areas.map(({ count }) => (count * pageSize) / MiB)).toEqual([
      unit,
      unit,
      unit,
      unit,
    ]);
    expect(report.use.every(({ taken, rounding }) => taken - rounding === MiB)).toBe(true);
  });

  test('with 64K pages a node without an aligned 512 MiB gets no area', () => {
    const from = 8 * GiB + 256 * MiB;
    const nodes = [[[0, 8 * GiB] as const], [[from, from + 700 * MiB] as const]];
    const report = bootUnder('6.12', { pageSize: 65536, nodes }, 'cma_pernuma=16M');
    expect(report.areas.map(({ nid }) => nid)).toEqual([0]);
    expect(report.log.at(-1)).toMatch(/err -12, node 1/);
  });

  test('a fixed area over addresses without memory is reserved, and the kernel does not survive it', () => {
    const report = bootUnder('6.12', server, 'cma=64M@3G');
    expect(report.log).toEqual(['cma: Reserved 64 MiB at 0x00000000c0000000 on node -1']);
    expect(report.crash).toMatch(/no memory behind/);
    expect(report.areas).toEqual([]);
  });

  test('a parameter without its value that the kernel dereferences ends the boot', () => {
    expect(bootUnder('6.12', server, 'cma=64M cma_pernuma').crash).toMatch(/null pointer/);
  });

  test('a node too high for the configuration is refused with the symbol to change', () => {
    expect(() => bootUnder('6.12', server, '', { NODES_SHIFT: 1 })).toThrow(/NODES_SHIFT=1/);
  });
});

describe('what the buddy is given', () => {
  test('zones of arm64: one GiB of DMA up to 5.10, everything below 4 GiB from 5.16 on', () => {
    const zones = (kernel: string) =>
      bootUnder(kernel, server, '').nodes[0].zones.map(({ name, startPfn, spanned }) => [
        name,
        startPfn,
        spanned,
      ]);
    expect(zones('5.10')).toEqual([
      ['DMA', 0, GiB / 4096],
      ['DMA32', GiB / 4096, (3 * GiB) / 4096],
      ['Normal', (4 * GiB) / 4096, (10 * GiB) / 4096],
    ]);
    expect(zones('5.16')).toEqual([
      ['DMA', 0, (4 * GiB) / 4096],
      ['Normal', (4 * GiB) / 4096, (10 * GiB) / 4096],
    ]);
  });

  test('managed pages are the ranges, areas included; free CMA pages are those of all areas', () => {
    const report = bootUnder('6.12', server, 'cma=64M cma_pernuma=16M');
    for (const zone of report.nodes.flatMap((node) => node.zones)) {
      const pages = zone.ranges.reduce((sum, [start, end]) => sum + end - start, 0);
      expect(pages).toBe(zone.managed);
      expect(zone.managed).toBeLessThanOrEqual(zone.present);
    }
    const cma = report.nodes.flatMap((n) => n.zones).reduce((sum, z) => sum + z.freeCma, 0);
    expect(cma).toBe(report.areas.reduce((sum, area) => sum + area.count, 0));
  });

  test('atomic pools: three from the default area of 6.12, none of it in 5.8, by zone in 5.10', () => {
    const pools = (kernel: string) =>
      bootUnder(kernel, server, 'cma=64M').atomicPools.map(({ gfp, fromDefaultArea }) => [
        gfp,
        fromDefaultArea,
      ]);
    const [kernel, dma, dma32] = ['GFP_KERNEL', 'GFP_KERNEL|GFP_DMA', 'GFP_KERNEL|GFP_DMA32'];
    expect(pools('6.12')).toEqual([
      [kernel, true],
      [dma, true],
      [dma32, true],
    ]);
    expect(pools('7.2')).toEqual([
      [kernel, true],
      [dma, true],
    ]);
    expect(pools('5.8')).toEqual([
      [kernel, false],
      [dma, false],
      [dma32, false],
    ]);
    expect(pools('5.10')).toEqual([
      [kernel, true],
      [dma, false],
      [dma32, true],
    ]);
    expect(pools('5.7')).toEqual([[null, true]]);
  });
});

describe('what the command line and the configuration change besides', () => {
  test('numa=off makes one node of the machine, and one area', () => {
    expect(draw(bootUnder('6.12', server, 'numa=off cma_pernuma=16M'))).toEqual([
      'pernuma0: 16 MiB on 0 at 8192 MiB',
    ]);
  });

  test('mem= is an address on x86 and an amount of memory on arm64', () => {
    const nodes = [[[0, 2 * GiB] as const, [4 * GiB, 10 * GiB] as const]];
    const end = (arch: 'arm64' | 'x86') =>
      bootUnder('6.12', { arch, nodes }, 'mem=5G').nodes[0].zones.at(-1)!;
    expect(end('x86').spanned).toBe(GiB / 4096);
    expect(end('arm64').spanned).toBe((3 * GiB) / 4096);
  });

  test.each([
    ['MBYTES', 96],
    ['PERCENTAGE', 40],
    ['MIN', 40],
    ['MAX', 96],
  ])('without cma= the default area follows CMA_SIZE_SEL=%s', (CMA_SIZE_SEL, mib) => {
    const nodes = [[[0, 400 * MiB] as const]];
    const config = { CMA_SIZE_SEL, CMA_SIZE_MBYTES: 96, CMA_SIZE_PERCENTAGE: 10 };
    const report = bootUnder('6.12', { nodes }, '', config);
    expect(report.areas.map(({ count }) => (count * 4096) / MiB)).toEqual([mib]);
  });

  test('several free ranges above 4 GiB make one hugetlb area from 6.15 on', () => {
    const nodes = [
      [
        [0, 1 * GiB],
        [4 * GiB, 7 * GiB],
        [8 * GiB, 11 * GiB],
      ] as const,
    ];
    const report = bootUnder('6.15', { nodes }, 'hugetlb_cma=4G');
    expect(report.log).toContain('cma: Reserved 4096 MiB in 2 ranges');
    expect(bootUnder('6.12', { nodes }, 'hugetlb_cma=4G').areas).toEqual([]);
  });
});

test('a node without memory is online at numa_init on arm64, and only with its CPUs on x86', () => {
  const nodes = [
    [[0, 1 * GiB] as const, [4 * GiB, 12 * GiB] as const],
    [],
    [[12 * GiB, 20 * GiB] as const],
  ];
  const share = (arch: 'arm64' | 'x86') =>
    bootUnder('6.12', { arch, nodes }, 'hugetlb_cma=3G').log.find((line) => /up to/.test(line));
  expect(share('arm64')).toBe('hugetlb_cma: reserve 3072 MiB, up to 1024 MiB per node');
  expect(share('x86')).toBe('hugetlb_cma: reserve 3072 MiB, up to 1536 MiB per node');
  // Long before anybody is asked for memory both know it: its CPUs are up.
  expect(bootUnder('6.12', { arch: 'x86', nodes }, '').nodes[1]).toMatchObject({
    online: true,
    hasMemory: false,
  });
});
