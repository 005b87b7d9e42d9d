/**
 * Every kind of bad input is one line: file:line:col, what was found, what was expected.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadScenario, type Override, parseScenario } from '#cmasim/scenario/load.js';
import { UserError } from '#cmasim/text/userError.js';

/** The line a user sees; `none` if the text is accepted. */
function complaint(text: string, overrides: readonly Override[] = []): string {
  return complaintOf(() => parseScenario(text, 's.yaml', { overrides }));
}

function complaintOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'none';
}

/** A scenario of two lines, and what a test adds from line 3 on. */
const with2 = (...lines: string[]) =>
  ['kernel: 6.12', 'machine: kunpeng920-2p', ...lines].join('\n');
const machine = (...lines: string[]) => ['kernel: 6.12', 'machine:', ...lines].join('\n');

describe('a file that is no scenario', () => {
  test.each([
    ['', 's.yaml:1:1: an empty file, expected a scenario'],
    ['# a comment\n', 's.yaml:1:1: an empty file, expected a scenario'],
    ['hello', 's.yaml:1:1: the text hello, expected a mapping of keys such as kernel and machine'],
    ['- a', 's.yaml:1:1: a list, expected a mapping of keys such as kernel and machine'],
    [
      '{"type":"meta"}\n["alloc"]',
      's.yaml:1:1: JSON Lines, expected a scenario; `cmasim replay` reads recordings',
    ],
    [
      '<?xml version="1.0"?>',
      's.yaml:1:1: a file that begins with <?xml version="1.0"?>, expected a scenario',
    ],
    [
      'a: [1,\nb',
      's.yaml:2:1: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['---\n', 's.yaml:1:4: nothing, expected a mapping of keys such as kernel and machine'],
    ['kernel: 1\nkernel: 2', 's.yaml:2:1: kernel: a second time in one mapping, expected once'],
    ['kernel: *x', 's.yaml:1:9: *x: no anchor of that name before it'],
    ['a: &x { b: *x }', 's.yaml:1:12: *x: a part of what it stands for'],
    ['a: { <<: 3 }', 's.yaml:1:10: <<: expected a mapping to merge, or an alias of one'],
    ['? [a]\n: 3', 's.yaml:1:3: a key that is a list or a mapping, expected a name'],
    ['~: 3', 's.yaml:1:1: an empty key, expected a name'],
    ['devices: { __proto__: 3 }', 's.yaml:1:12: __proto__: unknown key'],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });

  test('a binary file, a directory, a file that is not there', () => {
    const directory = mkdtempSync(join(tmpdir(), 'cmasim-'));
    const file = join(directory, 'x.yaml');
    writeFileSync(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x00]));
    const binary = `${file}:1:1: a binary file (a zero at byte 4), expected a scenario`;
    expect(complaintOf(() => loadScenario(file))).toBe(binary);
    writeFileSync(file, Buffer.from([0xff, 0xfe, 0x41]));
    const noText = `${file}:1:1: a binary file (no UTF-8), expected a scenario`;
    expect(complaintOf(() => loadScenario(file))).toBe(noText);
    expect(complaintOf(() => loadScenario(directory))).toBe(
      `${directory}: a directory, expected a file`,
    );
    expect(complaintOf(() => loadScenario('none.yaml'))).toBe('none.yaml: no such file');
  });
});

