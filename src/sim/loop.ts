/**
 * One shard's event loop: takes events in their total order, gives them to behaviours, keeps what
 * they post.
 *
 * Nothing here knows about threads. Events for actors of other shards go to an outbox; how they get
 * there is window.ts. What an actor may observe (order, time, sequence numbers) is the same on any
 * partition.
 */

import { type PendingState, restorePending, savePending } from './checkpoint.js';
import {
  actorFingerprint,
  addFingerprints,
  emptyFingerprint,
  type Fingerprint,
  firstLane,
  secondLane,
} from './fingerprint.js';
import type { Behaviour, ShardModel } from './model.js';
import { HAS_PAYLOAD, PAYLOAD } from './pool.js';
import { EventQueue } from './queue.js';

const ACTORS_MAX = 2 ** 23;
/**
 * Words per actor: sequence of its posts, two lanes of its fingerprint, position of its behaviour.
 */
const ROW = 4;
const SLICE_MAX = 65_536;
/** Events of one instant beyond which the model is taken to be running in circles. */
const INSTANT_MAX = 1_000_000;

/** Where events for actors of other shards go. */
export interface Outbox {
  post(shard: number, time: number, word: number, order: number, sequence: number): void;
  /** Gives the event posted last the payload `from[0]` to `from[7]`. */
  attach(from: Float64Array): void;
}

export interface LoopOptions {
  readonly actors: number;
  readonly groupOf: ArrayLike<number>;
  readonly behaviourOf: ArrayLike<number>;
  readonly behaviours: readonly Behaviour[];
  /** Least delay between two groups, in ns: anything shorter is refused, on any partition. */
  readonly lookahead?: number;
  /** How long after stop() the run goes on, in ns: the largest lookahead of any partition. */
  readonly horizon?: number;
  /** Events at or after this time are never handled. Infinity if not given. */
  readonly until?: number;
  /** Shard of each group; all on this shard if not given. */
  readonly shardOf?: ArrayLike<number>;
  readonly shard?: number;
  readonly outbox?: Outbox;
}

/** Everything a loop holds between two events, as plain data. */
export interface LoopState extends PendingState {
  now: number;
  events: number;
  until: number;
  /** Owned actors, ascending, with their rows: sequence and both lanes of the fingerprint. */
  actors: Int32Array;
  rows: Int32Array;
}

export class Loop {
  /** Simulated time in ns. */
  now = 0;
  /** Actor whose event is being handled: the source of what is posted. */
  actor = -1;
  /** Events handled so far. */
  events = 0;
  /** Events at or after this time are never handled. */
  until: number;
  readonly queue: EventQueue;
  private readonly actors: number;
  private readonly groupOf: ArrayLike<number>;
  private readonly behaviours: readonly Behaviour[];
  private readonly lookahead: number;
  private readonly horizon: number;
  private readonly shard: number;
  /** Shard of each actor, null if all are here. */
  private readonly home: Uint16Array | null;
  private readonly outbox: Outbox | null;
  private readonly rows: Int32Array;
  private end = 0;
  private readonly scratch = new Float64Array(PAYLOAD);
  /**
   * Somebody holds `out`, so it may be written at any time. Models without payloads never ask for
   * it.
   */
  private hasPayloads = false;
  /** Position of the event posted last, -1 if it went to the outbox, 0 if it is complete. */
  private open = 0;
  /**
   * Events per call of serve(). The first calls are short: V8 compiles the loop while it runs, and
   * what it has not seen by then (how the loop ends) would throw the compiled code away at the end
   * of every window.
   */
  private slice = 64;
  /** stop() was called during this event. */
  private stopped = false;
  /** Events of the current instant. */
  private instant = 0;

  constructor(options: LoopOptions) {
    const { actors, groupOf, behaviourOf, behaviours, shardOf } = options;
    if (actors > ACTORS_MAX) throw new RangeError(`${actors} actors: at most ${ACTORS_MAX}`);
    this.actors = actors;
    this.groupOf = groupOf;
    this.behaviours = behaviours;
    this.queue = new EventQueue(firstWidth(options.lookahead ?? 0));
    this.lookahead = options.lookahead ?? 0;
    this.horizon = options.horizon ?? this.lookahead;
    this.until = options.until ?? Infinity;
    this.shard = options.shard ?? 0;
    this.outbox = options.outbox ?? null;
    this.home = shardOf === undefined ? null : new Uint16Array(actors);
    this.rows = new Int32Array(actors * ROW);
    for (let actor = 0; actor < actors; actor++) {
      this.rows[actor * ROW + 3] = behaviourOf[actor];
      if (this.home !== null && shardOf !== undefined) this.home[actor] = shardOf[groupOf[actor]];
    }
  }

  /** Payload of the event posted last: eight doubles from the offset that post() returned. */
  get out(): Float64Array {
    this.hasPayloads = true;
    return this.scratch;
  }

