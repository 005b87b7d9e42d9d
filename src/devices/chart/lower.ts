/**
 * Lowers an XState machine to integer tables, once, at start.
 *
 * Every (leaf, event) gets its candidates, the leaf's own before those of the states around it;
 * every candidate the full list of what it does: exits, its actions, entries, timers, and the leaf
 * it ends in. That is static where one leaf is active at a time. Supported: compound and final
 * states, entry, exit and initial actions, reenter, internal and forbidden transitions, wildcards,
 * and/or/not, always, after, onDone, raise of a fixed event. The rest is refused (refuse.ts).
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { Guards } from './guards.js';
import { nameOf } from './loweringError.js';
import { actionsOf, type ChartNames, listOf, refusals } from './refuse.js';
import {
  activeStates,
  candidates,
  type EntrySet,
  entrySet,
  exitSet,
  initialEntrySet,
  isWildcard,
  properAncestors,
} from './transitions.js';

/** What an operation word does: the code in its low bits, the argument above them. */
export const opcode = { action: 0, raise: 1, arm: 2, disarm: 3 } as const;
export const OP_BITS = 2;

export interface Tables extends ChartNames {
  readonly id: string;
  /** State ids of the leaves, in document order. */
  readonly leaves: readonly string[];
  /** 1: the machine has ended there. */
  readonly done: Uint8Array;
  /** leaf * events.length + event -> list in `candidates`, 0 if nobody listens. */
  readonly select: Int32Array;
  /** leaf -> list in `candidates` tried without an event, 0 if none. */
  readonly always: Int32Array;
  /** Lists of (guard, block); a guard of 0 always holds, a block of 0 ends the list. */
  readonly candidates: Int32Array;
  /** and, or and not over named guards: see guards.ts. */
  readonly guardCode: Int32Array;
  /** Blocks: leaf it ends in, number of operations, operations. Offset 0 is no block. */
  readonly blocks: Int32Array;
  /** Block of the start. */
  readonly initial: number;
  /** timer -> event it sends. */
  readonly timerEvent: Int32Array;
  /** timer -> ns, or NaN if a named delay says. */
  readonly timerDelay: Float64Array;
  /** timer -> index in `delays`, or -1. */
  readonly timerNamed: Int32Array;
}

interface Timer {
  readonly node: AnyStateNode;
  readonly event: string;
  readonly delay: number | string;
}

/** @throws LoweringError that names the state and what of it cannot be lowered. */
export function lower(machine: AnyStateMachine, names: ChartNames): Tables {
  for (const refusal of refusals(machine, names)) throw refusal;
  return new Lowering(machine, names).tables();
}

class Lowering {
  readonly #machine: AnyStateMachine;
  readonly #names: ChartNames;
  readonly #nodes: AnyStateNode[] = [];
  readonly #leaves: AnyStateNode[];
  readonly #timers: Timer[] = [];
  readonly #events: string[];
  readonly #guards: Guards;
  readonly #candidates = [0];
  readonly #blocks = [0];
  /** Equal blocks and lists are stored once. */
  readonly #known = new Map<string, number>();

  constructor(machine: AnyStateMachine, names: ChartNames) {
    this.#machine = machine;
    this.#names = names;
    this.#collect(machine.root);
    this.#leaves = this.#nodes.filter((node) => node.type === 'atomic' || node.type === 'final');
    for (const node of this.#nodes) this.#collectTimers(node);
    this.#events = this.#alphabet();
    this.#guards = new Guards(machine, names.guards);
  }

  #collect(node: AnyStateNode): void {
    this.#nodes.push(node);
    for (const child of Object.values(node.states)) this.#collect(child as AnyStateNode);
  }

