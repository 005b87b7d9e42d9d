/** Random charts over a small vocabulary, and the definitions the tests of lowering start from. */
import fc from 'fast-check';
import { type AnyStateMachine, and, createMachine, not, or, raise } from 'xstate';
import type { Vocabulary } from '#cmasim/devices/model.js';

export const fields = ['x', 'y'] as const;
type Fields = (typeof fields)[number];

/** Actions write down that they ran, and what they saw, through `after`. */
export const vocabulary: Vocabulary<Fields> = {
  actions: Object.fromEntries(
    Array.from({ length: 6 }, (_, index) => [
      `act${index}`,
      (dma, row, n) => {
        if (index % 2 === 0) row.x = (row.x * 3 + index + n[0]) % 5;
        else row.y = (row.y + index + row.x) % 7;
        dma.after(0, `act${index}`, row.x * 10 + row.y);
      },
    ]),
  ),
  guards: {
    even: (_dma, row) => row.x % 2 === 0,
    low: (_dma, row) => row.y < 3,
    zero: (_dma, row) => row.x === 0,
    one: (_dma, _row, n) => n[0] === 1,
  },
  delays: { byRow: (_dma, row) => 3 + row.x, fixed: () => 4 },
};

export const events = ['A', 'B', 'dma.granted', 'dma.refused'];
const descriptors = [...events, 'dma.*', '*', 'R0', 'R1'];

interface Tree {
  readonly children: readonly Tree[];
  readonly final: boolean;
  readonly on: readonly { readonly key: string; readonly moves: readonly MoveSpec[] | null }[];
  readonly always: readonly MoveSpec[];
  readonly after: readonly { readonly delay: string; readonly moves: readonly MoveSpec[] }[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly initial: number;
  readonly initialActions: readonly string[];
  readonly onDone: MoveSpec | null;
}
interface MoveSpec {
  readonly target: number | null;
  readonly reenter: boolean;
  readonly guard: GuardSpec | null;
  readonly actions: readonly string[];
}
type GuardSpec =
  | string
  | { readonly kind: 'and' | 'or' | 'not'; readonly of: readonly GuardSpec[] };

const actionName = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('act0', 'act1', 'act2', 'act3', 'act4', 'act5') },
  fc.constantFrom('raise0', 'raise1'),
);
const actions = fc.array(actionName, { maxLength: 2 });
const guard = fc.letrec<{ guard: GuardSpec }>((tie) => ({
  guard: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('even', 'low', 'zero', 'one', 'evenAndLow'),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const, 'not' as const),
      of: fc.array(tie('guard'), { minLength: 1, maxLength: 3 }),
    }),
  ),
})).guard;
const move: fc.Arbitrary<MoveSpec> = fc.record({
  target: fc.option(fc.nat(), { freq: 4 }),
  reenter: fc.boolean(),
  guard: fc.option(guard),
  actions,
});
const moves = fc.array(move, { minLength: 1, maxLength: 3 });
const guarded = move.filter((spec) => spec.guard !== null);

function tree(depth: number): fc.Arbitrary<Tree> {
  const children =
    depth === 0 ? fc.constant([]) : fc.array(tree(depth - 1), { maxLength: 3, size: 'max' });
  return fc.record({
    children,
    final: fc.boolean(),
    on: fc.uniqueArray(
      fc.record({ key: fc.constantFrom(...descriptors), moves: fc.option(moves, { freq: 6 }) }),
      { maxLength: 5, selector: (entry) => entry.key, size: 'max' },
    ),
    always: fc.array(fc.oneof({ weight: 5, arbitrary: guarded }, move), { maxLength: 2 }),
    after: fc.uniqueArray(
      fc.record({ delay: fc.constantFrom('1', '5', 'byRow', 'fixed'), moves }),
      {
        maxLength: 2,
        selector: (entry) => entry.delay,
      },
    ),
    entry: actions,
    exit: actions,
    initial: fc.nat(),
    initialActions: actions,
    onDone: fc.option(move),
  });
}

/** Charts of up to four levels. */
export const charts: fc.Arbitrary<AnyStateMachine> = fc
  .tuple(fc.array(tree(2), { minLength: 1, maxLength: 4, size: 'max' }), tree(0))
  .map(([children, root]) => build({ ...root, children, final: false, after: [] }));

function sizeOf(node: Tree): number {
  return node.children.reduce((sum, child) => sum + sizeOf(child), 1);
}

