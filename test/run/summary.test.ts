/**
 * From recorded samples to what a reader is shown, and to whether the expectations hold.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runDocument } from '#cmasim/run/json.js';
import type { AreaResult, RunResult } from '#cmasim/run/result.js';
import { checkResults, deviceResults, lookupIn, statResults } from '#cmasim/run/summary.js';
import { runText } from '#cmasim/run/text.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import { allStatistics } from '#cmasim/scenario/names.js';
import { Recorder } from '#cmasim/sim/statistics.js';
import { paint } from '#cmasim/text/table.js';

const [scenario] = parseScenario(
  `kernel: 6.12
machine: kunpeng920-2p
devices:
  nic: { kind: hns3, node: [1, 2] }
  one: { kind: smmuv3, node: 3 }
expect:
  - one.cmd_sync_ns.max == 560ns
  - nic.placed.default > nic@2.placed.node
  - reserved.used == 3 and refused == 0
  - pernuma9.used == 0
`,
  's.yaml',
);
const devices = scenario!.devices;
const actors = new Map(devices.map(({ name, declaration }, i) => [10 + i, { name, declaration }]));

const statistic = (name: string) => allStatistics().find((one) => one.name === name)!;

/** What three devices and a node (actor 0) recorded. */
function recorded() {
  const recorder = new Recorder();
  const sync = statistic('cmd_sync_ns');
  for (const value of [240, 560]) recorder.record(sync, 12, value);
  const counts = [
    ['placed.default.remote', 10, 3],
    ['placed.default.remote', 11, 1],
    ['placed.node.local', 11, 1],
    ['placed.buddy.remote', 12, 1],
    ['leaked_pages', 0, 8],
  ] as const;
  for (const [name, actor, n] of counts) recorder.add(statistic(name), actor, n);
  return statResults(recorder.snapshot(), actors);
}

const reserved: AreaResult = {
  name: 'reserved',
  role: 'default',
  nid: 0,
  basePfn: 0x7c000,
  count: 16384,
  pageSize: 4096,
  used: 3,
  peakUsed: 9,
  maxchunk: 16000,
  allocPagesSuccess: 12,
  allocPagesFail: 4,
};

function result(): RunResult {
  const stats = recorded();
  const known = {
    stats,
    areas: [reserved],
    devices: deviceResults(devices, stats),
    findings: [{ kind: 'leak', time: 110e6, text: 'orphan: 8 pages of pernuma2' }],
  };
  return {
    scenario: 's',
    title: '',
    kernel: '6.12',
    policy: '6.6',
    cmdline: 'cma=64M',
    machine: 'kunpeng920-2p',
    seed: 1,
    shards: 2,
    fingerprint: '00c0ffee',
    simulatedNs: 10e6,
    events: 1234,
    wallMs: 17.4,
    interrupted: false,
    ...known,
    checks: checkResults(scenario!.expect, { ...known, findings: known.findings.length }),
    parameters: [
      { name: 'machine.on_die', value: 60, unit: 'ns', class: 'calibrated', source: 'a paper' },
      { name: 'request', value: 150, unit: 'ns', class: 'assumed', source: 'a guess' },
    ],
    notes: ['quiet: not a parameter of this model'],
    log: [],
    bootLog: [],
  };
}

test("a device's memory is said to be from the areas of its node that served anyone", () => {
  const from = (...served: readonly number[]) => {
    const areas = ['pernuma2', 'numa2'].map((name, i): AreaResult => {
      const role = i === 0 ? 'pernuma' : 'numa';
      return { ...reserved, name, role, nid: 2, allocPagesSuccess: served[i] };
    });
    const whole = result();
    const [nic] = whole.devices.filter(({ node }) => node === 2);
    const placed = { device: 0, node: 3, default: 0, buddy: 0 };
    const placedRemote = { device: 0, node: 0, default: 0, buddy: 0 };
    const text = runText(
      { ...whole, areas, devices: [{ ...nic, placed, placedRemote }] },
      {
        paint: paint({ colour: false }),
      },
    );
    return /(pernuma2\S*|numa2|node area) 3/.exec(text)?.[1];
  };
  expect(from(0, 12)).toBe('numa2');
  expect(from(12, 0)).toBe('pernuma2');
  expect(from(12, 12)).toBe('pernuma2/numa2');
});

test('a counter of three parts is also counted under one and two of them, per device and in all', () => {
  const counters = recorded().filter(({ kind }) => kind === 'counter');
  const values = new Map(counters.map(({ actor, name, count }) => [`${actor} ${name}`, count]));
  expect(values.get(' placed')).toBe(6);
  expect(values.get(' placed.default')).toBe(4);
  expect(values.get('nic placed.default')).toBe(4);
  expect(values.get('nic@2 placed')).toBe(2);
  expect(values.get(' leaked_pages')).toBe(8);
});

