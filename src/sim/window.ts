/**
 * Conservative windows: shards step together through windows no wider than the least delay between
 * them.
 *
 * Inside a window no shard can hear of another, so each handles its events alone. Then every shard
 * publishes its earliest event, including what it sent; after one barrier all take their mail and
 * jump to the least of these. One thread may host several shards and steps them in turn. Nothing
 * here starts a thread: shared memory and Atomics are all it needs.
 */

import type { Loop } from './loop.js';
import { defaultCapacity, type Mail, mailBytes } from './mail.js';
import type { Mark } from './model.js';

/** What the main thread asks for, in the first word of the control memory. */
const RUN = 0;
export const STOP = 1;
const FAILED = 2;

/** Words of a line of control memory: two cache lines, so that neighbours are not fetched along. */
const LINE = 32;
/** Double of the first line: widest window in ns of a run on one shard. */
const WIDTH = 1;
/** Loads before a thread goes to sleep, about 2 ms: waking it costs more than most windows take. */
const SPINS = 300_000;
/** A sleeper looks whether another thread has failed this often, in ms. */
const SLEEP_MS = 100;
/** Events a shard handles before it looks up, however wide the window is: some 10 ms. */
const BUDGET = 100_000;

/** Shared memory of one run; plain data that can be sent to threads. */
export interface WindowMemory {
  readonly shards: number;
  readonly threads: number;
  /** Letters per mailbox. */
  readonly capacity: number;
  readonly control: SharedArrayBuffer;
  readonly mail: SharedArrayBuffer;
}

export function windowMemory(
  shards: number,
  threads: number,
  capacity = defaultCapacity(shards),
): WindowMemory {
  const lines = 1 + threads + 3 * shards;
  return {
    shards,
    threads,
    capacity,
    control: new SharedArrayBuffer(lines * LINE * 4),
    mail: new SharedArrayBuffer(mailBytes(shards, capacity)),
  };
}

export interface WindowProgress {
  /** Start of the window under way. */
  simulatedNs: number;
  events: number;
  /** Sum of what the models report. */
  progress: number;
  /** Windows begun. */
  windows: number;
}

/** One shard's line of what it publishes per window, as doubles. */
const FIRST = 0;
const UNTIL = 1;
const SPILLED = 2;
const STOPPED = 3;
/** And of its progress. */
const WINDOW_START = 0;
const EVENTS = 1;
const MODEL = 2;
const WINDOWS = 3;

/** The main thread's hand on a run. */
export class Control {
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  private readonly memory: WindowMemory;

  /** `widthNs`: windows of a run on one shard are no wider, so that what they hold is counted. */
  constructor(memory: WindowMemory, widthNs = Number.POSITIVE_INFINITY) {
    this.memory = memory;
    this.words = new Int32Array(memory.control);
    this.doubles = new Float64Array(memory.control);
    this.doubles[WIDTH] = widthNs;
  }

  /** Lets the windows of a run on one shard be as wide as they can. */
  widen(): void {
    this.doubles[WIDTH] = Number.POSITIVE_INFINITY;
  }

  /** STOP is obeyed at the next border of a window. A failure stays. */
  command(command: typeof STOP): void {
    Atomics.compareExchange(this.words, 0, RUN, command);
  }

  /** Lets every thread of the run end: one of them cannot go on. */
  fail(): void {
    Atomics.store(this.words, 0, FAILED);
    for (let t = 0; t < this.memory.threads; t++) Atomics.notify(this.words, (1 + t) * LINE);
  }

  progress(): WindowProgress {
    const sum = { simulatedNs: 0, events: 0, progress: 0, windows: 0 };
    for (let shard = 0; shard < this.memory.shards; shard++) {
      const at = progressLine(this.memory, shard);
      sum.simulatedNs = Math.max(sum.simulatedNs, this.doubles[at + WINDOW_START]);
      sum.events += this.doubles[at + EVENTS];
      sum.progress += this.doubles[at + MODEL];
      sum.windows = Math.max(sum.windows, this.doubles[at + WINDOWS]);
    }
    return sum;
  }
}

function publishedLine(memory: WindowMemory, shard: number, parity: number): number {
  return ((1 + memory.threads + 2 * shard + parity) * LINE) / 2;
}

function progressLine(memory: WindowMemory, shard: number): number {
  return ((1 + memory.threads + 2 * memory.shards + shard) * LINE) / 2;
}

/** Thrown in threads that were well when another one failed. */
export class OtherShardFailed extends Error {
  override name = 'OtherShardFailed';
}

/**
 * Where the threads of a run wait for each other: each counts its arrivals in a word of its own.
 */
class Barrier {
  private readonly words: Int32Array;
  private readonly threads: number;
  private readonly thread: number;
  private arrivals = 0;

  constructor(memory: WindowMemory, thread: number) {
    this.words = new Int32Array(memory.control);
    this.threads = memory.threads;
    this.thread = thread;
  }