function build(root: Tree): AnyStateMachine {
  const count = sizeOf(root);
  let next = 0;
  const state = (node: Tree, key: string): Record<string, unknown> => {
    const id = `s${next++}`;
    const keys = node.children.map((_, index) => `${key}${index}`);
    const isFinal = node.final && keys.length === 0 && key.endsWith('2');
    if (isFinal) return { id, type: 'final', entry: effects(node.entry), exit: effects(node.exit) };
    const compound =
      keys.length === 0
        ? {}
        : {
            initial: {
              target: keys[node.initial % keys.length],
              actions: effects(node.initialActions),
            },
            states: Object.fromEntries(
              node.children.map((child, index) => [keys[index], state(child, keys[index])]),
            ),
            ...(node.onDone ? { onDone: transition(node.onDone, count) } : {}),
          };
    return {
      id,
      entry: effects(node.entry),
      exit: effects(node.exit),
      on: Object.fromEntries(
        node.on.map(({ key: on, moves: list }) => [
          on,
          list?.map((spec) => transition(spec, count)),
        ]),
      ),
      always: node.always.map((spec) => forward(spec, next, count)),
      after: Object.fromEntries(
        node.after.map(({ delay, moves: list }) => [
          delay,
          list.map((spec) => transition(spec, count)),
        ]),
      ),
      ...compound,
    };
  };
  return chart(state(root, 'k'));
}

/** A machine over the vocabulary of this file; loops end in an error instead of hanging. */
export function chart(config: Record<string, unknown>): AnyStateMachine {
  return createMachine(
    { ...config, options: { maxIterations: 60 } } as never,
    {
      guards: { evenAndLow: and(['even', 'low']) },
      actions: { raise1: raise({ type: 'R1' }) },
    } as never,
  ) as unknown as AnyStateMachine;
}

function effects(names: readonly string[]): unknown[] {
  return names.map((name) => (name === 'raise0' ? raise({ type: 'R0' }) : name));
}

function transition(spec: MoveSpec, count: number): Record<string, unknown> {
  return {
    ...(spec.target === null ? {} : { target: `#s${spec.target % count}` }),
    ...(spec.guard === null ? {} : { guard: guardOf(spec.guard) }),
    reenter: spec.reenter,
    actions: effects(spec.actions),
  };
}

/**
 * An `always` mostly goes to states after its own, `from` on: else most charts would never settle.
 */
function forward(spec: MoveSpec, from: number, count: number): Record<string, unknown> {
  if (spec.target === null || spec.target % 16 === 0) return transition(spec, count);
  const target = from < count ? from + (spec.target % (count - from)) : null;
  return transition({ ...spec, target }, count);
}

function guardOf(spec: GuardSpec): unknown {
  if (typeof spec === 'string') return spec;
  const of = spec.of.map(guardOf) as never[];
  return spec.kind === 'and' ? and(of) : spec.kind === 'or' ? or(of) : not(of[0] as never);
}

/** One small chart with every feature that can be lowered. */
export const everything = chart({
  id: 'm',
  initial: 'a',
  on: { '*': { actions: 'act5' }, A: { target: '#m.b', guard: 'zero' } },
  entry: 'act0',
  states: {
    a: {
      entry: ['act1', raise({ type: 'R0' })],
      exit: 'act2',
      on: {
        A: [
          { guard: and(['even', 'low']), target: 'b' },
          { guard: 'one', actions: 'act3' },
        ],
        B: { target: 'a', reenter: true },
        R0: { actions: 'act4' },
        'dma.*': { guard: or(['low', not('even')]), target: 'c' },
        'dma.refused': undefined,
      },
      after: { 5: { target: 'c', actions: 'act3' }, byRow: { guard: 'low', actions: 'act4' } },
    },
    b: {
      initial: { target: 'b1', actions: ['act3'] },
      entry: 'act4',
      exit: ['act5', 'raise1'],
      onDone: { target: 'c', actions: 'act1' },
      on: {
        B: { target: 'b', actions: 'act2' },
        'dma.granted': { target: '.b2' },
        'dma.refused': { target: '.b2', reenter: true },
      },
      states: {
        b1: {
          exit: 'act0',
          on: { A: { target: 'b2' } },
          always: { guard: and(['one', not('zero')]), target: 'b2' },
        },
        b2: {
          entry: 'act1',
          always: { guard: 'evenAndLow', actions: 'act2' },
          on: { A: 'b3', B: undefined },
        },
        b3: { type: 'final', entry: 'act2' },
      },
    },
    c: {
      initial: 'c1',
      states: {
        c1: {
          initial: 'deep',
          on: { A: '#m.a', B: { target: '#m.c', reenter: true }, R1: { actions: 'act2' } },
          states: { deep: { exit: 'act3', on: { 'dma.granted': '#m.d' } } },
        },
      },
    },
    d: { type: 'final', entry: 'act1', exit: 'act2' },
  },
});