test('sums over devices are the same in whatever order they are recorded', () => {
  const events = fc.array(fc.tuple(fc.integer({ min: 10, max: 12 }), fc.nat(100_000)));
  fc.assert(
    fc.property(events, fc.nat(), (list, turn) => {
      const sync = statistic('cmd_sync_ns');
      const summary = (order: typeof list) => {
        const recorder = new Recorder();
        for (const [actor, value] of order) recorder.record(sync, actor, value);
        return statResults(recorder.snapshot(), actors);
      };
      const at = turn % (list.length + 1);
      expect(summary([...list.slice(at), ...list.slice(0, at)])).toEqual(summary(list));
    }),
  );
});

test('an expectation finds devices, declarations, areas and sums; what nobody counted is 0', () => {
  const whole = result();
  const lookup = lookupIn({ ...whole, findings: whole.findings.length });
  expect(lookup('one.cmd_sync_ns', null)).toBe(400);
  expect(lookup('one.cmd_sync_ns', 'count')).toBe(2);
  expect(lookup('nic@1.placed.default.remote', null)).toBe(3);
  expect(lookup('nic@1.refused', null)).toBe(0);
  expect(lookup('reserved.alloc_pages_fail', null)).toBe(4);
  expect(lookup('findings', null)).toBe(1);
  expect(lookup('one.descriptor_fetch_ns', null)).toBeUndefined();
});

test('a check tells its value, and which of its names this run does not have', () => {
  expect(result().checks).toEqual([
    { expr: 'one.cmd_sync_ns.max == 560ns', ok: true, value: 560, missing: [] },
    { expr: 'nic.placed.default > nic@2.placed.node', ok: true, value: 4, missing: [] },
    { expr: 'reserved.used == 3 and refused == 0', ok: true, value: 0, missing: [] },
    { expr: 'pernuma9.used == 0', ok: false, value: null, missing: ['pernuma9.used'] },
  ]);
});

test('the summary of a run reads at a glance', () => {
  expect(runText(result(), { paint: paint({ colour: false }) })).toBe(`s
  kernel 6.12, policy 6.6 | machine kunpeng920-2p | seed 1
  cmdline cma=64M
  fingerprint 00c0ffee | 10 ms simulated | 1234 events

Where memory came from (requests)
  device  kind    node  from                              refused  leaked pages  local
  nic@1   hns3       1  reserved (node 0) 3                     0             0    0 %
  nic@2   hns3       2  node area 1, reserved (node 0) 1        0             0   50 %
  one     smmuv3     3  remote buddy 1                          0             0    0 %

Areas (pages unless said)
  area      node  base_pfn    size  used  peak  maxchunk  success  fail
  reserved     0   0x7c000  64 MiB     3     9    16 000       12     4

Times
  statistic    of   unit  count  mean  p50  p99  max  class
  cmd_sync_ns  one  ns        2   400  241  560  560  calibrated

Calibrated numbers these times rest on
  number          value  unit  source
  machine.on_die     60  ns    a paper
  and 1 assumed number: --json and manifest.json list them all

Findings
  leak at 110 ms: orphan: 8 pages of pernuma2

Checks
  ok    one.cmd_sync_ns.max == 560ns  (560)
  ok    nic.placed.default > nic@2.placed.node  (4)
  ok    reserved.used == 3 and refused == 0  (0)
  FAIL  pernuma9.used == 0  (no pernuma9.used in this run)

Notes
  quiet: not a parameter of this model
`);
});

test('one run is a document by itself, several are a list in one', () => {
  const one = runDocument([result()]);
  expect(one).toMatchObject({ format: 'cmasim-run/1', scenario: 's', wall_ms: 17, shards: 2 });
  expect(Object.keys(one)).toEqual(
    expect.arrayContaining([
      'kernel',
      'cmdline',
      'machine',
      'seed',
      'fingerprint',
      'simulated_ns',
      'events',
    ]),
  );
  expect(one.areas).toEqual([
    {
      name: 'reserved',
      nid: 0,
      base_pfn: 0x7c000,
      count: 16384,
      used: 3,
      peak_used: 9,
      maxchunk: 16000,
      alloc_pages_success: 12,
      alloc_pages_fail: 4,
    },
  ]);
  const stat = (one.stats as { name: string; actor: string }[]).find(
    ({ name, actor }) => name === 'cmd_sync_ns' && actor === 'one',
  );
  expect(Object.keys(stat!)).toEqual(
    'name actor unit class count mean min p50 p90 p99 p999 max'.split(' '),
  );
  const both = runDocument([result(), result()]);
  expect(both.format).toBe('cmasim-run/1');
  expect((both.runs as object[]).length).toBe(2);
});