  wait(): void {
    const arrivals = (this.arrivals + 1) | 0;
    this.arrivals = arrivals;
    if (this.threads === 1) return;
    const words = this.words;
    const own = (1 + this.thread) * LINE;
    Atomics.store(words, own, arrivals);
    if (Atomics.load(words, own + 1) !== 0) {
      Atomics.store(words, own + 1, 0);
      Atomics.notify(words, own);
    }
    for (let thread = 0; thread < this.threads; thread++) {
      if (thread !== this.thread) this.waitFor((1 + thread) * LINE, arrivals);
    }
  }

  private waitFor(at: number, arrivals: number): void {
    const words = this.words;
    for (let spin = 1; spin <= SPINS; spin++) {
      if (((Atomics.load(words, at) - arrivals) | 0) >= 0) return;
      if ((spin & 4095) === 0) this.checkFailure();
    }
    for (;;) {
      // The flag first, then the count: whoever arrives in between sees the flag or ends the wait.
      Atomics.store(words, at + 1, 1);
      const seen = Atomics.load(words, at);
      if (((seen - arrivals) | 0) >= 0) return;
      Atomics.wait(words, at, seen, SLEEP_MS);
      this.checkFailure();
    }
  }

  private checkFailure(): void {
    if (Atomics.load(this.words, 0) === FAILED) throw new OtherShardFailed('another shard failed');
  }
}

/** A shard on its thread. */
export interface Member {
  readonly shard: number;
  readonly loop: Loop;
  readonly mail: Mail;
  progress?(): number;
  /** Set back to null when it has been reached. */
  mark?: Mark | null;
}

/** Reaches the marks of members that have handled all before `now`. */
function reachMarks(members: readonly Member[], now: number): void {
  for (const member of members) {
    if (!member.mark || member.mark.at > now) continue;
    member.mark.reach();
    member.mark = null;
  }
}

export interface WindowOutcome {
  windows: number;
  /** Stopped from outside before its end. */
  interrupted: boolean;
  /** Nothing was left to handle before the end was reached. */
  drained: boolean;
}

/**
 * Steps the members of one thread to the end of the run, together with all other threads.
 * `lookahead`: least delay in ns between shards; Infinity if there is only one.
 */
export function runWindows(
  memory: WindowMemory,
  thread: number,
  members: readonly Member[],
  lookahead: number,
): WindowOutcome {
  if (!(lookahead > 0)) throw new RangeError(`lookahead of ${lookahead} ns: expected more than 0`);
  const words = new Int32Array(memory.control);
  const doubles = new Float64Array(memory.control);
  const barrier = new Barrier(memory, thread);
  let windows = 0;
  for (let round = 0; ; round++) {
    const parity = round & 1;
    const stop = obey(words) ? 1 : 0;
    for (const { shard, loop, mail } of members) {
      mail.publish();
      const at = publishedLine(memory, shard, parity);
      doubles[at + FIRST] = Math.min(loop.next(), mail.sentMin);
      doubles[at + UNTIL] = loop.until;
      doubles[at + SPILLED] = mail.spilledCount;
      doubles[at + STOPPED] = stop;
    }
    barrier.wait();
    let first = Infinity;
    let until = Infinity;
    let spilled = 0;
    let stopped = 0;
    for (let shard = 0; shard < memory.shards; shard++) {
      const at = publishedLine(memory, shard, parity);
      if (doubles[at + FIRST] < first) first = doubles[at + FIRST];
      if (doubles[at + UNTIL] < until) until = doubles[at + UNTIL];
      spilled += doubles[at + SPILLED];
      stopped += doubles[at + STOPPED];
    }
    for (const { loop, mail } of members) {
      loop.until = until;
      mail.deliver(loop);
      mail.turn();
    }
    // Mail that did not fit: another round of mail before anybody handles an event.
    if (spilled > 0) continue;
    if (stopped > 0 || !(first < until)) {
      reachMarks(members, Infinity);
      return { windows, interrupted: stopped > 0, drained: stopped === 0 && first === Infinity };
    }
    reachMarks(members, first);
    windows++;
    const width = memory.shards === 1 ? doubles[WIDTH] : lookahead;
    for (const member of members) {
      const { loop, shard } = member;
      loop.run(Math.min(first + width, member.mark?.at ?? Infinity), BUDGET);
      const at = progressLine(memory, shard);
      doubles[at + WINDOW_START] = first;
      doubles[at + EVENTS] = loop.events;
      doubles[at + WINDOWS] = windows;
      if (member.progress !== undefined) doubles[at + MODEL] = member.progress();
    }
  }
}

/** True if the run shall stop. */
function obey(words: Int32Array): boolean {
  const command = Atomics.load(words, 0);
  if (command === FAILED) throw new OtherShardFailed('another shard failed');
  return command === STOP;
}
