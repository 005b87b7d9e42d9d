/**
 * Walks a model's chart: every state XState can reach, by a shortest path, times every event and
 * every way the guards it asks can answer. They answer from a mask that the event carries.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate';
import type { Tables } from '#cmasim/devices/chart/lower.js';
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
      names.map((name, bit) => [name, (_dma, _row, n) => ((n[0] >> bit) & 1) === 1]),
    ),
    delays: Object.fromEntries(
      Object.keys(model.delays).map((name, index) => [name, () => index + 5]),
    ),
  };
  const events = [...hostEvents, ...Object.keys(model.timeline), ...(model.own ?? [])];
  return { machine: model.machine, vocabulary, fields: [], events };
}

export interface Walk {
  readonly subject: Subject;
  readonly scripts: readonly (readonly Step[])[];
  readonly leaves: number;
}

type Send = Exclude<Step, 'wait'>;

/** No chart asks more guards than this between two events, unless it goes in a circle. */
const CIRCLE = 60;

/** Guards that answer by the bits of the event, and note what they were asked. */
class Answers {
  readonly asked: number[] = [];
  /** A chart that goes in a circle under these answers never settles; the script is left out. */
  endless = false;
  #mask = 0;

  begin(mask: number): void {
    this.asked.length = 0;
    this.endless = false;
    this.#mask = mask;
  }

  answer(bit: number): boolean {
    this.asked.push(bit);
    if (this.asked.length > CIRCLE) this.endless = true;
    return !this.endless && ((this.#mask >> bit) & 1) === 1;
  }
}

function stubs<T>(named: object, stub: T): Record<string, T> {
  return Object.fromEntries(Object.keys(named).map((name) => [name, stub]));
}

/**
 * Every way an event can go: guards that nobody asks are not varied, so that each branch is taken
 * once. Calls `go` with the bits that hold.
 */
function branches(answers: Answers, go: (mask: number) => void): void {
  const open: { mask: number; fixed: ReadonlySet<number> }[] = [{ mask: 0, fixed: new Set() }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { mask, fixed } = next;
    answers.begin(mask);
    go(mask);
    const seen = new Set(fixed);
    for (const bit of answers.asked) {
      if (seen.has(bit)) continue;
      seen.add(bit);
      open.push({ mask: mask | (1 << bit), fixed: new Set(seen) });
    }
  }
}

/** Scripts that together send every event, in every branch it has, in every reachable state. */
export function walk(subject: Subject): Walk {
  const { events } = tablesOf(subject);
  const answers = new Answers();
  const free = (subject.machine as AnyStateMachine).provide({
    guards: Object.fromEntries(
      Object.keys(subject.vocabulary.guards).map((name, bit) => [name, () => answers.answer(bit)]),
    ),
    actions: stubs(subject.vocabulary.actions, () => {}),
    delays: stubs(subject.vocabulary.delays, () => 1),
  });
  const all = 2 ** Object.keys(subject.vocabulary.guards).length - 1;
  const scripts: Step[][] = [];
  const seen = new Set<string>();
  const open: { state: AnyMachineSnapshot; way: readonly Send[] }[] = [];
  const meet = (state: AnyMachineSnapshot, way: readonly Send[]): void => {
    const value = JSON.stringify(state.value);
    if (seen.has(value)) return;
    seen.add(value);
    open.push({ state, way });
  };
  answers.begin(0);
  meet(initialTransition(free)[0], []);
  for (let next = open.shift(); next; next = open.shift()) {
    const { state, way } = next;
    scripts.push([...way, 'wait', 'wait']);
    for (const [event, type] of events.entries()) {
      branches(answers, (number) => {
        const [reached] = transition(free, state, { type });
        if (answers.endless) return;
        const script = [...way, { event, number }];
        // The same way with every other guard answering yes: nobody asks it.
        const unasked = answers.asked.reduce((mask, bit) => mask & ~(1 << bit), all);
        scripts.push(script, [...way, { event, number: number | unasked }]);
        meet(reached, script);
      });
    }
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
