/**
 * Runs the same machines through XState's own createActor: slower, and for what lower.ts refuses.
 *
 * The names of the chart are bound to the same functions over the same rows. Time is the host's:
 * XState's clock arms a timer of the event queue and is told when it is due. XState notes the wall
 * clock and a random id on what it schedules, but decides nothing by them.
 */
import { type AnyActorRef, type AnyStateMachine, createActor } from 'xstate';
import type { Vocabulary } from '../model.js';
import { EndlessError } from './loweringError.js';
import { header, MICROSTEPS_MAX, type RunningChart, type Surroundings } from './runner.js';

/** One device's actor and the callbacks of its timers, by token. */
interface Running {
  readonly actor: AnyActorRef;
  readonly due: Map<number, () => void>;
}

export class InterpretedMachine implements RunningChart {
  readonly leaves: readonly string[];
  readonly events: readonly string[];
  readonly #machine: AnyStateMachine;
  readonly #around: Surroundings;
  readonly #running = new Map<number, Running>();

  constructor(
    machine: AnyStateMachine,
    vocabulary: Vocabulary,
    around: Surroundings,
    events: readonly string[],
  ) {
    this.#around = around;
    this.#machine = machine.provide(bind(machine, vocabulary, around));
    const { options } = this.#machine;
    options.maxIterations = Math.min(options.maxIterations ?? MICROSTEPS_MAX, MICROSTEPS_MAX);
    this.events = events;
    this.leaves = leavesOf(machine.root);
  }

  start(): void {
    const due = new Map<number, () => void>();
    // XState's clock by XState's names; what it sets is a timer of our event queue, in simulated
    // time.
    const clock = {
      setTimeout: (fn: () => void, delay: number): number => {
        const token = this.#around.arm(delay);
        due.set(token, fn);
        return token;
      },
      clearTimeout: (token: number): void => {
        due.delete(token);
      },
    };
    const actor = createActor(this.#machine, { clock });
    // An error is thrown by #note(); without a listener XState would throw it from a timeout as
    // well.
    actor.subscribe({ error: () => {} });
    this.#running.set(this.#around.row.base, { actor, due });
    actor.start();
    this.#note(actor);
  }

  send(event: number): void {
    const { actor } = this.#running.get(this.#around.row.base)!;
    if (actor.getSnapshot().status !== 'active') return;
    actor.send({ type: this.events[event] });
    this.#note(actor);
  }

  fire(token: number): void {
    const { actor, due } = this.#running.get(this.#around.row.base)!;
    const callback = due.get(token);
    if (!callback) return;
    due.delete(token);
    callback();
    this.#note(actor);
  }

  where(): string {
    const { value } = this.#running.get(this.#around.row.base)!.actor.getSnapshot();
    const leaf = leafId(this.#machine, value);
    return this.leaves.includes(leaf) ? leaf : JSON.stringify(value);
  }

  /** Writes the leaf where the lowered form keeps it; parallel states have none and leave -1. */
  #note(actor: AnyActorRef): void {
    const { rows, base } = this.#around.row;
    const snapshot = actor.getSnapshot();
    if (snapshot.status === 'error') {
      const { message } = snapshot.error as Error;
      const isEndless = message.startsWith('Infinite loop');
      throw isEndless ? new EndlessError(this.#machine.id, message) : snapshot.error;
    }
    rows[base + header.leaf] = this.leaves.indexOf(leafId(this.#machine, snapshot.value));
  }
}

function bind(
  machine: AnyStateMachine,
  vocabulary: Vocabulary,
  { dma, row, numbers }: Surroundings,
) {
  const over = <T>(
    fns: Readonly<Record<string, (d: typeof dma, r: typeof row, n: typeof numbers) => T>>,
  ) =>
    Object.fromEntries(
      Object.entries(fns).map(([name, fn]) => [name, () => fn(dma, row, numbers)]),
    );
  // What setup() knows under a name and the vocabulary does not, like raise() or and(), stays as it
  // is.
  const known = machine.implementations;
  const { actions, guards, delays } = vocabulary;
  return {
    actions: { ...known.actions, ...over(actions) },
    guards: { ...known.guards, ...over(guards) },
    delays: { ...known.delays, ...over(delays) },
  };
}

function leavesOf(node: AnyStateMachine['root']): string[] {
  const children = Object.values(node.states) as AnyStateMachine['root'][];
  return children.length === 0 ? [node.id] : children.flatMap(leavesOf);
}

/** Id of the one leaf a state value names; that of a state around it where several are active. */
function leafId(machine: AnyStateMachine, value: unknown): string {
  let node = machine.root;
  let rest = value;
  while (typeof rest === 'object' && rest !== null) {
    const keys = Object.keys(rest);
    if (keys.length !== 1) return node.id;
    node = node.states[keys[0]];
    rest = (rest as Record<string, unknown>)[keys[0]];
  }
  return typeof rest === 'string' ? node.states[rest].id : node.id;
}
