/** Runs one machine lowered and through XState side by side, and says where they part. */
import type { AnyStateMachine } from 'xstate';
import { InterpretedMachine } from '#cmasim/devices/chart/interpreted.js';
import { lower, type Tables } from '#cmasim/devices/chart/lower.js';
import { LoweredMachine } from '#cmasim/devices/chart/lowered.js';
import { rowView } from '#cmasim/devices/chart/row.js';
import { header, type RunningChart, type Surroundings } from '#cmasim/devices/chart/runner.js';
import type { DmaApi } from '#cmasim/devices/dmaApi.js';
import type { Vocabulary } from '#cmasim/devices/model.js';
import { Nid } from '#cmasim/mm/units.js';

/** `wait`: time goes on to the next timer. Otherwise an event by index, with its first number. */
export type Step = 'wait' | { readonly event: number; readonly number: number };

/** One machine with one row, its own queue of timers and a log of everything it did. */
export class Bench {
  readonly log: string[] = [];
  readonly around: Surroundings;
  readonly timersMax: number;
  machine!: RunningChart;
  now = 0;
  readonly #timers: { due: number; token: number }[] = [];

  constructor(fields: readonly string[], timers: number) {
    this.timersMax = timers;
    const row = rowView(fields, header.timers + timers);
    row.rows = new Float64Array(header.timers + timers + fields.length);
    const say =
      (name: string) =>
      (...args: unknown[]): never => {
        this.log.push(`${this.now} ${name} ${args.join(' ')}`);
        return true as never;
      };
    const dma: DmaApi = {
      now: () => this.now,
      alloc: say('alloc'),
      bytes: () => 1,
      devToNode: () => Nid(0),
      setDevNode: say('setDevNode'),
      localSpread: () => Nid(0),
      translated: () => false,
      kept: () => 1,
      free: say('free'),
      holds: () => true,
      isEmpty: () => true,
      nodeOf: () => Nid(0),
      access: say('access'),
      accessFor: say('accessFor'),
      accessNode: say('accessNode'),
      send: say('send'),
      line: say('line'),
      slab: () => new Int32Array(0),
      after: say('after'),
      cancel: say('cancel'),
      record: say('record'),
      uniform: () => 0.5,
      exponential: (mean) => mean,
    };
    this.around = {
      dma,
      row,
      numbers: new Float64Array(8),
      arm: (delay) => {
        const token = ++row.rows[header.tokens];
        this.log.push(`${this.now} arm ${token} ${delay}`);
        this.#timers.push({ due: this.now + delay, token });
        return token;
      },
    };
  }

  /** Starts from the beginning, with a row of zeros. */
  start(): void {
    this.log.length = 0;
    this.#timers.length = 0;
    this.now = 0;
    this.around.row.rows.fill(0);
    this.around.numbers.fill(0);
    this.machine.start();
  }

  step(step: Step): void {
    this.around.numbers.fill(0);
    if (step === 'wait') {
      this.#timers.sort((a, b) => a.due - b.due || a.token - b.token);
      const next = this.#timers.shift();
      if (!next) return;
      this.now = next.due;
      this.machine.fire(next.token);
    } else {
      this.around.numbers[0] = step.number;
      this.machine.send(step.event);
    }
  }

  /** Leaf, fields and log since the last call: what must be equal. */
  observe(): string {
    const { rows, base } = this.around.row;
    const own = rows.slice(base + header.timers + this.timersMax);
    const seen = `${this.machine.leaves[rows[base]]} [${own}] ${this.log.join('; ')}`;
    this.log.length = 0;
    return seen;
  }
}

export interface Subject {
  readonly machine: AnyStateMachine;
  readonly vocabulary: Vocabulary;
  readonly fields: readonly string[];
  readonly events: readonly string[];
}

export function tablesOf({ machine, vocabulary, events }: Subject): Tables {
  return lower(machine, {
    actions: Object.keys(vocabulary.actions),
    guards: Object.keys(vocabulary.guards),
    delays: Object.keys(vocabulary.delays),
    events,
  });
}

export function loweredBench(subject: Subject, tables: Tables): Bench {
  const bench = new Bench(subject.fields, tables.timerEvent.length);
  bench.machine = new LoweredMachine(tables, subject.vocabulary, bench.around);
  return bench;
}

export function interpretedBench(subject: Subject, { timerEvent, events }: Tables): Bench {
  const bench = new Bench(subject.fields, timerEvent.length);
  const { machine, vocabulary } = subject;
  bench.machine = new InterpretedMachine(machine, vocabulary, bench.around, events);
  return bench;
}

/**
 * Where the two forms first differ, or undefined. A chart that never settles ends the comparison.
 */
export function firstDifference(
  subject: Subject,
  steps: readonly Step[],
  tables = tablesOf(subject),
): string | undefined {
  const lowered = loweredBench(subject, tables);
  const interpreted = interpretedBench(subject, tables);
  for (let at = -1; at < steps.length; at++) {
    const run = (bench: Bench): void => (at < 0 ? bench.start() : bench.step(steps[at]));
    try {
      run(interpreted);
    } catch (error) {
      if (String(error).includes('Infinite loop')) return undefined;
      throw error;
    }
    run(lowered);
    const [actual, expected] = [lowered.observe(), interpreted.observe()];
    if (actual !== expected) {
      const step = JSON.stringify(steps[at]);
      return `after step ${at} ${step}:\n lowered ${actual}\n xstate  ${expected}`;
    }
  }
  return undefined;
}
