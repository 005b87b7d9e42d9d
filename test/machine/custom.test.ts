/**
 * Machines from a scenario's own keys: defaults, memory maps, and what is refused.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changedPreset } from '#cmasim/machine/change.js';
import { MachineError } from '#cmasim/machine/check.js';
import { customMachine } from '#cmasim/machine/custom.js';

const GiB = 2 ** 30;

/** Path and message of the mistake, as one text. */
function mistake(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof MachineError) return `${error.path.join('.')}: ${error.message}`;
    throw error;
  }
  return 'none';
}

test('every node has the RAM it was given, and no byte has two owners', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 2 ** 21 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sizes, fc.constantFrom('arm64', 'x86'), (pages, arch) => {
      fc.pre(pages.some((count) => count > 256));
      const memory = pages.map((count) => count * 4096);
      const machine = customMachine({ nodes: pages.length, memory, arch });
      machine.nodes.forEach((node, i) => {
        const bytes = node.memory.reduce((sum, [start, end]) => sum + end - start, 0);
        // A PC loses page 0 and what lies between 636 KiB and 1 MiB.
        const lost = memory[i] - bytes;
        expect(lost === 0 || (arch === 'x86' && lost <= 2 ** 20)).toBe(true);
      });
    }),
  );
});

test("a number of nodes alone gives 4 GiB and 16 CPUs each, at the kernel's 10 and 20", () => {
  const machine = customMachine({ nodes: 2 });
  expect(machine.nodes).toEqual([
    { nid: 0, cpus: 16, online: true, memory: [[GiB, 5 * GiB]] },
    { nid: 1, cpus: 16, online: true, memory: [[5 * GiB, 9 * GiB]] },
  ]);
  expect(machine.distance).toEqual([
    [10, 20],
    [20, 10],
  ]);
});

test('node ids may have gaps, and nodes may lack memory or CPUs', () => {
  const nodes = [{ nid: 0 }, { nid: 8, memory: 0 }, { nid: 252, cpus: 0 }];
  const machine = customMachine({ nodes });
  expect(machine.nodes.map(({ nid }) => nid)).toEqual([0, 8, 252]);
  expect(machine.nodes[1].memory).toEqual([]);
});

test('chassis repeat one matrix, and know which nodes are theirs', () => {
  const distance = [
    [10, 15],
    [15, 10],
  ];
  const machine = customMachine({ chassis: { count: 2, nodes: 2, link: 500 }, distance });
  expect(machine.distance).toEqual([
    [10, 15, 80, 80],
    [15, 10, 80, 80],
    [80, 80, 10, 15],
    [80, 80, 15, 10],
  ]);
  expect(machine.latency[0]).toEqual([100, 150, 1150, 1150]);
  expect(machine.chassis).toEqual([0, 0, 1, 1]);
});

test('a changed preset lists what was changed as assumed', () => {
  const machine = changedPreset('kunpeng920-2p', { on_die: 70, memory: 8 * GiB });
  const changed = machine.parameters.filter(({ source }) => source === 'the scenario');
  expect(changed.map(({ name, value, class: of }) => [name, value, of])).toEqual([
    ['machine.memory', 32 * GiB, 'assumed'],
    ['machine.on_die', 70, 'assumed'],
  ]);
});

test.each([
  [{ nodes: 2, distance: [[10, 20]] }, 'distance: length 1, expected 2, one row per node'],
  [
    { nodes: 2, distance: [[10, 20], [20]] },
    'distance.1: length 1, expected 2, one number per node',
  ],
  [
    {
      nodes: 2,
      distance: [
        [10, 20],
        [20, 11],
      ],
    },
    'distance.1.1: 11 from a node to itself, expected 10',
  ],
  [
    {
      nodes: 2,
      distance: [
        [10, 10],
        [20, 10],
      ],
    },
    'distance.0.1: 10 between two nodes, expected a whole number 11-255',
  ],
  [
    {
      nodes: 2,
      latency: [
        [100, 90],
        [120, 100],
      ],
    },
    'latency.0.1: 90 ns, less than the 100 ns node 1 needs itself',
  ],
  [{ nodes: 2, memory: [GiB] }, 'memory: length 1, expected 2, one number per node'],
  [
    { nodes: [{ nid: 3 }, { nid: 3 }] },
    'nodes.1.nid: 3, expected more than 3, ascending and once each',
  ],
  [{ nodes: 1, memory: 0 }, 'memory: no node has memory'],
  [{ nodes: 1, cpus: 0 }, 'cpus: no node has a CPU'],
  [
    { nodes: 1, memory: GiB + 1 },
    'memory: 1073741825 bytes, expected a multiple of the page size 4096',
  ],
  [{ nodes: 1, page: 8192 }, 'page: 8192, expected one of 4096, 16384, 65536 on arm64'],
  [{ nodes: 1, page: 16384, arch: 'x86' }, 'page: 16384, expected 4096 on x86'],
  [
    { chassis: { count: 1000, nodes: 20, link: 300 } },
    'chassis: 20000 nodes, expected at most 1024',
  ],
  [
    { nodes: 1, memory: 2 ** 52 },
    'nodes.0.memory: 0x40000000-0x10000040000000, expected addresses below 0x10000000000000 (4P)',
  ],
  [
    {
      nodes: 2,
      latency: [
        [0, 120],
        [120, 0],
      ],
    },
    'latency.0.0: 0 ns, expected more than 0 and at most 1e9',
  ],
  [{}, ': neither nodes nor chassis, expected one of the two'],
] as const)('%j is refused: %s', (keys, message) => {
  expect(mistake(() => customMachine(keys))).toBe(message);
});

test('memory of two nodes may not overlap', () => {
  const nodes = [{ memory: [[0, 2 * GiB]] as const }, { memory: [[GiB, 3 * GiB]] as const }];
  expect(mistake(() => customMachine({ nodes }))).toBe(
    'nodes.1.memory: 0x40000000-0x80000000 belongs to nodes 0 and 1',
  );
});
