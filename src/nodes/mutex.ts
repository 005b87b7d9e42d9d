/**
 * The mutex around alloc_contig_range(): none (5.11 to 5.18), one for all areas, or one per area
 * (6.15+).
 *
 * The global one is a token that stays with its last holder until the coordinator recalls it: an
 * uncontended hand-off costs asker -> coordinator -> holder -> asker, the three hops of a cache
 * line owned elsewhere. A mutex per area stays with the area; its line travels between the nodes
 * whose CPUs hold it. What waking a sleeper costs is added by whoever waited (areas.ts). Left out:
 * stealing by those who spin.
 */
import type { Loop } from '../sim/model.js';
import { MUTEX_ACQUIRE, MUTEX_PASS, MUTEX_TOKEN, MutexMessage } from '../wire/messages.js';
import { between, type Wiring } from './wiring.js';

/** An allocation that wants the mutex for `area`, for a CPU of node `place`. */
export interface Waiter {
  readonly area: number;
  readonly place: number;
}

/** Runs the allocation that holds the mutex, once its line has travelled for `way` ns. */
export type StartHolding<W extends Waiter> = (loop: Loop, waiter: W, way: number) => void;

/** One actor's mutexes, or its end of the one there is; the actor is the loop's. */
export interface AllocMutex<W extends Waiter> {
  /** `start` runs at once or when the waiter's turn comes. */
  acquire(loop: Loop, waiter: W): void;
  release(loop: Loop, area: number): void;
  /** A token message about the actor `other`. */
  receive(loop: Loop, type: number, other: number): void;
}

class NoMutex<W extends Waiter> implements AllocMutex<W> {
  readonly #start: StartHolding<W>;
  constructor(_wiring: Wiring, start: StartHolding<W>) {
    this.#start = start;
  }
  acquire(loop: Loop, waiter: W): void {
    this.#start(loop, waiter, 0);
  }
  release(): void {}
  receive(): void {}
}

/** Who wants an area's mutex, first come first. */
interface AreaQueue<W> {
  readonly waiters: W[];
  isHeld: boolean;
  /** Node whose CPU held it last. */
  place: number;
}

class AreaMutex<W extends Waiter> implements AllocMutex<W> {
  readonly #wiring: Wiring;
  readonly #start: StartHolding<W>;
  readonly #queues: AreaQueue<W>[] = [];
  constructor(wiring: Wiring, start: StartHolding<W>) {
    this.#wiring = wiring;
    this.#start = start;
  }
  acquire(loop: Loop, waiter: W): void {
    const { area, place } = waiter;
    this.#queues[area] ??= { waiters: [], isHeld: false, place };
    const queue = this.#queues[area];
    queue.waiters.push(waiter);
    if (!queue.isHeld) this.#serve(loop, queue);
  }
  release(loop: Loop, area: number): void {
    const queue = this.#queues[area];
    queue.isHeld = false;
    this.#serve(loop, queue);
  }
  receive(): void {}

  #serve(loop: Loop, queue: AreaQueue<W>): void {
    const next = queue.waiters.shift();
    if (!next) return;
    const from = queue.place;
    queue.isHeld = true;
    queue.place = next.place;
    const way = from === next.place ? 0 : 2 * this.#wiring.latency.oneWay(from, next.place);
    this.#start(loop, next, way);
  }
}

/** One actor's end of the global mutex. */
interface Endpoint<W> {
  token: 'elsewhere' | 'asked' | 'idle' | 'held';
  readonly waiters: W[];
  /** Actor that the coordinator told us to pass the token to, or -1. */
  next: number;
}

class GlobalMutex<W extends Waiter> implements AllocMutex<W> {
  readonly #wiring: Wiring;
  readonly #start: StartHolding<W>;
  readonly #ends = new Map<number, Endpoint<W>>();
  readonly #message = new MutexMessage();
  /** The coordinator's: who asked last, so who the next one gets the token from. */
  #tail: number;

  constructor(wiring: Wiring, start: StartHolding<W>) {
    this.#wiring = wiring;
    this.#start = start;
    this.#tail = wiring.coordinator;
    this.#ends.set(wiring.coordinator, { token: 'idle', waiters: [], next: -1 });
  }

  acquire(loop: Loop, waiter: W): void {
    const end = this.#end(loop.actor);
    if (end.token === 'idle') {
      end.token = 'held';
      this.#start(loop, waiter, 0);
      return;
    }
    end.waiters.push(waiter);
    if (end.token === 'elsewhere') this.#ask(loop, end);
  }

  release(loop: Loop): void {
    const end = this.#end(loop.actor);
    end.token = 'idle';
    if (end.next >= 0) this.#pass(loop, end);
    else this.#serve(loop, end);
  }

  receive(loop: Loop, type: number, other: number): void {
    const end = this.#end(loop.actor);
    if (type === MUTEX_ACQUIRE) {
      this.#send(loop, this.#tail, MUTEX_PASS, other);
      this.#tail = other;
    } else if (type === MUTEX_PASS) {
      end.next = other;
      if (end.token === 'idle') this.#pass(loop, end);
    } else if (type === MUTEX_TOKEN) {
      end.token = 'idle';
      this.#serve(loop, end);
    }
  }

  #send(loop: Loop, to: number, type: number, actor: number): void {
    this.#message.post(loop, to, between(this.#wiring, loop.actor, to), type).actor = actor;
  }

  #end(actor: number): Endpoint<W> {
    let end = this.#ends.get(actor);
    if (!end) {
      end = { token: 'elsewhere', waiters: [], next: -1 };
      this.#ends.set(actor, end);
    }
    return end;
  }

  #ask(loop: Loop, end: Endpoint<W>): void {
    end.token = 'asked';
    this.#send(loop, this.#wiring.coordinator, MUTEX_ACQUIRE, loop.actor);
  }

  /** The asker elsewhere goes first; whoever waits here asks again behind it. */
  #pass(loop: Loop, end: Endpoint<W>): void {
    const to = end.next;
    end.next = -1;
    end.token = 'elsewhere';
    this.#send(loop, to, MUTEX_TOKEN, loop.actor);
    if (end.waiters.length > 0) this.#ask(loop, end);
  }

  #serve(loop: Loop, end: Endpoint<W>): void {
    const next = end.waiters.shift();
    if (next !== undefined) {
      end.token = 'held';
      this.#start(loop, next, 0);
    } else if (end.next >= 0) {
      this.#pass(loop, end);
    }
  }
}

export type MutexKind = 'none' | 'global' | 'area';

/** The allocation mutex of a release, whose `mutex` says which. */
export function allocMutex<W extends Waiter>(
  kind: MutexKind,
  wiring: Wiring,
  start: StartHolding<W>,
): AllocMutex<W> {
  const classes = { none: NoMutex<W>, global: GlobalMutex<W>, area: AreaMutex<W> };
  return new classes[kind](wiring, start);
}
