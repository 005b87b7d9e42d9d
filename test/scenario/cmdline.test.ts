/** The kernel command line: numbers, lenient ends, what each release knows. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kconfigOf } from '#cmasim/mm/boot/kconfig.js';
import { kstrtobool, memparse } from '#cmasim/mm/memparse.js';
import { kernelOf } from '#cmasim/mm/release.js';
import { parseCmdline, splitCmdline } from '#cmasim/scenario/cmdline.js';

const MiB = 2 ** 20;

function read(cmdline: string, name = '6.12', overrides: Record<string, unknown> = {}) {
  const kernel = kernelOf(name);
  const { kconfig } = kernel.reservation;
  const config = kconfigOf(kernel.release, kernel.reservation, 'arm64', {
    ...(kconfig === null ? {} : { [kconfig]: 'y' }),
    NODES_SHIFT: 6,
    ...overrides,
  });
  return parseCmdline(cmdline, kernel, config, 'arm64');
}

const cma = (cmdline: string) => {
  const { cmaSize, cmaBase, cmaLimit } = read(cmdline).parameters;
  return [cmaSize, cmaBase, cmaLimit];
};

describe('memparse', () => {
  test('what is printed in any radix with any suffix reads as the same number', () => {
    const suffix = fc.constantFrom(['', 0], ['K', 1], ['m', 2], ['G', 3], ['t', 4]) as fc.Arbitrary<
      [string, number]
    >;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 12 }), suffix, (n, [letter, power]) => {
        const value = n * 1024 ** power;
        expect(memparse(`${n}${letter}`).value).toBe(value);
        expect(memparse(`0x${n.toString(16)}${letter}`).value).toBe(value);
        expect(memparse(`0${n.toString(8)}${letter}`).value).toBe(value);
      }),
    );
  });

  test('what follows the number and one suffix is left over, whatever it is', () => {
    fc.assert(
      fc.property(fc.nat(9999), fc.string({ maxLength: 8 }), (n, tail) => {
        fc.pre(!/^[0-9kmgtpeKMGTPEx]/.test(tail) && n > 0);
        expect(memparse(`${n}${tail}`)).toMatchObject({ value: n, rest: tail });
      }),
    );
  });

  test.each([
    ['', 0, ''],
    ['foo', 0, 'foo'],
    ['08', 0, '8'],
    ['0x', 0, 'x'],
    ['0xg', 0, 'xg'],
    ['010', 8, ''],
    ['1KK', 1024, 'K'],
    ['-1', 0, '-1'],
    ['16E', 0, ''],
    ['0xffffffffffffffff', 2 ** 64, ''],
  ])('"%s" is %d and leaves "%s"', (text, value, rest) => {
    expect(memparse(text)).toMatchObject({ value, rest });
  });

  test('all ones stand for "not given", and a number that does not fit wraps', () => {
    expect(memparse('0xffffffffffffffff').isMinusOne).toBe(true);
    expect(memparse('17E')).toMatchObject({ value: 2 ** 60, wrapped: true });
    expect(read('cma=0xffffffffffffffff').parameters.cmaSize).toBeNull();
  });

  test.each([
    ['1', true],
    ['y', true],
    ['on', true],
    ['0', false],
    ['off', false],
    ['o', null],
    ['', null],
  ])('kstrtobool(%j) is %j', (text, value) => {
    expect(kstrtobool(text)).toBe(value);
  });
});

describe('cma=', () => {
  test('SIZE@BASE sets the limit, SIZE@BASE-LIMIT takes it', () => {
    expect(cma('cma=64M')).toEqual([64 * MiB, 0, 0]);
    expect(cma('cma=64M@256M')).toEqual([64 * MiB, 256 * MiB, 320 * MiB]);
    expect(cma('cma=64M@128M-256M')).toEqual([64 * MiB, 128 * MiB, 256 * MiB]);
  });

  test('a later one without @ keeps base and limit of an earlier one, and says so', () => {
    expect(cma('cma=64M@256M cma=32M')).toEqual([32 * MiB, 256 * MiB, 320 * MiB]);
    expect(read('cma=64M@256M cma=32M').notes[0]?.text).toMatch(/keeps base and limit/);
  });

  test('nothing, zero and no number all switch it off; without "=" it is an error of the kernel', () => {
    for (const text of ['cma=', 'cma=0', 'cma=foo']) expect(cma(text)[0]).toBe(0);
    expect(cma('')[0]).toBeNull();
    expect(read('cma').parameters.cmaSize).toBeNull();
    expect(read('cma').log).toEqual([
      'cma: Config string not provided',
      "Malformed early option 'cma'",
    ]);
  });
});

describe('numa_cma=', () => {
  const nodes = (value: string) => [...read(`numa_cma=${value}`).parameters.sizeByNode];

  test.each([
    [
      '0:16M,1:32M',
      [
        [0, 16 * MiB],
        [1, 32 * MiB],
      ],
    ],
    [
      '1:16M,0:8M,1:32M',
      [
        [1, 32 * MiB],
        [0, 8 * MiB],
      ],
    ],
    ['01:16M', [[1, 16 * MiB]]],
    ['0:0x200000', [[0, 2 * MiB]]],
    ['0:', [[0, 0]]],
    ['0:16M,,1:16M', [[0, 16 * MiB]]],
    ['0:16M;1:16M', [[0, 16 * MiB]]],
    ['0:16M,64:16M,1:16M', [[0, 16 * MiB]]],
    ['16M', []],
    ['-1:16M', []],
    ['0x1:16M', []],
    ['', []],
  ])('%s gives %j', (value, expected) => {
    expect(nodes(value)).toEqual(expected);
  });

  test('a list of any length is read to its end, the last of a node winning', () => {
    const item = fc.tuple(fc.nat(63), fc.integer({ min: 1, max: 4096 }));
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 12 }), (items) => {
        const text = items.map(([nid, size]) => `${nid}:${size}M`).join(',');
        expect(new Map(nodes(text))).toEqual(
          new Map(items.map(([nid, size]) => [nid, size * MiB])),
        );
        expect(read(`numa_cma=${text}`).notes).toEqual([]);
      }),
    );
  });

  test('where it stops, a note says at what and why', () => {
    expect(read('numa_cma=0:16M,x:1').notes[0]?.text).toMatch(/stops .* "x:1".*decimal/);
  });
});

describe('hugetlb_cma=', () => {
  const hugetlb = (cmdline: string, name?: string) => {
    const { hugetlbSize, hugetlbByNode } = read(cmdline, name).parameters;
    return [hugetlbSize / 2 ** 30, [...hugetlbByNode.keys()]];
  };

  test('one size, or sizes by node, which add up', () => {
    expect(hugetlb('hugetlb_cma=4G')).toEqual([4, []]);
    expect(hugetlb('hugetlb_cma=0:1G,2:2G')).toEqual([3, [0, 2]]);
  });

  test('an item without a colon reads the whole value as one size', () => {
    expect(hugetlb('hugetlb_cma=0:1G,5G')).toEqual([0, [0]]);
  });

  test('nodes are not understood before 5.16', () => {
    expect(hugetlb('hugetlb_cma=1:1G', '5.10')[1]).toEqual([]);
  });
});

describe('who knows what', () => {
  test.each([
    ['v2', 'pernuma_cma=16M', null],
    ['v3', 'pernuma_cma=16M', 16 * MiB],
    ['5.10', 'pernuma_cma=16M', null],
    ['5.10', 'cma_pernuma=16M', 16 * MiB],
    ['6.12', 'cma-pernuma=16M', 16 * MiB],
    ['5.8', 'cma_pernuma=16M', null],
  ])('%s reads %s as %j', (kernel, cmdline, size) => {
    const { parameters, notes } = read(cmdline, kernel);
    expect(parameters.everySize).toBe(size);
    expect(notes.some((note) => note.kind === 'unknown')).toBe(size === null);
  });

  test('an unset symbol makes its parameters unknown, with the symbol in the note', () => {
    const { parameters, notes } = read('cma_pernuma=16M', '6.6', { DMA_NUMA_CMA: 'n' });
    expect(parameters.everySize).toBeNull();
    expect(notes[0]?.text).toMatch(/CONFIG_DMA_NUMA_CMA is not set/);
  });

  test('a parameter the kernel dereferences ends the boot when it has no value', () => {
    for (const name of ['cma_pernuma', 'numa_cma', 'hugetlb_cma', 'coherent_pool']) {
      expect(read(name).fatal).toMatch(/null pointer/);
    }
  });

  test('what is not about memory is passed over without a note', () => {
    const { others, notes } = read('console=ttyS0 quiet root=/dev/sda1');
    expect(others.map(([name]) => name)).toEqual(['console', 'quiet', 'root']);
    expect(notes).toEqual([]);
  });

  test('IOMMU parameters are read as the kernel reads booleans', () => {
    const line = read('iommu.passthrough=1 iommu.strict=n arm-smmu-v3.disable_msipolling');
    expect([line.iommuPassthrough, line.iommuStrict, line.disableMsipolling]).toEqual([
      true,
      false,
      true,
    ]);
    expect(read('iommu.passthrough=maybe').log).toEqual([
      "Malformed early option 'iommu.passthrough'",
    ]);
  });

  test('no text makes it throw', () => {
    const name = fc.constantFrom('cma', 'cma_pernuma', 'numa_cma', 'hugetlb_cma', 'mem', 'numa');
    const value = fc.string({ maxLength: 16 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), (words) => {
        read(words.map(([n, v]) => `${n}=${v}`).join(' '));
      }),
    );
  });
});

describe('words', () => {
  test('blanks outside quotes separate, quotes are taken off, what follows -- is for init', () => {
    expect(splitCmdline('a=1  b="x y" "c=2 3" d -- cma=64M')).toEqual([
      ['a', '1'],
      ['b', 'x y'],
      ['c', '2 3'],
      ['d', null],
    ]);
  });
});
