/**
 * Guards as numbers: a named guard is one positive word, and/or/not over them a short program.
 *
 * A guard word is 0 (always holds), g + 1 for the named guard g, or -offset of a program in `code`:
 * NOT word | AND n words | OR n words. Evaluated left to right and no further than needed, as
 * XState does, because a guard may draw a random number.
 */
import { type AnyStateMachine, and, not, or, stateIn } from 'xstate';
import { LoweringError, nameOf } from './loweringError.js';

export const NOT = 0;
export const AND = 1;
export const OR = 2;

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

  /** @throws LoweringError naming `stateId`. */
  lower(stateId: string, guard: unknown): number {
    if (guard === undefined) return 0;
    if (typeof guard === 'function') return this.#builtin(stateId, guard as Builtin);
    if ((guard as { params?: unknown }).params !== undefined) {
      throw new LoweringError(stateId, `params of guard '${nameOf(guard)}'`);
    }
    const name = nameOf(guard);
    const implementation = this.#machine.implementations.guards[name] as unknown;
    if (typeof implementation === 'function' && 'check' in implementation) {
      return this.#builtin(stateId, implementation as Builtin);
    }
    const index = this.#names.indexOf(name);
    if (index < 0) throw new LoweringError(stateId, `unknown guard '${name}'`);
    return index + 1;
  }

  #builtin(stateId: string, { check, guards = [] }: Builtin): number {
    if (check === undefined) throw new LoweringError(stateId, 'an inline guard');
    if (check === checks.stateIn) throw new LoweringError(stateId, 'stateIn');
    const words = guards.map((guard) => this.lower(stateId, guard));
    const kind = check === checks.not ? NOT : check === checks.and ? AND : OR;
    const program = kind === NOT ? [NOT, words[0]] : [kind, words.length, ...words];
    const offset = this.code.length;
    this.code.push(...program);
    return -offset;
  }
}