  /**
   * Posts an event of `type` (0 to 255) to `dest`, `delay` whole ns from now; lower `priority`
   * (-128 to 127) comes first within one instant. Returns the offset into `out` at which its
   * payload of eight doubles, all zero, may be written before the next call.
   */
  post(dest: number, delay: number, type: number, priority = 0): number {
    if (this.hasPayloads) this.seal();
    if (
      dest >>> 0 >= this.actors ||
      !(delay >= this.lookahead) ||
      // Both in one comparison: a negative number has high bits too.
      (type | (priority + 128)) >>> 0 > 255
    ) {
      this.check(dest, delay, type, priority);
    }
    const source = this.actor;
    const row = source * ROW;
    const sequence = (this.rows[row] + 1) | 0;
    this.rows[row] = sequence;
    const word = (dest << 9) | (type << 1);
    const order = (priority << 24) | source;
    if (this.home !== null && this.home[dest] !== this.shard) {
      this.outbox?.post(this.home[dest], this.now + delay, word, order, sequence);
      this.open = -1;
    } else {
      this.open = this.queue.push(this.now + delay, word, order, sequence);
    }
    return 0;
  }

  /**
   * Ends the run: events later than the largest lookahead from now are not handled. The delay is
   * what every shard needs to hear of it, so the last event is the same on any partition.
   */
  stop(): void {
    this.until = Math.min(this.until, this.now + Math.max(1, this.horizon));
    this.end = Math.min(this.end, this.until);
    this.stopped = true;
  }

  /** True if this shard hosts `actor`. */
  owns(actor: number): boolean {
    return this.home === null || this.home[actor] === this.shard;
  }

  /** Lets the model post its first events. */
  start(model: Pick<ShardModel, 'start'>): void {
    model.start(this);
    this.seal();
    this.actor = -1;
    for (let actor = 0; actor < this.actors; actor++) {
      if (this.owns(actor) || this.rows[actor * ROW] === 0) continue;
      throw new Error(
        `actor ${actor} posted at start on shard ${this.shard}, which does not own it`,
      );
    }
  }

  /** Time of the first pending event, Infinity if there is none. */
  next(): number {
    return this.queue.next();
  }

  /**
   * Handles events before `end` and before `until`, at most `budget`; returns how many it handled.
   */
  run(end: number = Infinity, budget: number = Infinity): number {
    this.seal();
    this.end = Math.min(end, this.until);
    let handled = 0;
    let asked = 0;
    let served = 0;
    while (served === asked && handled < budget) {
      asked = Math.min(this.slice, budget - handled);
      served = this.serve(asked);
      handled += served;
      this.slice = Math.min(SLICE_MAX, this.slice * 2);
    }
    return handled;
  }

  /** Handles at most `budget` events before `end`. */
  private serve(budget: number): number {
    const { queue, rows, behaviours } = this;
    const { pool, near } = queue;
    let { keys, positions } = queue.run;
    let { base, cursor } = queue;
    let ready = queue.ready(this.end);
    let handled = 0;
    while (handled < budget) {
      let at: number;
      let time: number;
      // The sorted run is read here, which saves a third of the cost of an event; take() does the
      // rest.
      if (near.size === 0 && cursor < ready) {
        at = positions[cursor];
        time = base + keys[cursor++];
      } else {
        queue.cursor = cursor;
        at = queue.take(this.end);
        ({ base, cursor } = queue);
        if (at === 0) break;
        time = queue.time;
        ({ keys, positions } = queue.run);
        ready = queue.ready(this.end);
      }
      handled++;
      const { records } = pool;
      const word = records[at + 1];
      const order = records[at + 2];
      const actor = word >>> 9;
      const type = (word >>> 1) & 255;
      if (time !== this.now) {
        this.now = time;
        this.instant = 0;
      } else if (++this.instant > INSTANT_MAX) this.circles(actor);
      this.actor = actor;
      const row = actor * ROW;
      const what = order ^ Math.imul(type, 0x01010101);
      const when = (records[at] + Math.imul(queue.high, 0x27d4eb2f)) | 0;
      rows[row + 1] = firstLane(firstLane(rows[row + 1], when), what);
      rows[row + 2] = secondLane(secondLane(rows[row + 2], what), when);
      const behaviour = behaviours[rows[row + 3]];
      if ((word & HAS_PAYLOAD) === 0) behaviour.receive(this, type, pool.payload, 0);
      else this.receivePayload(behaviour, type, pool.slots[at >>> 2]);
      if (this.hasPayloads) this.seal();
      this.open = 0;
      if (this.stopped) {
        this.stopped = false;
        ready = queue.ready(this.end);
      }
    }
    queue.cursor = cursor;
    this.events += handled;
    return handled;
  }

  /** An event from another shard. */
  admit(time: number, word: number, order: number, sequence: number): number {
    return this.queue.push(time, word & ~HAS_PAYLOAD, order, sequence);
  }

