/**
 * Guards as numbers: a named guard is one positive word, and/or/not over them a short program.
 *
 * A guard word is 0 (always holds), g + 1 for the named guard g, or -offset of a program in `code`:
 * NOT word | AND n words | OR n words. Evaluated left to right and no further than needed, as
 * XState does, because a guard may draw a random number.
 */
import { type AnyStateMachine, and, not, or, stateIn } from 'xstate';
import { nameOf } from './loweringError.js';

export const NOT = 0;
export const AND = 1;
const OR = 2;

interface Builtin {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
}

const checkOf = (guard: unknown): unknown => (guard as Builtin).check;
const checks = {
  and: checkOf(and([])),
  or: checkOf(or([])),
  not: checkOf(not('')),
  stateIn: checkOf(stateIn('')),
};

export class Guards {
  /** Programs; offset 0 is none. */
  readonly code: number[] = [0];
  readonly #machine: AnyStateMachine;
  readonly #names: readonly string[];

  constructor(machine: AnyStateMachine, names: readonly string[]) {
    this.#machine = machine;
    this.#names = names;
  }

  /** What of a guard is refused, if anything. */
  refused(guard: unknown): string | undefined {
    if (guard === undefined) return undefined;
    if (typeof guard === 'object' && (guard as { params?: unknown }).params !== undefined) {
      return `params of guard '${nameOf(guard)}'`;
    }
    const builtin = this.#builtin(guard);
    if (builtin?.check === checks.stateIn) return 'stateIn';
    if (builtin) {
      return builtin.guards?.map((one) => this.refused(one)).find((one) => one !== undefined);
    }
    if (typeof guard === 'function') return 'an inline guard';
    const name = nameOf(guard);
    return this.#names.includes(name) ? undefined : `unknown guard '${name}'`;
  }

  /** The word of a guard of which nothing is refused. */
  lower(guard: unknown): number {
    if (guard === undefined) return 0;
    const builtin = this.#builtin(guard);
    if (!builtin) return this.#names.indexOf(nameOf(guard)) + 1;
    const { check, guards = [] } = builtin;
    const words = guards.map((one) => this.lower(one));
    const kind = check === checks.not ? NOT : check === checks.and ? AND : OR;
    const program = kind === NOT ? [NOT, words[0]] : [kind, words.length, ...words];
    const offset = this.code.length;
    this.code.push(...program);
    return -offset;
  }

  /** and, or, not or stateIn: written in place, or given to setup() under a name. */
  #builtin(guard: unknown): Builtin | undefined {
    const implementation: unknown =
      typeof guard === 'function' ? guard : this.#machine.implementations.guards[nameOf(guard)];
    return typeof implementation === 'function' && 'check' in implementation
      ? (implementation as Builtin)
      : undefined;
  }
}