describe('keys and names', () => {
  test.each([
    [with2('kernal: 5.10'), 's.yaml:3:1: kernal: unknown key, did you mean kernel?'],
    [
      with2('colour: red'),
      's.yaml:3:1: colour: unknown key, expected one of title, kernel, policy, config, machine, cost, ' +
        'cmdline, reserved_memory, modules, devices, pressure, timeline, seed, stop, expect',
    ],
    [
      'machine: rpi4',
      's.yaml:1:1: kernel: nothing, expected a release or a policy, such as 6.12 or v2',
    ],
    [
      'kernel: 6.12',
      's.yaml:1:1: machine: nothing, expected a preset, a file, or the keys of a machine',
    ],
    [
      'kernel: 5.9\nmachine: rpi4',
      's.yaml:1:9: kernel: 5.9 is not known, expected one of 5.7, 5.8-rc3, 5.8, 5.10, 5.16, 6.1, 6.6, ' +
        '6.12, 6.15, 7.2-rc, 7.2, pre, v1, v2, v3, v4, v5, v6, v7',
    ],
    [
      with2('policy: v9'),
      's.yaml:3:9: policy: v9 is not known, expected one of pre, v1, v2, v3, v4, v5, v6, v7, 5.10, 6.6, 7.2',
    ],
    [
      'kernel: 6.12\nmachine: kunpeng920',
      's.yaml:2:10: machine: kunpeng920 is not known, did you mean kunpeng920-2p?',
    ],
    ['kernel: 6.12\nmachine: ./none.yaml', 's.yaml:2:10: machine: ./none.yaml: no such file'],
    [
      with2('config: { CMA_ALIGN: 9 }'),
      's.yaml:3:11: config.CMA_ALIGN: no symbol of the model, did you mean CMA_ALIGNMENT?',
    ],
    [
      with2('config: { CMA_ALIGNMENT: 33 }'),
      's.yaml:3:26: config.CMA_ALIGNMENT: 33, expected an integer from 2 to 12',
    ],
    [with2('cost: { requst: 3 }'), 's.yaml:3:9: cost.requst: unknown key, did you mean request?'],
    [
      with2('policy: { alloc: [buddy, cache], free: [buddy] }'),
      's.yaml:3:26: policy.alloc[1]: source "cache", expected one of device, pernuma, numa, nearest, ' +
        'default, buddy on node, buddy',
    ],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });
});

describe('values', () => {
  test.each([
    [with2('stop: 10'), 's.yaml:3:7: stop: 10, expected a time such as 240ns, 10us, 3ms'],
    [with2('stop: 3m'), 's.yaml:3:7: stop: 3m, expected a time such as 240ns, 10us, 3ms'],
    [with2('stop: 0'), 's.yaml:3:7: stop: the run has no length, expected more than 0'],
    [with2('stop: 0.1ns'), 's.yaml:3:7: stop: the run has no length, expected more than 0'],
    [
      with2('config: { NODES_SHIFT: 1 }'),
      's.yaml:3:24: config.NODES_SHIFT: 1, expected at least 2 for node 3 of kunpeng920-2p',
    ],
    [
      with2('config: { NUMA: n }'),
      's.yaml:3:17: config.NUMA: n with 4 nodes, expected y or a machine of one node',
    ],
    [
      with2('policy: { alloc: [], free: [buddy] }'),
      's.yaml:3:18: policy.alloc: an empty list, expected at least 1 entry',
    ],
    [
      with2('cost: { page_migrate: 1e300 }'),
      's.yaml:3:23: cost.page_migrate: 1e+300, expected a number from 0 to 1e9',
    ],
    [
      machine('  nodes: 2', '  cpus: 100000000'),
      's.yaml:4:9: machine.cpus: 100000000, expected a number of CPUs, 0 to 8192',
    ],
    [
      machine('  nodes: 2', '  memory: [4G, 5000]'),
      's.yaml:4:16: machine.memory[1]: 5000 bytes, expected a multiple of the page size 4096',
    ],
    [with2('seed: -1'), 's.yaml:3:7: seed: -1, expected 0 to 4294967295'],
    [
      with2('pressure: { 1: 16X }'),
      's.yaml:3:16: pressure.1: 16X, expected a size such as 64K, 16M, 1G, or keys',
    ],
    [
      with2('pressure: { 4: 16M }'),
      's.yaml:3:13: pressure.4: 4 is not in the machine, expected a node of kunpeng920-2p (0-3)',
    ],
    [
      machine('  nodes: 2', '  memory: 16Q'),
      's.yaml:4:11: machine.memory: 16Q, expected a size such as 4G, or a list of one per node',
    ],
    [
      machine('  nodes: 2', '  memory: [4G, 16Q]'),
      's.yaml:4:16: machine.memory[1]: 16Q, expected a size such as 64K, 16M, 1G',
    ],
    [machine('  nodez: 2'), 's.yaml:3:3: machine.nodez: unknown key, did you mean nodes?'],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });
});

describe('matrices', () => {
  test.each([
    [
      machine('  nodes: 2', '  distance:', '    - [10, 20]', '    - [20]'),
      's.yaml:6:7: machine.distance[1]: length 1, expected 2, one number per node',
    ],
    [
      machine('  nodes: 3', '  distance: [[10, 20], [20, 10]]'),
      's.yaml:4:13: machine.distance: length 2, expected 3, one row per node',
    ],
    [
      machine('  nodes: 2', '  distance: [[10, 20], [20, 12]]'),
      's.yaml:4:29: machine.distance[1][1]: 12 from a node to itself, expected 10',
    ],
    [
      machine('  nodes: 2', '  latency: [[100, near], [200, 100]]'),
      's.yaml:4:19: machine.latency[0][1]: near, expected a latency in ns',
    ],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });
});

