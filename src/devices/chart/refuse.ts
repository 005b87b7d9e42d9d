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
  const guards = new Guards(machine, names.guards);
  const visit = (node: AnyStateNode): LoweringError[] => [
    ...[...refusedOf(node, names, guards)].map((feature) => new LoweringError(node.id, feature)),
    ...Object.values(node.states).flatMap(visit),
  ];
  return visit(machine.root);
}

/** What of one state is refused; of its shape and of its timers only the first. */
function* refusedOf(node: AnyStateNode, names: ChartNames, guards: Guards): Generator<string> {
  const first = [refusedShape(node), refusedTimer(node, names)];
  yield* first.filter((feature) => feature !== undefined);
  for (const { target, guard } of transitionsOf(node)) {
    if ((target?.length ?? 0) > 1) yield 'a transition with several targets';
    const refused = guards.refused(guard);
    if (refused !== undefined) yield refused;
  }
  for (const action of actionsOf(node)) {
    const refused = refusedAction(node, action, names);
    if (refused !== undefined) yield refused;
  }
}

export function listOf(actions: unknown): readonly unknown[] {
  return actions === undefined ? [] : Array.isArray(actions) ? actions : [actions];
}

/** Every way out of a state. */
export function transitionsOf(node: AnyStateNode): readonly AnyTransitionDefinition[] {
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

function refusedShape(node: AnyStateNode): string | undefined {
  const { type, parent, output } = node;
  const config: { invoke?: unknown; route?: unknown; context?: unknown } = node.config;
  if (type === 'final' && !parent) return 'a root that is final';
  if (config.invoke !== undefined) return 'invoke';
  if (config.route !== undefined) return 'route';
  const context = parent ? undefined : config.context;
  if (typeof context === 'function' || Object.keys(context ?? {}).length > 0) {
    return 'context (a device keeps its numbers in its row)';
  }
  if (type === 'parallel' || type === 'history') return `a ${type} state`;
  return output === undefined ? undefined : 'output of a final state';
}

function refusedTimer(node: AnyStateNode, names: ChartNames): string | undefined {
  const keys = Object.keys(node.config.after ?? {});
  const isNumber = (key: string): boolean => !Number.isNaN(Number(key));
  const unknown = keys.find((key) => !isNumber(key) && !names.delays.includes(key));
  if (unknown !== undefined) return `after with an unknown delay '${unknown}'`;
  const numbers = keys.filter(isNumber).map(Number);
  if (new Set(numbers).size < numbers.length) return 'after with the same delay twice';
  // A transition to the root enters it without leaving it: XState then keeps its old timers too.
  return keys.length > 0 && !node.parent ? 'after on the root' : undefined;
}

function refusedAction(node: AnyStateNode, action: unknown, names: ChartNames): string | undefined {
  const name = nameOf(action);
  if ((action as { params?: unknown }).params !== undefined) return `params of action '${name}'`;
  const inline = typeof action === 'function';
  const resolved = inline ? action : node.machine.implementations.actions[name];
  const { type, event, delay } = (resolved ?? {}) as {
    type?: string;
    event?: object;
    delay?: unknown;
  };
  if (type === 'xstate.raise') {
    if (delay !== undefined) return 'raise with a delay (use after)';
    const isFixed = typeof event === 'object' && Object.keys(event).join() === 'type';
    return isFixed ? undefined : 'raise of anything but a fixed event without numbers';
  }
  if (type?.startsWith('xstate.')) return type.slice('xstate.'.length);
  if (inline) return 'an inline action';
  return names.actions.includes(name) ? undefined : `unknown action '${name}'`;
}
