/**
 * What of a chart cannot be lowered, by the state's id and the feature's name.
 *
 * A chart of states that are parallel or remembered runs through XState itself. What would need an
 * actor system, or would be called without a row, is refused: a device's context is its row.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { Guards } from './guards.js';
import { LoweringError, nameOf } from './loweringError.js';

/** The names a machine may use, and the events that may reach it from outside. */
export interface ChartNames {
  readonly actions: readonly string[];
  readonly guards: readonly string[];
  readonly delays: readonly string[];
  readonly events: readonly string[];
}

/** Everything in a chart that cannot be lowered, state by state. */
export function refusals(machine: AnyStateMachine, names: ChartNames): LoweringError[] {
  const found: LoweringError[] = [];
  const attempt = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof LoweringError)) throw error;
      found.push(error);
    }
  };
  const guards = new Guards(machine, names.guards);
  const visit = (node: AnyStateNode): void => {
    attempt(() => refuseShape(node));
    attempt(() => refuseTimers(node, names));
    for (const transition of transitionsOf(node)) {
      attempt(() => refuseTransition(node, transition));
      attempt(() => guards.lower(node.id, transition.guard));
    }
    for (const action of actionsOf(node)) attempt(() => refuseAction(node, action, names));
    for (const child of Object.values(node.states)) visit(child);
  };
  visit(machine.root);
  return found;
}

export function listOf(actions: unknown): readonly unknown[] {
  return actions === undefined ? [] : Array.isArray(actions) ? actions : [actions];
}

function transitionsOf(node: AnyStateNode): readonly AnyTransitionDefinition[] {
  return [...node.transitions.values()].flat().concat(node.always ?? []);
}

/** Every action a state names: its own, its transitions', its initial ones. */
export function actionsOf(node: AnyStateNode): readonly unknown[] {
  return [
    ...listOf(node.config.entry),
    ...listOf(node.config.exit),
    ...node.initial.actions,
    ...transitionsOf(node).flatMap((transition) => transition.actions as unknown[]),
  ];
}

function refuseShape(node: AnyStateNode): void {
  const refuse = (feature: string): never => {
    throw new LoweringError(node.id, feature);
  };
  if (node.type === 'final' && !node.parent) refuse('a root that is final');
  if (node.config.invoke !== undefined) refuse('invoke');
  if ((node.config as { route?: unknown }).route !== undefined) refuse('route');
  const context = node.parent ? undefined : (node.config as { context?: unknown }).context;
  if (typeof context === 'function' || Object.keys(context ?? {}).length > 0) {
    refuse('context (a device keeps its numbers in its row)');
  }
  if (node.type === 'parallel') refuse('a parallel state');
  if (node.type === 'history') refuse('a history state');
  if (node.output !== undefined) refuse('output of a final state');
}

function refuseTimers(node: AnyStateNode, names: ChartNames): void {
  const keys = Object.keys(node.config.after ?? {});
  const numbers = keys.filter((key) => !Number.isNaN(Number(key))).map(Number);
  for (const key of keys) {
    if (Number.isNaN(Number(key)) && !names.delays.includes(key)) {
      throw new LoweringError(node.id, `after with an unknown delay '${key}'`);
    }
  }
  if (new Set(numbers).size < numbers.length) {
    throw new LoweringError(node.id, 'after with the same delay twice');
  }
  // A transition to the root enters it without leaving it: XState then keeps its old timers too.
  if (keys.length > 0 && !node.parent) throw new LoweringError(node.id, 'after on the root');
}

function refuseTransition(node: AnyStateNode, transition: AnyTransitionDefinition): void {
  if ((transition.target?.length ?? 0) > 1) {
    throw new LoweringError(node.id, 'a transition with several targets');
  }
}

function refuseAction(node: AnyStateNode, action: unknown, names: ChartNames): void {
  const refuse = (feature: string): never => {
    throw new LoweringError(node.id, feature);
  };
  if ((action as { params?: unknown }).params !== undefined) {
    refuse(`params of action '${nameOf(action)}'`);
  }
  const inline = typeof action === 'function';
  const resolved = inline ? action : node.machine.implementations.actions[nameOf(action)];
  const builtin = (resolved ?? {}) as { type?: string; event?: unknown; delay?: unknown };
  if (builtin.type === 'xstate.raise') {
    if (builtin.delay !== undefined) refuse('raise with a delay (use after)');
    const event = builtin.event as { type?: unknown } | undefined;
    if (typeof event !== 'object' || Object.keys(event).join() !== 'type') {
      refuse('raise of anything but a fixed event without numbers');
    }
  } else if (builtin.type?.startsWith('xstate.')) {
    refuse(builtin.type.slice('xstate.'.length));
  } else if (inline) {
    refuse('an inline action');
  } else if (!names.actions.includes(nameOf(action))) {
    refuse(`unknown action '${nameOf(action)}'`);
  }
}
