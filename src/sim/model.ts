/**
 * What a model is to the event core: actors in groups, behaviours, and where it starts and ends.
 *
 * Plain interfaces, so that a model can be built without a thread and tested without an engine.
 */

import type { Loop } from './loop.js';

export type { Loop };

/** One kind of actor, on one shard. */
export interface Behaviour {
  /**
   * Handles one event of `loop.actor`. The payload is the eight doubles `m[at]` to `m[at + 7]`; it
   * is valid during the call only and must not be written.
   */
  receive(loop: Loop, type: number, m: Float64Array, at: number): void;
}

/**
 * A model as one shard sees it: every actor has an id here, but only those of owned groups live
 * here.
 */
export interface ShardModel<Result = unknown> {
  /** Number of actors; ids are 0 to actors - 1, the same on any partition. At most 2^23. */
  readonly actors: number;
  /** Group of each actor. Messages without delay stay inside a group. */
  readonly groupOf: ArrayLike<number>;
  /** Position in `behaviours` of each actor. */
  readonly behaviourOf: ArrayLike<number>;
  readonly behaviours: readonly Behaviour[];
  /** Posts the first events, of owned actors only; set `loop.actor` to the actor that posts. */
  start(loop: Loop): void;
  /** Result of this shard: plain data that msgpackr can carry. */
  finish(loop: Loop): Result;
  /** A number for the progress display, such as requests settled. */
  progress?(): number;
  readonly mark?: Mark;
}

/**
 * A time that a model wants to hear of: all before `at` has been handled, and nothing from then
 * on.
 */
export interface Mark {
  readonly at: number;
  reach(): void;
}

/** The part of the machine one shard is responsible for. */
interface ShardPlace {
  readonly index: number;
  readonly count: number;
  owns(group: number): boolean;
}

/** Default export of a model module: it is called once in each shard, with the plan of the run. */
export type BuildShard<Result = unknown> = (
  plan: unknown,
  shard: ShardPlace,
) => ShardModel<Result> | Promise<ShardModel<Result>>;