describe('devices', () => {
  const device = (keys: string) => with2('devices:', `  nic0: { ${keys} }`);
  test.each([
    [
      device('node: 1'),
      's.yaml:4:9: devices.nic0.kind: nothing, expected a kind of `cmasim devices`',
    ],
    [device('kind: hns'), 's.yaml:4:17: devices.nic0.kind: hns is not known, did you mean hns3?'],
    [
      device('kind: hns3, node: 4'),
      's.yaml:4:29: devices.nic0.node: 4 is not in the machine, expected a node of kunpeng920-2p (0-3)',
    ],
    [
      device('kind: hns3, node: [0, 0]'),
      's.yaml:4:33: devices.nic0.node[1]: 0 is in the list twice',
    ],
    [
      device('kind: hns3, node: every'),
      's.yaml:4:29: devices.nic0.node: every, expected a node id, a list of them, or all',
    ],
    [
      device('kind: hns3, cuont: 2'),
      's.yaml:4:23: devices.nic0.cuont: unknown key, did you mean count?',
    ],
    [
      device('kind: hns3, desc_nun: 512'),
      's.yaml:4:23: devices.nic0.desc_nun: unknown key, did you mean desc_num?',
    ],
    [
      device('kind: hns3, start: soon'),
      's.yaml:4:30: devices.nic0.start: soon, expected a time such as 240ns, 10us, 3ms',
    ],
    [
      with2('devices:', '  nic-0: { kind: hns3 }'),
      's.yaml:4:3: devices.nic-0: expected a letter or _, then letters, digits and _',
    ],
    [
      device('kind: hns3, interval: 99999999999999999999s'),
      's.yaml:4:33: devices.nic0.interval: too long for a time, expected at most 104 days',
    ],
    [with2('devices: [nic]'), 's.yaml:3:10: devices: a list, expected a mapping'],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });
});

