/**
 * The home of cache lines that many CPUs write: who has a line, who waits for it, who is next.
 *
 * One line moves at a time and by itself: the home snoops the holder, the holder sends the line to
 * the next CPU, which does its one access; that takes the two ways and `cache_line`. If others wait,
 * the line goes on at once, so that a cmpxchg() that failed has lost it before it can try again; if
 * nobody does, it stays in the cache of a CPU that wrote it until it is recalled. Who of those that
 * wait is next is drawn at random: interconnects promise no order, and neither first come first
 * served nor nearest first gives the rates that were measured (docs/smmu.md). Left out: copies that
 * are read again later, lines that are evicted.
 */

import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import {
  LINE_ACQUIRE,
  LINE_CHANGED,
  LINE_GRANTED,
  LINE_RECALL,
  LINE_SERVED,
  LINE_YIELD,
  lineAcquire,
  lineGranted,
  lineWords,
} from '../wire/dma.js';
import { LINES, onlyReads, perform, satisfied, WORDS } from '../wire/sharedLine.js';
import { between, type Wiring } from './wiring.js';

/** Nobody else has the line: its words are here. */
const RESTING = 0;
/** On its way to a CPU, or being used there for the first time. */
const MOVING = 1;
/** In the cache of a CPU, which may use it as often as it likes. */
const KEPT = 2;
const RECALLED = 3;

/** Numbers per waiting access: who, what, its operands. */
const ENTRY = 4;

interface Line {
  readonly words: Float64Array;
  readonly random: Stream;
  state: number;
  /** Actor that has it or had it last; -1: memory. */
  holder: number;
  /** The holder's cache keeps it after its access. */
  keeps: boolean;
  /** While it moves: when it arrives, and whether the home is woken then. */
  until: number;
  timed: boolean;
  waiting: Float64Array;
  count: number;
  /** CPUs that wait for the line to change. */
  readonly watching: number[];
}

export class Lines {
  readonly #wiring: Wiring;
  readonly #halfDie: number;
  readonly #lineTime: number;
  readonly #stream: (name: string) => Stream;
  readonly #lines = new Map<number, Line>();

  constructor(wiring: Wiring, onDie: number, stream: (name: string) => Stream) {
    this.#wiring = wiring;
    this.#halfDie = Math.max(1, Math.round(onDie / 2));
    this.#lineTime = Math.round(wiring.costs.cacheLine);
    this.#stream = stream;
  }

  /** LINE_ACQUIRE, LINE_YIELD or LINE_SERVED at the node on which the line lies. */
  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const id = m[at + lineAcquire.line];
    const line = this.#line(id);
    if (type === LINE_ACQUIRE) this.#acquire(loop, id, line, m, at);
    else if (type === LINE_YIELD) this.#yielded(loop, id, line, m, at);
    else if (type === LINE_SERVED) this.#served(loop, id, line);
  }

  #acquire(loop: Loop, id: number, line: Line, m: Float64Array, at: number): void {
    if ((line.count + 1) * ENTRY > line.waiting.length) {
      const more = new Float64Array(line.waiting.length * 2);
      more.set(line.waiting);
      line.waiting = more;
    }
    const entry = line.count++ * ENTRY;
    line.waiting[entry] = m[at + lineAcquire.from];
    line.waiting[entry + 1] = m[at + lineAcquire.op];
    line.waiting[entry + 2] = m[at + lineAcquire.a];
    line.waiting[entry + 3] = m[at + lineAcquire.b];
    if (line.state === MOVING && !line.timed) this.#arrive(loop, id, line);
    if (line.state === RESTING) this.#serve(loop, id, line, -1);
    else if (line.state === KEPT) this.#recall(loop, id, line);
  }

  /** Somebody asks for a line that moves and was to stay: has it arrived? */
  #arrive(loop: Loop, id: number, line: Line): void {
    if (loop.now >= line.until) line.state = line.keeps ? KEPT : RESTING;
    else this.#wake(loop, id, line);
  }

  #wake(loop: Loop, id: number, line: Line): void {
    line.timed = true;
    const out = loop.post(loop.actor, line.until - loop.now, LINE_SERVED);
    loop.out[out] = id;
  }

  #recall(loop: Loop, id: number, line: Line): void {
    line.state = RECALLED;
    const out = loop.post(line.holder, this.#way(loop.actor, line.holder), LINE_RECALL);
    loop.out[out] = id;
  }

  #yielded(loop: Loop, id: number, line: Line, m: Float64Array, at: number): void {
    for (let word = 0; word < WORDS; word++) line.words[word] = m[at + lineWords.words + word];
    this.#serve(loop, id, line, -1);
  }

  /** The line has arrived where it was sent, its access is done, and others wait. */
  #served(loop: Loop, id: number, line: Line): void {
    if (line.keeps) this.#recall(loop, id, line);
    else this.#serve(loop, id, line, line.holder);
  }

  /** Copies of those that wait are invalidated. */
  #tellChanged(loop: Loop, id: number, line: Line): void {
    for (const actor of line.watching) {
      const out = loop.post(actor, this.#way(loop.actor, actor), LINE_CHANGED);
      loop.out[out] = id;
    }
    line.watching.length = 0;
  }

  /** Sends the line to one of those that wait, from `holder`, or from here. */
  #serve(loop: Loop, id: number, line: Line, holder: number): void {
    const home = loop.actor;
    const { waiting, words } = line;
    const entry = (line.count > 1 ? line.random.below(line.count) : 0) * ENTRY;
    const next = waiting[entry];
    const [operation, a, b] = [waiting[entry + 1], waiting[entry + 2], waiting[entry + 3]];
    const direct = this.#way(home, next);
    const ways = holder < 0 ? direct : this.#way(home, holder) + this.#way(holder, next);
    const delay = this.#lineTime + Math.max(ways, direct);
    waiting.copyWithin(entry, --line.count * ENTRY, (line.count + 1) * ENTRY);
    line.state = MOVING;
    line.holder = next;
    const reads = onlyReads(words, 0, operation, a, b);
    line.keeps = line.count === 0 && !reads;
    const out = loop.post(next, delay, LINE_GRANTED);
    loop.out[out + lineGranted.line] = id;
    loop.out[out + lineGranted.keep] = line.keeps ? 1 : 0;
    for (let word = 0; word < WORDS; word++) loop.out[out + lineWords.words + word] = words[word];
    if (!satisfied(words, 0, operation, a, b)) line.watching.push(next);
    else if (!reads) this.#tellChanged(loop, id, line);
    perform(words, 0, operation, a, b);
    line.until = loop.now + delay;
    line.timed = false;
    if (line.count > 0) this.#wake(loop, id, line);
  }

  /** Half a line's round trip, on the die too. */
  #way(from: number, to: number): number {
    return between(this.#wiring, from, to) || this.#halfDie;
  }

  #line(id: number): Line {
    let line = this.#lines.get(id);
    if (line === undefined) {
      const name = `line.${Math.floor(id / LINES)}.${id % LINES}`;
      line = {
        words: new Float64Array(WORDS),
        random: this.#stream(name),
        state: RESTING,
        holder: -1,
        keeps: false,
        until: 0,
        timed: false,
        waiting: new Float64Array(8 * ENTRY),
        count: 0,
        watching: [],
      };
      this.#lines.set(id, line);
    }
    return line;
  }
}
