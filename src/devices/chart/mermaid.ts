/**
 * A device's life cycle as a Mermaid state diagram: what a person would draw, from the machine that
 * runs.
 *
 * Left out: actions and internal transitions, which change numbers and not the state.
 */

import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { transitionsOf } from './refuse.js';

/** Lines of a `stateDiagram-v2`. */
export function mermaid(machine: AnyStateMachine): string[] {
  const edges: string[] = [];
  const lines = ['stateDiagram-v2', ...states(machine.root, edges), ...edges];
  return lines.map((line, i) => (i === 0 ? line : `  ${line}`));
}

function states(node: AnyStateNode, edges: string[]): string[] {
  const lines: string[] = [];
  for (const target of node.type === 'compound' ? (node.initial.target ?? []) : []) {
    lines.push(`[*] --> ${id(target)}`);
  }
  for (const child of Object.values(node.states)) {
    const inner = states(child, edges);
    const name = id(child);
    if (inner.length > 0) {
      lines.push(`state "${child.key}" as ${name} {`, ...inner.map((line) => `  ${line}`), '}');
    } else {
      lines.push(`state "${child.key}" as ${name}`);
    }
    if (child.type === 'final') edges.push(`${name} --> [*]`);
    for (const transition of transitionsOf(child)) edges.push(...drawn(child, transition));
  }
  return lines;
}

function drawn(from: AnyStateNode, transition: AnyTransitionDefinition): string[] {
  const label = `${trigger(transition)} ${guardText(transition)}`.trim();
  return (transition.target ?? []).map((target) => {
    return `${id(from)} --> ${id(target)}${label === '' ? '' : `: ${label}`}`;
  });
}

/** `xstate.after.interval.smmuv3.ready` reads `after interval`. */
function trigger({ eventType }: AnyTransitionDefinition): string {
  const [prefix, verb, delay] = eventType.split('.');
  if (prefix !== 'xstate') return eventType;
  return verb === 'after' ? `after ${delay}` : (verb ?? '');
}

function guardText({ guard }: AnyTransitionDefinition): string {
  if (guard === undefined) return '';
  if (typeof guard === 'string') return `[${guard}]`;
  const { type } = guard as { type?: unknown };
  return `[${typeof type === 'string' ? type : 'guarded'}]`;
}

function id(node: AnyStateNode): string {
  return node.path.join('_').replaceAll(/[^A-Za-z0-9_]/g, '_');
}