describe('the timeline', () => {
  const entry = (keys: string) =>
    with2('devices: { nic0: { kind: hns3 } }', 'timeline:', `  - { at: 3ms, ${keys} }`);
  test.each([
    [entry('do: wirte'), 's.yaml:5:20: timeline[0].do: wirte, did you mean write?'],
    [
      entry('do: write, device: nic1, numa_node: 1'),
      's.yaml:5:35: timeline[0].device: nic1 is not a device, did you mean nic0?',
    ],
    [
      entry('do: write, device: nic0, numa_node: 7'),
      's.yaml:5:52: timeline[0].numa_node: 7 is not in the machine, expected a node of kunpeng920-2p (0-3)',
    ],
    [
      entry('do: send, device: nic0, event: RESIZ'),
      's.yaml:5:47: timeline[0].event: RESIZ is no event of hns3, did you mean RESIZE?',
    ],
    [
      entry('do: send, device: nic0, event: RESIZE'),
      's.yaml:5:5: timeline[0].value: length 0, expected 1 (descriptors)',
    ],
    [
      entry('do: take, node: 9, size: 3M'),
      's.yaml:5:32: timeline[0].node: 9 is not in the machine, expected a node of kunpeng920-2p (0-3)',
    ],
    [
      entry('do: take, node: 1, size: lots'),
      's.yaml:5:41: timeline[0].size: lots, expected a size such as 64K, 16M, 1G',
    ],
    [
      entry('do: take, node: 1'),
      's.yaml:5:5: timeline[0].size: nothing, expected a size such as 64K, 16M, 1G',
    ],
  ])('%j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });
});

test('what every object has is no event', () => {
  const text = with2(
    'devices: { nic0: { kind: hns3 } }',
    'timeline: [{ at: 1ms, do: send, device: nic0, event: toString }]',
  );
  expect(complaint(text)).toMatch(/: timeline\[0\]\.event: toString is no event of hns3, /);
});

test('an expectation that cannot be read is shown at its own character', () => {
  expect(complaint(with2('expect:', '  - nic0.refused > 3xs'))).toBe(
    's.yaml:4:20: expect[0]: unit xs, expected one of %, ns, us, ms, s, K, M, G, T, P',
  );
  expect(complaint(with2('expect:', '  - "refused + 3"'))).toBe(
    's.yaml:4:5: expect[0]: a number, expected a comparison',
  );
});

test('an expectation nested without end is a mistake, not a crash', () => {
  for (const text of ['('.repeat(9999), 'not '.repeat(9999), `1 == ${'-'.repeat(9999)}1`]) {
    expect(complaint(with2(`expect: ["${text}"]`))).toMatch(/expect\[0\]: .*expected/);
  }
});

describe('names in an expectation', () => {
  const expecting = (text: string) =>
    with2('devices: { nic0: { kind: hns3 } }', 'expect:', `  - ${text}`);
  test.each([
    ['nic1.refused == 0', 's.yaml:5:5: expect[0]: nic1 is not a device, did you mean nic0?'],
    ['nic0.refusd == 0', 's.yaml:5:5: expect[0]: refusd is no statistic, did you mean refused?'],
    ['cmd_sync == 0', 's.yaml:5:5: expect[0]: cmd_sync is no statistic, did you mean cmd_sync_ns?'],
    ['colour == 0', 's.yaml:5:5: expect[0]: colour is no statistic, expected [DEVICE.]STATISTIC'],
    ['nic0.placed.node.local > 0 and reserved.used > 0 and findings == 0', 'none'],
  ])('%s', (text, message) => {
    expect(complaint(expecting(text))).toBe(message);
  });
});

describe('an option of the command line is the place of its own mistake', () => {
  const set = (path: string, value: string) => ({ path, value, option: `--set ${path}=${value}` });
  const text = with2('devices: { nic0: { kind: hns3 } }');
  test.each([
    [
      'devices.nic0.node',
      '9',
      'devices.nic0.node: 9 is not in the machine, expected a node of kunpeng920-2p (0-3)',
    ],
    ['stop', '9', 'stop: 9, expected a time such as 240ns, 10us, 3ms'],
    ['sed', '9', 'sed: unknown key, did you mean seed?'],
    ['kernel.x', '9', 'kernel has no keys, expected a mapping or a list'],
    ['seed', '[', '[ is no YAML value'],
    ['devices.__proto__.kind', 'x', '__proto__: unknown key'],
    ['timelin[0].at', '9', 'timelin: unknown key, did you mean timeline?'],
    ['devices.nic0.node', '{ a: 1, a: 2 }', 'a: a second time in one mapping, expected once'],
  ])('--set %s=%s', (path, value, message) => {
    expect(complaint(text, [set(path, value)])).toBe(`--set ${path}=${value}: ${message}`);
  });
});

test('a mistake in what a variant inherits is shown where it was written', () => {
  const text = `${with2('stop: never')}\n---\nkernel: v2\n`;
  expect(complaint(text)).toBe('s.yaml:3:7: stop: never, expected a time such as 240ns, 10us, 3ms');
});

test('a value that would break the line, or fill the screen, does neither', () => {
  const message = complaint(with2('title: x', `policy: "a\\nb\\u001b[31m${'c'.repeat(5000)}"`));
  expect(message).toMatch(/^s\.yaml:4:9: policy: a\\nb\\u001b\[31mc+… is not known, /);
  expect(message.length).toBeLessThan(600);
});

test('an alias may stand in what a variant inherits, and an option changes one copy only', () => {
  const text = `kernel: 6.12
machine: kunpeng920-2p
devices: { a: &nic { kind: hns3, node: 1, start: &soon 1ms }, b: *nic }
timeline: [{ at: *soon, do: take, node: 0, size: 1M }]
---
devices: { c: { kind: hns3 } }
`;
  const overrides = [{ path: 'timeline[0].size', value: '2M', option: '--set' }];
  const [first, second] = parseScenario(text, 's.yaml', { overrides });
  expect(second!.timeline).toEqual([{ at: 1e6, do: 'take', nid: 0, size: 2 ** 21 }]);
  expect(first!.devices.map(({ name, nid }) => [name, nid])).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
  const moved = [{ path: 'devices.b.node', value: '2', option: '--set' }];
  const [document = ''] = text.split('---');
  const [changed] = parseScenario(document, 's.yaml', { overrides: moved });
  expect(complaint(text, moved)).toBe(
    '--set: devices.b.kind: nothing, expected a kind of `cmasim devices`',
  );
  expect(changed!.devices.map(({ nid }) => nid)).toEqual([1, 2]);
});
