/**
 * The mutex around alloc_contig_range(): none (5.11 to 5.18), one for all areas, or one per area (6.15+).
 *
 * The global one is a token that stays with its last holder until the coordinator recalls it: an uncontended
 * hand-off costs asker -> coordinator -> holder -> asker, the three hops of a cache line owned elsewhere. A
 * mutex per area stays with the area; its line travels between the nodes whose CPUs hold it. What waking a
 * sleeper costs is added by whoever waited (areas.ts). Left out: stealing by those who spin.
 */
import type { Loop } from '../sim/model.js';
import { MUTEX_ACQUIRE, MUTEX_PASS, MUTEX_TOKEN, mutex } from '../wire/messages.js';
import { sendNumber, type Wiring } from './wiring.js';

/** `start` runs the allocation whose ticket holds the mutex, once its line has travelled for `way` ns. */
export type StartHolding = (loop: Loop, actor: number, ticket: number, way: number) => void;

export interface AllocMutex {
  /**
   * `ticket` wants the mutex for `area`, for a CPU of node `place`; `start` runs at once or when its turn
   * comes.
   */
  acquire(loop: Loop, actor: number, area: number, ticket: number, place: number): void;
  release(loop: Loop, actor: number, area: number): void;
  /** A token message. */
  receive(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void;
}

class NoMutex implements AllocMutex {
  readonly #start: StartHolding;
  constructor(_wiring: Wiring, start: StartHolding) {
    this.#start = start;
  }
  acquire(loop: Loop, actor: number, _area: number, ticket: number): void {
    this.#start(loop, actor, ticket, 0);
  }
  release(): void {}
  receive(): void {}
}

/** Who wants an area's mutex, as pairs [ticket, place], first come first. */
interface AreaQueue {
  readonly waiters: number[];
  isHeld: boolean;
  /** Node whose CPU held it last. */
  place: number;
}

class AreaMutex implements AllocMutex {
  readonly #wiring: Wiring;
  readonly #start: StartHolding;
  readonly #queues: AreaQueue[] = [];
  constructor(wiring: Wiring, start: StartHolding) {
    this.#wiring = wiring;
    this.#start = start;
  }
  acquire(loop: Loop, actor: number, area: number, ticket: number, place: number): void {
    this.#queues[area] ??= { waiters: [], isHeld: false, place };
    const queue = this.#queues[area];
    queue.waiters.push(ticket, place);
    if (!queue.isHeld) this.#serve(loop, actor, queue);
  }
  release(loop: Loop, actor: number, area: number): void {
    const queue = this.#queues[area];
    queue.isHeld = false;
    if (queue.waiters.length > 0) this.#serve(loop, actor, queue);
  }
  receive(): void {}

  #serve(loop: Loop, actor: number, queue: AreaQueue): void {
    const [ticket, place] = queue.waiters.splice(0, 2) as [number, number];
    const from = queue.place;
    queue.isHeld = true;
    queue.place = place;
    const way = from === place ? 0 : 2 * this.#wiring.latency.oneWay(from, place);
    this.#start(loop, actor, ticket, way);
  }
}

/** One actor's end of the global mutex. */
interface Endpoint {
  token: 'elsewhere' | 'asked' | 'idle' | 'held';
  readonly waiters: number[];
  /** Actor that the coordinator told us to pass the token to, or -1. */
  next: number;
}

class GlobalMutex implements AllocMutex {
  readonly #wiring: Wiring;
  readonly #start: StartHolding;
  readonly #ends = new Map<number, Endpoint>();
  /** The coordinator's: who asked last, so who the next one gets the token from. */
  #tail: number;

  constructor(wiring: Wiring, start: StartHolding) {
    this.#wiring = wiring;
    this.#start = start;
    this.#tail = wiring.coordinator;
    this.#ends.set(wiring.coordinator, { token: 'idle', waiters: [], next: -1 });
  }

  acquire(loop: Loop, actor: number, _area: number, ticket: number): void {
    const end = this.#end(actor);
    if (end.token === 'idle') {
      end.token = 'held';
      this.#start(loop, actor, ticket, 0);
      return;
    }
    end.waiters.push(ticket);
    if (end.token === 'elsewhere') this.#ask(loop, actor, end);
  }

  release(loop: Loop, actor: number): void {
    const end = this.#end(actor);
    end.token = 'idle';
    if (end.next >= 0) this.#pass(loop, actor, end);
    else this.#serve(loop, actor, end);
  }

  receive(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void {
    const other = m[at + mutex.actor];
    const end = this.#end(actor);
    if (type === MUTEX_ACQUIRE) {
      sendNumber(this.#wiring, loop, this.#tail, MUTEX_PASS, other);
      this.#tail = other;
    } else if (type === MUTEX_PASS) {
      end.next = other;
      if (end.token === 'idle') this.#pass(loop, actor, end);
    } else if (type === MUTEX_TOKEN) {
      end.token = 'idle';
      this.#serve(loop, actor, end);
    }
  }

  #end(actor: number): Endpoint {
    let end = this.#ends.get(actor);
    if (!end) {
      end = { token: 'elsewhere', waiters: [], next: -1 };
      this.#ends.set(actor, end);
    }
    return end;
  }

  #ask(loop: Loop, actor: number, end: Endpoint): void {
    end.token = 'asked';
    sendNumber(this.#wiring, loop, this.#wiring.coordinator, MUTEX_ACQUIRE, actor);
  }

  /** The asker elsewhere goes first; whoever waits here asks again behind it. */
  #pass(loop: Loop, actor: number, end: Endpoint): void {
    const to = end.next;
    end.next = -1;
    end.token = 'elsewhere';
    sendNumber(this.#wiring, loop, to, MUTEX_TOKEN, actor);
    if (end.waiters.length > 0) this.#ask(loop, actor, end);
  }

  #serve(loop: Loop, actor: number, end: Endpoint): void {
    const ticket = end.waiters.shift();
    if (ticket !== undefined) {
      end.token = 'held';
      this.#start(loop, actor, ticket, 0);
    } else if (end.next >= 0) {
      this.#pass(loop, actor, end);
    }
  }
}

export type MutexKind = 'none' | 'global' | 'area';

/** One per release row: `mutex` says which. */
export const mutexes: Readonly<
  Record<MutexKind, new (wiring: Wiring, start: StartHolding) => AllocMutex>
> = { none: NoMutex, global: GlobalMutex, area: AreaMutex };
