/**
 * What a scenario file becomes: variants, devices, a timeline, and a document that loads as the same.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadScenario, parseScenario, scenarioYaml } from '#cmasim/scenario/load.js';
import type { Scenario } from '#cmasim/scenario/scenario.js';
import { cases } from '../cases.js';

const base = 'kernel: 6.12\nmachine: kunpeng920-2p\n';
const one = (text: string): Scenario => parseScenario(`${base}${text}`, 's.yaml')[0];

test('a later document keeps the keys of the first and replaces those it names', () => {
  const text = `${base}title: first\ncmdline: cma=64M\nseed: 7\n---\nkernel: v2\nseed: 8\n`;
  const [first, second] = parseScenario(text, 'dir/study.yaml');
  expect([first!.name, first!.title, first!.kernel, first!.policy]).toEqual([
    'study#1',
    'first',
    '6.12',
    '6.6',
  ]);
  expect([second!.name, second!.title, second!.kernel, second!.policy]).toEqual([
    'study#2',
    '',
    '5.8-rc3',
    'v2',
  ]);
  expect([second!.cmdline, first!.seed, second!.seed]).toEqual(['cma=64M', 7, 8]);
});

test('5.10 is a kernel and not the number 5.1', () => {
  expect(parseScenario('kernel: 5.10\nmachine: rpi4', 's.yaml')[0].kernel).toBe('5.10');
});

test('devices are named by node where a declaration makes several', () => {
  const scenario = one(`devices:
  a: { kind: hns3 }
  b: { kind: hns3, node: [1, 3] }
  c: { kind: hns3, node: 2, count: 2 }
  d: { kind: smmuv3, node: all, numa_node: -1, start: 3ms, mask: 32 }
`);
  expect(scenario.devices.map(({ name, nid, numaNode }) => [name, nid, numaNode])).toEqual([
    ['a', 0, 0],
    ['b@1', 1, 1],
    ['b@3', 3, 3],
    ['c@2.0', 2, 2],
    ['c@2.1', 2, 2],
    ['d@0', 0, -1],
    ['d@1', 1, -1],
    ['d@2', 2, -1],
    ['d@3', 3, -1],
  ]);
  expect(scenario.devices.at(-1)).toMatchObject({ start: 3e6, mask: 32, declaration: 'd' });
});

test('all nodes are those with CPUs: memory alone has no bus', () => {
  const text = 'kernel: 6.12\nmachine: gh200-like\ndevices: { n: { kind: hns3, node: all } }';
  expect(parseScenario(text, 's.yaml')[0].devices.map(({ nid }) => nid)).toEqual([0, 1]);
});

test('the timeline is in order of time, pressure first, and names devices by position', () => {
  const scenario = one(`devices:
  a: { kind: hns3, node: [0, 1] }
timeline:
  - { at: 2ms, do: write, device: a, numa_node: -1 }
  - { at: 1ms, do: send, device: a@1, event: RESIZE, value: 512 }
  - { at: 2ms, do: give, node: 1, size: 16M }
pressure: { 3: 1G }
`);
  expect(scenario.timeline).toEqual([
    { at: 0, do: 'take', nid: 3, size: 2 ** 30 },
    { at: 1e6, do: 'send', devices: [1], event: 'RESIZE', numbers: [512] },
    { at: 2e6, do: 'write', devices: [0, 1], numaNode: -1 },
    { at: 2e6, do: 'give', nid: 1, size: 2 ** 24 },
  ]);
});

test('the command line is passed on as it stands', () => {
  expect(one('cmdline: cma=64M@0-4G  numa_cma=1:16M,2:16M quiet').cmdline).toBe(
    'cma=64M@0-4G  numa_cma=1:16M,2:16M quiet',
  );
});

test('a policy may be written out', () => {
  const scenario = one('policy: { alloc: [numa if blocking, buddy], free: [numa of page, buddy] }');
  expect(scenario.policy).toBe('custom');
  expect(scenario.policyRow.alloc).toEqual(['numa if blocking', 'buddy']);
});

test('--set goes into every document, and into a preset as a change of it', () => {
  const overrides = [
    { path: 'machine.on_die', value: '70', option: '--set machine.on_die=70' },
    { path: 'seed', value: '9', option: '--seed 9' },
  ];
  const both = parseScenario(`${base}---\nkernel: v2\n`, 's.yaml', { overrides });
  expect(both.map(({ machine, seed }) => [machine.name, machine.onDie, seed])).toEqual([
    ['kunpeng920-2p', 70, 9],
    ['kunpeng920-2p', 70, 9],
  ]);
});

test('a machine may be a file of its own, found beside the scenario', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cmasim-'));
  writeFileSync(join(directory, 'board.yaml'), 'name: board\nnodes: 2\nmemory: 1G\n');
  const file = join(directory, 's.yaml');
  writeFileSync(file, 'kernel: 6.12\nmachine: ./board.yaml\n');
  const [scenario] = loadScenario(file);
  expect([scenario!.machine.name, scenario!.machine.nodes.length]).toEqual(['board', 2]);
  // The resolved document stands by itself: the file's keys are in it.
  expect(scenarioYaml(scenario!)).toContain('name: board');
});

const anyDevice = fc.record(
  {
    kind: fc.constantFrom('hns3', 'smmuv3'),
    node: fc.oneof(fc.nat(3), fc.constant('all'), fc.uniqueArray(fc.nat(3), { minLength: 1 })),
    count: fc.integer({ min: 1, max: 3 }),
    numa_node: fc.integer({ min: -1, max: 3 }),
    start: fc.nat(1000).map((ms) => `${ms}ms`),
  },
  { requiredKeys: ['kind'] },
);
const anyDocument = fc.record(
  {
    title: fc.string(),
    kernel: fc.constantFrom('pre', 'v2', '5.10', '6.12', '7.2'),
    machine: fc.oneof(
      fc.constantFrom('kunpeng920-2p', 'xeon-4p'),
      fc.record({ nodes: fc.integer({ min: 4, max: 6 }), memory: fc.constantFrom('1G', 2 ** 31) }),
    ),
    cmdline: fc.string(),
    devices: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/), anyDevice, { maxKeys: 4 }),
    seed: fc.nat(),
    stop: fc.integer({ min: 1, max: 99 }).map((us) => `${us}us`),
    expect: fc.constantFrom([], ['refused == 0', 'dma_alloc_ns.p99 within 5% of 3us']),
  },
  { requiredKeys: ['kernel', 'machine'] },
);

test('a resolved scenario, printed and read again, is the same scenario', () => {
  fc.assert(
    fc.property(anyDocument, (document) => {
      const [scenario] = parseScenario(JSON.stringify(document), 'scenario.yaml');
      const [again] = parseScenario(scenarioYaml(scenario!), 'scenario.yaml');
      const placeless = (one: Scenario) => ({
        ...one,
        expect: one.expect.map(({ text, expression }) => ({ text, expression })),
      });
      expect(placeless(again!)).toEqual(placeless(scenario!));
    }),
    cases(60),
  );
});
