/**
 * Which states a transition of a chart leaves and enters, in the order XState does it.
 *
 * Models computeExitSet, computeEntrySet and getTransitionDomain of XState 5 (the SCXML algorithm)
 * for charts in which exactly one leaf is active at a time. Left out, because lower.ts refuses
 * them: parallel states, history, several targets.
 */
import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** What of a transition decides the states it moves between. */
export interface ChartMove {
  readonly source: AnyStateNode;
  readonly target: AnyStateNode | undefined;
  readonly reenter: boolean;
}

/** States that `stateNode` lies in, innermost first, up to and without `until`. */
export function properAncestors(stateNode: AnyStateNode, until?: AnyStateNode): AnyStateNode[] {
  const ancestors: AnyStateNode[] = [];
  if (stateNode === until) return ancestors;
  for (let node = stateNode.parent; node && node !== until; node = node.parent)
    ancestors.push(node);
  return ancestors;
}

/**
 * With `ancestor` undefined, the outside of the chart, everything is a descendant: the root too.
 */
function isDescendant(stateNode: AnyStateNode, ancestor: AnyStateNode | undefined): boolean {
  let node = stateNode;
  while (node.parent && node.parent !== ancestor) node = node.parent;
  return node.parent === ancestor;
}

/** The state that stays active while the transition is taken; undefined: even the root is left. */
function transitionDomain(
  { source, reenter }: ChartMove,
  target: AnyStateNode,
): AnyStateNode | undefined {
  if (!reenter && (target === source || isDescendant(target, source))) return source;
  const common = properAncestors(target).find((node) => isDescendant(source, node));
  if (common) return common;
  return reenter ? undefined : source.machine.root;
}

/** The leaf with all states around it: what is active while the leaf is. */
export function activeStates(leaf: AnyStateNode): AnyStateNode[] {
  return [leaf, ...properAncestors(leaf)];
}

/** States left by `move` while `active` are active, innermost first. */
export function exitSet(move: ChartMove, active: readonly AnyStateNode[]): AnyStateNode[] {
  if (!move.target) return [];
  const domain = transitionDomain(move, move.target);
  const exits = new Set<AnyStateNode>();
  if (move.reenter && move.source === domain) exits.add(domain);
  for (const node of active) if (isDescendant(node, domain)) exits.add(node);
  return [...exits].sort((a, b) => b.order - a.order);
}

export interface EntrySet {
  /** In document order: outermost first. */
  readonly states: readonly AnyStateNode[];
  /** Of these, the ones whose own initial actions run. */
  readonly byDefault: ReadonlySet<AnyStateNode>;
}

/** The child a compound state starts in. */
function initialChild(stateNode: AnyStateNode): AnyStateNode {
  return stateNode.initial.target[0] as AnyStateNode;
}

export function entrySet(move: ChartMove): EntrySet {
  const { source, target, reenter } = move;
  if (!target) return { states: [], byDefault: new Set() };
  const domain = transitionDomain(move, target);
  const enter = new Set<AnyStateNode>();
  const byDefault = new Set<AnyStateNode>();
  // An internal self-transition does not enter its state, so that state's initial actions do not
  // run.
  if (source !== target || source !== domain || reenter) {
    enter.add(target);
    byDefault.add(target);
  }
  for (let node = target; node.type === 'compound'; ) {
    node = initialChild(node);
    enter.add(node);
    byDefault.add(node);
  }
  const border = !source.parent && reenter ? undefined : domain;
  for (const node of properAncestors(target, domain)) {
    if (!border || isDescendant(node, border)) enter.add(node);
  }
  return { states: [...enter].sort((a, b) => a.order - b.order), byDefault };
}

/** All states entered when the machine starts. */
export function initialEntrySet(root: AnyStateNode): EntrySet {
  const states = [root];
  for (let node = root; node.type === 'compound'; states.push(node)) node = initialChild(node);
  return { states, byDefault: new Set(states) };
}

/** True for `*` and for prefixes like `dma.*`. */
export function isWildcard(descriptor: string): boolean {
  return descriptor === '*' || descriptor.endsWith('.*');
}

/** True if an event of this type matches a key of `on`: exact, `*`, or a prefix like `dma.*`. */
function matchesDescriptor(eventType: string, descriptor: string): boolean {
  if (descriptor === eventType || descriptor === '*') return true;
  if (!descriptor.endsWith('.*')) return false;
  const prefix = descriptor.slice(0, -'.*'.length);
  return eventType === prefix || eventType.startsWith(`${prefix}.`);
}

/**
 * Transitions of one state for an event, in the order they are tried: exact, then longest wildcard.
 */
export function candidates(
  stateNode: AnyStateNode,
  eventType: string,
): readonly AnyTransitionDefinition[] {
  const exact = stateNode.transitions.get(eventType) ?? [];
  const wild = [...stateNode.transitions.keys()]
    .filter((key) => key !== eventType && matchesDescriptor(eventType, key))
    .sort((a, b) => b.length - a.length)
    .flatMap((key) => stateNode.transitions.get(key) ?? []);
  return [...exact, ...wild];
}
