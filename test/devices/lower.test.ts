import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, enqueueActions, raise, sendTo, spawnChild, stateIn } from 'xstate';
import { LoweringError } from '#cmasim/devices/chart/loweringError.js';
import { devices } from '#cmasim/devices/registry.js';
import { cases } from '../cases.js';
import { firstDifference, loweredBench, type Step, tablesOf } from './harness.js';
import { chart, charts, events, everything, fields, vocabulary } from './machines.js';
import { mutants } from './mutants.js';
import { chartOf, expectations, firstFailure, walk } from './walk.js';

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ event: fc.nat(events.length - 1), number: fc.nat(2) }) },
  fc.constant('wait' as const),
);
const steps = fc.array(step, { minLength: 1, maxLength: 25, size: 'max' });
const subject = (config: Record<string, unknown>) => ({
  machine: chart(config),
  vocabulary,
  fields,
  events,
});

test('a random chart, lowered, does what XState does after every event', () => {
  fc.assert(
    fc.property(charts, steps, (machine, list) => {
      expect(firstDifference({ machine, vocabulary, fields, events }, list)).toBeUndefined();
    }),
    cases(50),
  );
});

for (const model of devices) {
  test(`${model.kind}: in every state, every event does what it does in XState`, () => {
    const walked = walk(chartOf(model));
    const tables = tablesOf(walked.subject);
    expect(firstFailure(walked, expectations(walked), tables)).toBeUndefined();
    const transient = tables.leaves.filter((_, leaf) => alwaysLeaves(tables, leaf));
    expect(walked.leaves).toBe(tables.leaves.length - transient.length);
  }, 20_000);

  test(`${model.kind}: no name of its vocabulary is unused`, () => {
    const text = JSON.stringify(model.machine.config);
    const names = [model.actions, model.guards, model.delays].flatMap((words) =>
      Object.keys(words),
    );
    expect(names.filter((name) => !text.includes(`"${name}"`))).toEqual([]);
  });
}

/** A leaf whose `always` ends in an unguarded candidate is never at rest. */
function alwaysLeaves({ always, candidates }: ReturnType<typeof tablesOf>, leaf: number): boolean {
  for (let at = always[leaf]; at !== 0 && candidates[at + 1] !== 0; at += 2) {
    if (candidates[at] === 0) return true;
  }
  return false;
}

test('no mutant of the tables passes for the chart they were lowered from', () => {
  const walked = walk(chartOf({ ...vocabulary, machine: everything, timeline: rest }));
  const expected = expectations(walked);
  const tables = tablesOf(walked.subject);
  expect(firstFailure(walked, expected, tables)).toBeUndefined();
  const all = [...mutants(tables, (read) => firstFailure(walked, expected, read))];
  const survivors = all.filter(({ changed }) => !firstFailure(walked, expected, changed));
  expect(survivors.map(({ name }) => name)).toEqual([]);
  expect(all.length).toBeGreaterThan(200);
});

const rest = Object.fromEntries(events.map((event) => [event, { help: '', numbers: [] }]));

test('an internal self-transition of a compound state does not run its own initial actions', () => {
  const self = {
    initial: { target: 'in', actions: 'act0' },
    states: { in: { entry: 'act1' } },
    on: { A: { target: '#self' }, B: { target: '#self', reenter: true } },
  };
  const lowered = subject({ initial: 'self', states: { self: { id: 'self', ...self } } });
  const list = [0, 1, 0].map((event) => ({ event, number: 0 }));
  expect(firstDifference(lowered, list)).toBeUndefined();
});

test('a timer of a state that was left is stale, also when the state was entered again', () => {
  const lowered = subject({
    initial: 'on',
    states: {
      on: { after: { 5: 'off' }, on: { A: { target: 'on', reenter: true }, B: 'off' } },
      off: { entry: 'act1', after: { 1: 'on' } },
    },
  });
  const a = { event: 0, number: 0 };
  const b = { event: 1, number: 0 };
  const list: Step[] = [a, a, 'wait', 'wait', b, 'wait', a, 'wait', 'wait', 'wait', 'wait'];
  expect(firstDifference(lowered, list)).toBeUndefined();
});

const inA = (state: Record<string, unknown>) => ({
  initial: 'a',
  states: { a: state, b: {} },
  id: 'm',
});
const refusals: [feature: string, state: Record<string, unknown>][] = [
  ['a parallel state', { type: 'parallel', states: { x: {} } }],
  ['invoke', { invoke: { src: 'poll' } }],
  ['an inline action', { entry: () => {} }],
  ['an inline guard', { on: { A: { guard: () => true } } }],
  ['stateIn', { on: { A: { guard: stateIn('#m.b') } } }],
  ['assign', { exit: assign({}) }],
  ['sendTo', { entry: sendTo('peer', { type: 'A' }) }],
  ['spawnChild', { entry: spawnChild('peer') }],
  ['enqueueActions', { entry: enqueueActions(() => {}) }],
  ['raise with a delay (use after)', { entry: raise({ type: 'A' }, { delay: 5 }) }],
  ['raise of anything but a fixed event without numbers', { entry: raise(() => ({ type: 'A' })) }],
  [
    'raise of anything but a fixed event without numbers',
    { entry: raise({ type: 'A', n: 1 } as { type: string }) },
  ],
  ["unknown action 'dance'", { entry: 'dance' }],
  ["unknown guard 'never'", { on: { A: { guard: 'never' } } }],
  ["params of action 'act0'", { entry: { type: 'act0', params: { n: 1 } } }],
  ["params of guard 'even'", { always: { guard: { type: 'even', params: {} }, target: 'b' } }],
  ["after with an unknown delay 'later'", { after: { later: 'b' } }],
  ['after with the same delay twice', { after: { 1000: 'b', '1e3': 'b' } }],
];

test.each(refusals)('%s is refused by the id of the state it stands in', (feature, state) => {
  const lowering = () => tablesOf(subject(inA(state)));
  expect(lowering).toThrow(LoweringError);
  expect(lowering).toThrow(`m.a: ${feature} cannot be lowered`);
});

test('history, output, several targets, context and timers of the root are refused too', () => {
  const lowering = (config: Record<string, unknown>) => () =>
    tablesOf(subject({ id: 'm', ...config }));
  const a = { initial: 'a' };
  expect(lowering({ ...a, states: { a: {}, back: { type: 'history' } } })).toThrow(
    'm.back: a history',
  );
  expect(lowering({ ...a, states: { a: {}, end: { type: 'final', output: 1 } } })).toThrow('m.end');
  expect(lowering({ ...a, context: { n: 0 }, states: { a: {} } })).toThrow('m: context');
  expect(lowering({ ...a, after: { 5: '.a' }, states: { a: {} } })).toThrow('m: after on the root');
  const two = { on: { A: { target: ['#m.a', '#m.b'] } } };
  expect(lowering(inA(two))).toThrow('m.a: a transition with several targets');
});

test('a chart that never settles is an error that names a state of the circle', () => {
  const circle = subject({
    id: 'm',
    initial: 'a',
    states: { a: { always: 'b' }, b: { always: 'a' } },
  });
  const bench = loweredBench(circle, tablesOf(circle));
  expect(() => bench.start()).toThrow(/^m\.[ab]: never settles/);
});