  /** Hash over all events handled here so far; sums over shards. */
  fingerprint(): Fingerprint {
    let sum = emptyFingerprint;
    for (let actor = 0; actor < this.actors; actor++) {
      if (!this.owns(actor)) continue;
      const row = actor * ROW;
      sum = addFingerprints(sum, actorFingerprint(actor, this.rows[row + 1], this.rows[row + 2]));
    }
    return sum;
  }

  /**
   * State between two events; restore() on a fresh loop of the same model goes on like this one.
   */
  save(): LoopState {
    this.seal();
    const actors: number[] = [];
    const rows: number[] = [];
    for (let actor = 0; actor < this.actors; actor++) {
      if (!this.owns(actor)) continue;
      actors.push(actor);
      rows.push(...this.rows.subarray(actor * ROW, actor * ROW + 3));
    }
    return {
      now: this.now,
      events: this.events,
      until: this.until,
      actors: Int32Array.from(actors),
      rows: Int32Array.from(rows),
      ...savePending(this.queue),
    };
  }

  /** Takes over a saved state, of this partition or another: what others own is left to them. */
  restore(state: LoopState): void {
    this.now = state.now;
    this.until = state.until;
    this.events = state.events;
    state.actors.forEach((actor, i) => {
      if (this.owns(actor)) this.rows.set(state.rows.subarray(i * 3, i * 3 + 3), actor * ROW);
    });
    restorePending(this.queue, state, (actor) => this.owns(actor));
  }

  /** Completes the event posted last: it gets a payload slot only if something was written. */
  private seal(): void {
    const out = this.scratch;
    if (
      out[0] !== 0 ||
      out[1] !== 0 ||
      out[2] !== 0 ||
      out[3] !== 0 ||
      out[4] !== 0 ||
      out[5] !== 0 ||
      out[6] !== 0 ||
      out[7] !== 0
    ) {
      this.attach();
    }
    this.open = 0;
  }

  private attach(): void {
    const out = this.scratch;
    if (this.open > 0) this.queue.pool.attach(this.open, out, 0);
    else if (this.open < 0) this.outbox?.attach(out);
    else throw new Error(`actor ${this.actor} at ${this.now} ns wrote a payload before post()`);
    for (let i = 0; i < PAYLOAD; i++) out[i] = 0;
  }

  private receivePayload(behaviour: Behaviour, type: number, slot: number): void {
    const { pool } = this.queue;
    const at = slot * PAYLOAD;
    this.hashPayload(this.actor * ROW, at);
    behaviour.receive(this, type, pool.payload, at);
    pool.giveSlot(slot);
  }

  private hashPayload(row: number, at: number): void {
    const words = this.queue.pool.payloadWords;
    let first = this.rows[row + 1];
    let second = this.rows[row + 2];
    for (let i = 2 * at; i < 2 * (at + PAYLOAD); i++) {
      first = firstLane(first, words[i]);
      second = secondLane(second, words[i]);
    }
    this.rows[row + 1] = first;
    this.rows[row + 2] = second;
  }

  /** What post() refuses, and what only looks like it: a short delay inside a group. */
  private check(dest: number, delay: number, type: number, priority: number): void {
    // Every short delay inside a group comes through here: no text unless something is wrong.
    const inGroup = delay >= 0 && this.groupOf[dest] === this.groupOf[this.actor];
    if (inGroup && type >>> 0 <= 255 && (priority + 128) >>> 0 <= 255) return;
    const what = `actor ${this.actor} at ${this.now} ns posts type ${type} to ${dest}`;
    if (!(Number.isInteger(dest) && dest >= 0 && dest < this.actors)) {
      throw new RangeError(`${what}: expected an actor from 0 to ${this.actors - 1}`);
    }
    if (type >>> 0 > 255) throw new RangeError(`${what}: expected a type from 0 to 255`);
    if ((priority + 128) >>> 0 > 255) {
      throw new RangeError(`${what} with priority ${priority}: expected -128 to 127`);
    }
    if (!(delay >= 0))
      throw new RangeError(`${what} after ${delay} ns: expected a delay from 0 on`);
    if (delay < this.lookahead && this.groupOf[dest] !== this.groupOf[this.actor]) {
      throw new RangeError(
        `${what} after ${delay} ns: expected at least ${this.lookahead} ns between groups`,
      );
    }
  }

  private circles(actor: number): void {
    throw new Error(
      `actor ${actor} at ${this.now} ns: more than ${INSTANT_MAX} events without time moving on`,
    );
  }
}

/**
 * A first guess at the width of the queue's buckets: a quarter of the lookahead, as a power of two.
 */
function firstWidth(lookahead: number): number {
  if (!(lookahead >= 4 && lookahead < 2 ** 22)) return 8;
  return Math.floor(Math.log2(lookahead)) - 2;
}
