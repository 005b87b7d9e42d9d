/**
 * Locks held for so short a time that nobody leaves the CPU for them: cma->lock and zone->lock.
 *
 * Each is one server, first come first served, in simulated time and without events: whoever asks
 * is told how long it waits. The lock's cache line travels from the CPU that held it last; a waiter
 * pays for being handed the lock besides. Models queued spinlocks, and the mutex that cma->lock was
 * up to v5.12: there a waiter spins while the holder runs, and sleeps if that takes long. Left out:
 * interrupts while a lock is held.
 */
import type { CostModel } from '../mm/alloc/cost.js';

/** One-way time between two nodes, by position. */
export interface Ways {
  oneWay(from: number, to: number): number;
}

export class Locks {
  readonly #costs: CostModel;
  readonly #ways: Ways;
  readonly #isMutex: boolean;
  /** Per lock: when its last holder lets go, ns. */
  readonly #free: Float64Array;
  /** Per lock: node, by position, whose CPU held it last; -1 before the first. */
  readonly #holder: Int32Array;

  constructor(
    count: number,
    { costs, ways, isMutex }: { costs: CostModel; ways: Ways; isMutex: boolean },
  ) {
    this.#costs = costs;
    this.#ways = ways;
    this.#isMutex = isMutex;
    this.#free = new Float64Array(count);
    this.#holder = new Int32Array(count).fill(-1);
  }

  /**
   * A CPU of node `place` asks at `now` and will hold the lock for `hold` ns: ns until it has it.
   */
  take(lock: number, now: number, place: number, hold: number): number {
    const queue = this.#free[lock] - now;
    const last = this.#holder[lock];
    // A request for the line, and the line.
    let wait = last < 0 || last === place ? 0 : 2 * this.#ways.oneWay(last, place);
    if (queue > 0) wait += queue + this.#handOff(queue);
    this.#free[lock] = now + wait + hold;
    this.#holder[lock] = place;
    return wait;
  }

  #handOff(queue: number): number {
    const { lockContended, mutexSpin, mutexWake } = this.#costs;
    return this.#isMutex && queue > mutexSpin ? mutexWake : lockContended;
  }
}