  #collectTimers(node: AnyStateNode): void {
    const delays = Object.keys(node.config.after ?? {});
    for (const key of delays) {
      const delay = Number.isNaN(Number(key)) ? key : Number(key);
      this.#timers.push({ node, event: `xstate.after.${delay}.${node.id}`, delay });
    }
  }

  /** All event types that can reach a state; wildcards mean these. */
  #alphabet(): string[] {
    const events = new Set(this.#names.events);
    for (const node of this.#nodes) {
      for (const key of node.transitions.keys()) if (!isWildcard(key)) events.add(key);
      if (node.type === 'final' && node.parent) events.add(doneEvent(node.parent));
      for (const action of actionsOf(node)) {
        const raised = this.#raisedEvent(action);
        if (raised !== undefined) events.add(raised);
      }
    }
    return [...events];
  }

  tables(): Tables {
    const initial = this.#initialBlock();
    const select = this.#leaves.flatMap((leaf) =>
      this.#events.map((event) => this.#list(leaf, (node) => candidates(node, event))),
    );
    const always = this.#leaves.map((leaf) => this.#list(leaf, (node) => node.always ?? []));
    const named = (delay: number | string): number =>
      typeof delay === 'string' ? this.#names.delays.indexOf(delay) : -1;
    return {
      id: this.#machine.id,
      leaves: this.#leaves.map((leaf) => leaf.id),
      done: Uint8Array.from(this.#leaves, (leaf) => (endsMachine(leaf) ? 1 : 0)),
      ...this.#names,
      events: this.#events,
      select: Int32Array.from(select),
      always: Int32Array.from(always),
      candidates: Int32Array.from(this.#candidates),
      guardCode: Int32Array.from(this.#guards.code),
      blocks: Int32Array.from(this.#blocks),
      initial,
      timerEvent: Int32Array.from(this.#timers, (timer) => this.#events.indexOf(timer.event)),
      timerDelay: Float64Array.from(this.#timers, ({ delay }) =>
        typeof delay === 'number' ? delay : Number.NaN,
      ),
      timerNamed: Int32Array.from(this.#timers, (timer) => named(timer.delay)),
    };
  }

  /** Transitions of the leaf and of the states around it, as a list of candidates. */
  #list(
    leaf: AnyStateNode,
    of: (node: AnyStateNode) => readonly AnyTransitionDefinition[],
  ): number {
    if (endsMachine(leaf)) return 0;
    const words: number[] = [];
    for (const transition of activeStates(leaf).flatMap(of)) {
      const guard = this.#guards.lower(transition.guard);
      words.push(guard, this.#transitionBlock(leaf, transition));
      if (guard === 0) break;
    }
    return words.length === 0 ? 0 : this.#store(this.#candidates, [...words, 0, 0], 'list');
  }

  #transitionBlock(leaf: AnyStateNode, transition: AnyTransitionDefinition): number {
    const target = transition.target?.[0] as AnyStateNode | undefined;
    const move = { source: transition.source, target, reenter: transition.reenter };
    const active = activeStates(leaf);
    const exits = exitSet(move, active);
    const ops: number[] = [];
    for (const node of exits) this.#exit(ops, node);
    for (const action of transition.actions) this.#act(ops, action);
    const entry = entrySet(move);
    const staying = active.filter((node) => !exits.includes(node));
    return this.#enter(ops, entry, staying);
  }

  #initialBlock(): number {
    return this.#enter([], initialEntrySet(this.#machine.root), []);
  }

  /** Completes a block with its entries; `staying` are the states that were not left. */
  #enter(ops: number[], entry: EntrySet, staying: readonly AnyStateNode[]): number {
    for (const node of entry.states) {
      for (const action of listOf(node.config.entry)) this.#act(ops, action);
      this.#timersOf(node, (timer) => ops.push(opcode.arm | (timer << OP_BITS)));
      if (entry.byDefault.has(node)) {
        for (const action of node.initial.actions) this.#act(ops, action);
      }
      if (node.type === 'final') this.#raise(ops, doneEvent(node.parent!));
    }
    const active = new Set([...staying, ...entry.states]);
    const leaves = [...active].filter((node) => this.#leaves.includes(node));
    const leaf = leaves[0];
    if (leaves.length !== 1) throw new Error(`${this.#machine.id}: ${leaves.length} leaves active`);
    if (endsMachine(leaf)) {
      for (const node of [...active].sort((a, b) => b.order - a.order)) this.#exit(ops, node);
    }
    return this.#store(this.#blocks, [this.#leaves.indexOf(leaf), ops.length, ...ops], 'block');
  }

  #exit(ops: number[], node: AnyStateNode): void {
    for (const action of listOf(node.config.exit)) this.#act(ops, action);
    this.#timersOf(node, (timer) => ops.push(opcode.disarm | (timer << OP_BITS)));
  }

  #timersOf(node: AnyStateNode, each: (timer: number) => void): void {
    for (const [index, timer] of this.#timers.entries()) if (timer.node === node) each(index);
  }

  #act(ops: number[], action: unknown): void {
    const raised = this.#raisedEvent(action);
    if (raised !== undefined) this.#raise(ops, raised);
    else ops.push(opcode.action | (this.#names.actions.indexOf(nameOf(action)) << OP_BITS));
  }

  #raise(ops: number[], event: string): void {
    ops.push(opcode.raise | (this.#events.indexOf(event) << OP_BITS));
  }

  /** The event of raise({ type }), written in place or given to setup() under a name. */
  #raisedEvent(action: unknown): string | undefined {
    const resolved =
      typeof action === 'function' ? action : this.#machine.implementations.actions[nameOf(action)];
    const { type, event } = (resolved ?? {}) as { type?: string; event?: { type: string } };
    return type === 'xstate.raise' ? event!.type : undefined;
  }

  #store(into: number[], words: readonly number[], sort: string): number {
    const key = `${sort} ${words.join(' ')}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const offset = into.length;
    into.push(...words);
    this.#known.set(key, offset);
    return offset;
  }
}

/** A final state directly under the root ends the machine; deeper ones only end their parent. */
function endsMachine(leaf: AnyStateNode): boolean {
  return leaf.type === 'final' && properAncestors(leaf).length === 1;
}

function doneEvent(node: AnyStateNode): string {
  return `xstate.done.state.${node.id}`;
}
