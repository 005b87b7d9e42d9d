import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { deviceModel } from '#cmasim/devices/registry.js';
import { simulate } from '#cmasim/run/simulate.js';
import { loadScenario, parseScenario } from '#cmasim/scenario/load.js';
import { UserError } from '#cmasim/text/userError.js';
import { tablesOf } from './harness.js';
import { chartOf, expectations, firstFailure, walk } from './walk.js';

const file = new URL('../../scenarios/own-device.yaml', import.meta.url).pathname;

test('the device of the documentation runs, lowered and interpreted, on one shard and on two', async () => {
  for (const scenario of loadScenario(file)) {
    const lowered = await simulate(scenario, { inline: true, shards: 1 });
    expect(lowered.checks.map(({ ok }) => ok)).not.toContain(false);
    const interpreted = await simulate(scenario, {
      inline: true,
      shards: 1,
      devices: 'interpreted',
    });
    expect(interpreted.fingerprint).toBe(lowered.fingerprint);
    const threads = await simulate(scenario, { shards: 2 });
    expect(threads.fingerprint).toBe(lowered.fingerprint);
  }
}, 120_000);

test('in every state, every event does to it what it does in XState', () => {
  loadScenario(file);
  const walked = walk(chartOf(deviceModel('recorder')!));
  expect(firstFailure(walked, expectations(walked), tablesOf(walked.subject))).toBeUndefined();
});

const module = (text: string): (() => unknown) => {
  const folder = mkdtempSync(join(tmpdir(), 'cmasim-'));
  writeFileSync(join(folder, 'mine.mjs'), text);
  const scenario = 'kernel: 6.12\nmachine: kunpeng920-2p\nmodules: [./mine.mjs]\n';
  return () => parseScenario(scenario, join(folder, 's.yaml'));
};

test.each([
  ['export default 5', 'no default export that is a function, expected one of a device kit'],
  ['export default ({', 'no JavaScript, unexpected end of input'],
  ['await 1; export default () => 1', 'await at its top level, expected none'],
  ['export default () => ({ kind: "x" })', 'a model without config, expected what'],
  ['export default () => { throw new Error("Not today\\nnor ever"); }', 'not today'],
])('%s is refused in one line with its place', (text, message) => {
  expect(module(text)).toThrow(/^[^\n]*s\.yaml:3:11: modules\[0\]: \.\/mine\.mjs: [^\n]*$/);
  expect(module(text)).toThrow(message);
});

const chartText = (
  chart: string,
): string => `export default ({ setup, z, defineDevice }) => defineDevice({
  kind: 'mine', summary: 'Mine', config: z.strictObject({}), state: [], statistics: [],
  memory: () => [], actions: {}, machine: setup({}).createMachine(${chart}),
})`;

test.each([
  ["{ id: 'm', initial: 'b', states: { a: {} } }", /"b" not found/],
  ["{ id: 'm', initial: 'a', states: { a: { on: { START: 'c' } } } }", /state node 'm.a': .*'c'/],
  [
    "{ id: 'm', initial: 'a', states: { a: { invoke: { src: 'x' } } } }",
    'device mine: m.a: invoke',
  ],
  ["{ id: 'm', initial: 'a', states: { a: { entry: 'go' } } }", "m.a: unknown action 'go'"],
])('the chart %s is a mistake of the module, in one line with its place', (chart, message) => {
  expect(module(chartText(chart))).toThrow(/^[^\n]*s\.yaml:3:11: modules\[0\]: [^\n]*$/);
  expect(module(chartText(chart))).toThrow(message);
});

test('a module of parallel states runs', async () => {
  const chart = `{ id: 'm', type: 'parallel', states: {
    left: { initial: 'off', states: { off: { on: { START: 'on' } }, on: {} } }, right: {} } }`;
  const folder = mkdtempSync(join(tmpdir(), 'cmasim-'));
  writeFileSync(join(folder, 'mine.mjs'), chartText(chart).replace("'mine'", "'stereo'"));
  const text = `kernel: 6.12
machine: kunpeng920-2p
modules: [./mine.mjs]
devices: { d: { kind: stereo } }
stop: 1us
`;
  const [scenario] = parseScenario(text, join(folder, 's.yaml'));
  const { devices } = await simulate(scenario, { inline: true, shards: 1 });
  expect(devices.map(({ state }) => state)).toEqual(['{"left":"on","right":{}}']);
});

test('a module may not take a kind that is there', () => {
  const text = readFileSync(new URL('../../scenarios/recorder.mjs', import.meta.url), 'utf8');
  expect(module(text.replace("kind: 'recorder'", "kind: 'igb'"))).toThrow(
    'device igb is there already',
  );
});

test('a module that is not there is named with the place of its name', () => {
  const scenario = 'kernel: 6.12\nmachine: kunpeng920-2p\nmodules: [./none.mjs]\n';
  expect(() => parseScenario(scenario, 's.yaml')).toThrow(
    's.yaml:3:11: modules[0]: ./none.mjs: no such file',
  );
});

describe('what a module does wrong in a run is the mistake of the user, in any thread', () => {
  const recorder = readFileSync(new URL('../../scenarios/recorder.mjs', import.meta.url), 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'cmasim-'));
  let made = 0;
  const scenarioWith = (change: (text: string) => string) => {
    const name = `mine${++made}`;
    writeFileSync(
      join(folder, `${name}.mjs`),
      change(recorder.replace("kind: 'recorder'", `kind: '${name}'`)),
    );
    const text = `kernel: 6.12\nmachine: kunpeng920-2p\nmodules: [./${name}.mjs]\ndevices: { it: { kind: ${name} } }\n`;
    return parseScenario(text, join(folder, 's.yaml'))[0];
  };

  test.each([true, false])('an action that throws: inline %j', async (inline) => {
    const scenario = scenarioWith((text) =>
      text.replace('beginProbe: (_dma, row) =>', 'beginProbe: (_dma, row) => row.nothing.at ??'),
    );
    const error = await simulate(scenario, { inline, shards: 1 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(
      /mine\d+\.mjs:\d+:\d+: device it: beginProbe: .*undefined/,
    );
  });

  test.each([
    [true, 'lowered'],
    [false, 'lowered'],
    [true, 'interpreted'],
  ] as const)('a chart that never settles: inline %j, %s', async (inline, devices) => {
    const scenario = scenarioWith((text) =>
      text
        .replace("removed: { type: 'final' }", "removed: { always: 'removing' }")
        .replace(
          "removing: { entry: 'beginFree', ...sequence.freeing('#recorder.removed') }",
          "removing: { always: 'removed' }",
        )
        .replace("off: { on: { START: 'probing' } }", "off: { on: { START: 'removing' } }"),
    );
    const error = await simulate(scenario, { inline, shards: 1, devices }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(/^device it: recorder[^:]*: never settles/);
  });
});
