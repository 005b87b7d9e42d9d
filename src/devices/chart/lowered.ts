/**
 * Runs lowered machines: integer tables over rows of a Float64Array, nothing allocated per event.
 *
 * Models XState's macrostep: the event's transition, then `always` until none holds, then raised
 * events one by one. Two of its habits are kept on purpose: an `always` that ends where it began is
 * not tried again until the next event, and the actions of the start run after the guards of the
 * start were asked.
 */

import type { Vocabulary } from '../model.js';
import { AND, NOT } from './guards.js';
import { OP_BITS, opcode, type Tables } from './lower.js';
import { EndlessError } from './loweringError.js';
import { header, MICROSTEPS_MAX, type RunningChart, type Surroundings } from './runner.js';

const OP_MASK = (1 << OP_BITS) - 1;
export class LoweredMachine implements RunningChart {
  readonly leaves: readonly string[];
  readonly events: readonly string[];
  readonly #tables: Tables;
  readonly #around: Surroundings;
  readonly #actions: readonly Vocabulary['actions'][string][];
  readonly #guards: readonly Vocabulary['guards'][string][];
  readonly #delays: readonly Vocabulary['delays'][string][];
  /**
   * Raised events of this step; those from `next` to `end` wait. Emptied without giving up its
   * store.
   */
  readonly #raised: number[] = [];
  #raisedNext = 0;
  #raisedEnd = 0;
  /** Timers armed in this step, with their delays: they are set when the step is over. */
  readonly #armed: number[] = [];
  readonly #delayOf: number[] = [];
  #armedCount = 0;
  /** Actions of the start, or undefined at any other time. */
  #start: number[] | undefined;

  constructor(tables: Tables, vocabulary: Vocabulary, around: Surroundings) {
    this.leaves = tables.leaves;
    this.events = tables.events;
    this.#tables = tables;
    this.#around = around;
    this.#actions = tables.actions.map((name) => vocabulary.actions[name]);
    this.#guards = tables.guards.map((name) => vocabulary.guards[name]);
    this.#delays = tables.delays.map((name) => vocabulary.delays[name]);
  }

  start(): void {
    this.#raisedNext = 0;
    this.#raisedEnd = 0;
    this.#armedCount = 0;
    this.#start = [];
    const leaf = this.#run(this.#tables.initial);
    this.#settle(leaf, true);
    const actions = this.#start;
    this.#start = undefined;
    for (const action of actions) this.#act(action);
    this.#setTimers();
  }

  send(event: number): void {
    const { rows, base } = this.#around.row;
    const { select, events, always } = this.#tables;
    let leaf = rows[base + header.leaf];
    const list = select[leaf * events.length + event];
    if (list !== 0) {
      const block = this.#pick(list);
      if (block !== 0) leaf = this.#run(block);
    }
    if (always[leaf] !== 0 || this.#raisedEnd > 0) this.#settle(leaf, true);
    if (this.#armedCount > 0) this.#setTimers();
  }

  fire(token: number): void {
    const { rows, base } = this.#around.row;
    const first = base + header.timers;
    const { timerEvent } = this.#tables;
    for (let timer = 0; timer < timerEvent.length; timer++) {
      if (rows[first + timer] !== token) continue;
      rows[first + timer] = 0;
      this.send(timerEvent[timer]);
      return;
    }
  }

  where(): string {
    const { rows, base } = this.#around.row;
    return this.leaves[rows[base + header.leaf]];
  }

  /** `always` and raised events, until neither is left. */
  #settle(from: number, always: boolean): void {
    const tables = this.#tables;
    let leaf = from;
    let eventless = always;
    for (let steps = 0; tables.done[leaf] === 0; steps++) {
      if (steps > MICROSTEPS_MAX) {
        throw new EndlessError(tables.leaves[leaf]);
      }
      const block = eventless ? this.#pick(tables.always[leaf]) : 0;
      if (block !== 0) {
        const next = this.#run(block);
        eventless = next !== leaf;
        leaf = next;
        continue;
      }
      if (this.#raisedNext === this.#raisedEnd) break;
      const event = this.#raised[this.#raisedNext++];
      const taken = this.#pick(tables.select[leaf * tables.events.length + event]);
      if (taken !== 0) leaf = this.#run(taken);
      eventless = true;
    }
    this.#raisedNext = 0;
    this.#raisedEnd = 0;
  }

  /** The first candidate of a list whose guard holds: its block, or 0. */
  #pick(list: number): number {
    const { candidates } = this.#tables;
    if (list === 0) return 0;
    for (let at = list; ; at += 2) {
      const block = candidates[at + 1];
      if (block === 0) return 0;
      const guard = candidates[at];
      if (guard === 0 || this.#holds(guard)) return block;
    }
  }

  #holds(word: number): boolean {
    if (word > 0) {
      const { dma, row, numbers } = this.#around;
      return this.#guards[word - 1](dma, row, numbers);
    }
    const code = this.#tables.guardCode;
    const kind = code[-word];
    if (kind === NOT) return !this.#holds(code[1 - word]);
    const count = code[1 - word];
    const wanted = kind !== AND;
    for (let i = 0; i < count; i++) if (this.#holds(code[2 - word + i]) === wanted) return wanted;
    return !wanted;
  }

  /** Does all a block says; returns the leaf it ends in. */
  #run(block: number): number {
    const { blocks } = this.#tables;
    const leaf = blocks[block];
    const end = block + 2 + blocks[block + 1];
    for (let at = block + 2; at < end; at++) {
      const word = blocks[at];
      const argument = word >> OP_BITS;
      const code = word & OP_MASK;
      if (code === opcode.action) this.#actOrWait(argument);
      else if (code === opcode.raise) this.#raised[this.#raisedEnd++] = argument;
      else if (code === opcode.arm) this.#arm(argument);
      else this.#disarm(argument);
    }
    const { rows, base } = this.#around.row;
    rows[base + header.leaf] = leaf;
    return leaf;
  }

  #actOrWait(action: number): void {
    if (this.#start === undefined) this.#act(action);
    else this.#start.push(action);
  }

  #act(action: number): void {
    const { dma, row, numbers } = this.#around;
    this.#actions[action](dma, row, numbers);
  }

  #arm(timer: number): void {
    const { dma, row, numbers } = this.#around;
    const named = this.#tables.timerNamed[timer];
    const delay =
      named < 0 ? this.#tables.timerDelay[timer] : this.#delays[named](dma, row, numbers);
    this.#armed[this.#armedCount] = timer;
    this.#delayOf[this.#armedCount++] = delay;
    // Less than 0: armed in this step, as entry number -value of the list.
    row.rows[row.base + header.timers + timer] = -this.#armedCount;
  }

  #disarm(timer: number): void {
    const { row } = this.#around;
    row.rows[row.base + header.timers + timer] = 0;
  }

  /**
   * XState sets its timers after the step; one that was left in the same step fires to no effect.
   */
  #setTimers(): void {
    const { row } = this.#around;
    for (let i = 0; i < this.#armedCount; i++) {
      const slot = row.base + header.timers + this.#armed[i];
      const token = this.#around.arm(this.#delayOf[i]);
      if (row.rows[slot] === -(i + 1)) row.rows[slot] = token;
    }
    this.#armedCount = 0;
  }
}
