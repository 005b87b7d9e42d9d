/**
 * Walks a model's chart: every state XState can reach, by a shortest path, times every event and
 * answer of the guards. Guards answer from a mask the event carries, so that every branch can be
 * taken.
 */
import type { AnyStateMachine } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import type { Tables } from '#cmasim/devices/lower.js';
import { type DeviceModel, hostEvents, type Vocabulary } from '#cmasim/devices/model.js';
import {
  type Bench,
  interpretedBench,
  loweredBench,
  type Step,
  type Subject,
  tablesOf,
} from './harness.js';

/** The model's chart over actions that only say they ran and guards that read bits of the event. */
export function chartOf(
  model: Pick<DeviceModel, 'machine' | 'timeline' | 'own'> & Vocabulary,
): Subject {
  const names = Object.keys(model.guards);
  const vocabulary: Vocabulary = {
    actions: Object.fromEntries(
      Object.keys(model.actions).map((name) => [name, (dma) => dma.after(0, name)]),
    ),
    guards: Object.fromEntries(
      names.map((name, bit) => [name, (_dma, _row, n) => ((n[0]! >> bit) & 1) === 1]),
    ),
    delays: Object.fromEntries(
      Object.keys(model.delays).map((name, index) => [name, () => index + 5]),
    ),
  };
  const events = [...hostEvents, ...Object.keys(model.timeline), ...(model.own ?? [])];
  return { machine: model.machine, vocabulary, fields: [], events };
}

/** No guard holds, all do, one does, or one does not. */
function masks(guards: number): number[] {
  const all = 2 ** guards - 1;
  const ones = Array.from({ length: guards }, (_, bit) => 2 ** bit);
  return [0, all, ...ones, ...ones.map((one) => all - one)];
}

export interface Walk {
  readonly subject: Subject;
  readonly scripts: readonly (readonly Step[])[];
  readonly leaves: number;
}

function stubs<T>(named: object, stub: T): Record<string, T> {
  return Object.fromEntries(Object.keys(named).map((name) => [name, stub]));
}

/** Scripts that together send every event, with every mask, in every reachable state. */
export function walk(subject: Subject): Walk {
  const { events } = tablesOf(subject);
  const names = Object.keys(subject.vocabulary.guards);
  const steps = events.flatMap((_, event) =>
    masks(names.length).map((number) => ({ event, number })),
  );
  const free = (subject.machine as AnyStateMachine).provide({
    guards: Object.fromEntries(
      names.map((name, bit) => [
        name,
        ({ event }: { event: { number?: number } }) => (((event.number ?? 0) >> bit) & 1) === 1,
      ]),
    ),
    actions: stubs(subject.vocabulary.actions, () => {}),
    delays: stubs(subject.vocabulary.delays, () => 1),
  });
  const paths = getShortestPaths(free as never, {
    events: steps.map(({ event, number }) => ({ type: events[event], number })) as never,
    serializeState: (state) => JSON.stringify((state as { value: unknown }).value),
    limit: 100_000,
  });
  const scripts: Step[][] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    seen.add(JSON.stringify((path.state as { value: unknown }).value));
    const way = path.steps.flatMap(({ event }) => {
      const { type, number } = event as { type: string; number?: number };
      return type === 'xstate.init' ? [] : [{ event: events.indexOf(type), number: number ?? 0 }];
    });
    for (const step of steps) scripts.push([...way, step]);
    scripts.push([...way, 'wait', 'wait']);
  }
  return { subject, scripts, leaves: seen.size };
}

/** What XState does in each script, to compare any number of tables with. */
export function expectations({ subject, scripts }: Walk): string[] {
  const bench = interpretedBench(subject, tablesOf(subject));
  return scripts.map((script) => replay(bench, script));
}

/** The first script in which these tables do something else, or undefined. */
export function firstFailure(walked: Walk, expected: readonly string[], tables: Tables) {
  const bench = loweredBench(walked.subject, tables);
  return walked.scripts.find((script, index) => replay(bench, script) !== expected[index]);
}

function replay(bench: Bench, script: readonly Step[]): string {
  const seen: string[] = [];
  try {
    bench.start();
    seen.push(bench.observe());
    for (const step of script) {
      bench.step(step);
      seen.push(bench.observe());
    }
  } catch (error) {
    seen.push(String(error));
  }
  return seen.join('\n');
}
