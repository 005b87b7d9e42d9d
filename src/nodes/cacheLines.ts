/**
 * The home of cache lines that many CPUs write: who has a line, who waits for it, who is next.
 *
 * One line moves at a time and by itself: the home snoops the holder, the holder sends the line to
 * the next CPU, which does its one access; that takes the two ways and `cache_line`. If others
 * wait, the line goes on at once, so that a cmpxchg() that failed has lost it before it can try
 * again; if nobody does, it stays in the cache of a CPU that wrote it until it is recalled. Who of
 * those that wait is next is drawn at random: interconnects promise no order, and neither first
 * come first served nor nearest first gives the rates that were measured (docs/smmu.md). Left out:
 * copies that are read again later, lines that are evicted.
 */

import { mark } from '../sim/mark.js';
import type { Loop } from '../sim/model.js';
import type { Stream } from '../sim/random.js';
import * as wire from '../wire/messages.js';
import { record } from '../wire/record.js';
import {
  copyWords,
  LINES,
  LineAcquire,
  LineMessage,
  LineWords,
  onlyReads,
  perform,
  satisfied,
  WORDS,
} from '../wire/sharedLine.js';
import { between, type Wiring } from './wiring.js';

/** Nobody else has the line: its words are here. */
const RESTING = 0;
/** On its way to a CPU, or being used there for the first time. */
const MOVING = 1;
/** In the cache of a CPU, which may use it as often as it likes. */
const KEPT = 2;
const RECALLED = 3;

/** An access that waits: who asks, what, its operands. */
const Waiting = record({ from: Number, op: Number, a: Number, b: Number });
const ENTRY = Waiting.width;

interface Line {
  readonly id: number;
  readonly m: Float64Array;
  /** Place of its words in `m`. */
  readonly words: 0;
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
  readonly #acquire = new LineAcquire();
  readonly #yield = new LineWords();
  readonly #granted = new LineWords();
  readonly #message = new LineMessage();
  readonly #entry = new Waiting();

  constructor(wiring: Wiring, onDie: number, stream: (name: string) => Stream) {
    this.#wiring = wiring;
    this.#halfDie = Math.max(1, Math.round(onDie / 2));
    this.#lineTime = Math.round(wiring.costs.cacheLine);
    this.#stream = stream;
  }

  /** LINE_ACQUIRE, LINE_YIELD or LINE_SERVED at the node on which the line lies. */
  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const line = this.#line(this.#message.on(m, at).line);
    if (type === wire.LINE_ACQUIRE) this.#acquired(loop, line, this.#acquire.on(m, at));
    else if (type === wire.LINE_YIELD) this.#yielded(loop, line, this.#yield.on(m, at));
    else if (type === wire.LINE_SERVED) this.#served(loop, line);
  }

  #acquired(loop: Loop, line: Line, { from, op, a, b }: LineAcquire): void {
    if ((line.count + 1) * ENTRY > line.waiting.length) {
      const more = new Float64Array(line.waiting.length * 2);
      more.set(line.waiting);
      line.waiting = more;
    }
    const entry = this.#entry.on(line.waiting, line.count++ * ENTRY);
    entry.from = from;
    entry.op = op;
    entry.a = a;
    entry.b = b;
    if (line.state === MOVING && !line.timed) this.#arrive(loop, line);
    if (line.state === RESTING) this.#serve(loop, line, -1);
    else if (line.state === KEPT) this.#recall(loop, line);
  }

  /** Somebody asks for a line that moves and was to stay: has it arrived? */
  #arrive(loop: Loop, line: Line): void {
    if (loop.now >= line.until) line.state = line.keeps ? KEPT : RESTING;
    else {
      mark('who asks for a line on its way has the home woken at its arrival');
      this.#wake(loop, line);
    }
  }

  #wake(loop: Loop, line: Line): void {
    line.timed = true;
    this.#tell(loop, line, {
      to: loop.actor,
      delay: line.until - loop.now,
      type: wire.LINE_SERVED,
    });
  }

  #recall(loop: Loop, line: Line): void {
    line.state = RECALLED;
    const delay = this.#way(loop.actor, line.holder);
    this.#tell(loop, line, { to: line.holder, delay, type: wire.LINE_RECALL });
  }

  #tell(loop: Loop, { id }: Line, what: { to: number; delay: number; type: number }): void {
    this.#message.post(loop, what.to, what.delay, what.type).line = id;
  }

  #yielded(loop: Loop, line: Line, words: LineWords): void {
    copyWords(words, line);
    this.#serve(loop, line, -1);
  }

  /** The line has arrived where it was sent, its access is done, and others wait. */
  #served(loop: Loop, line: Line): void {
    if (line.keeps) this.#recall(loop, line);
    else this.#serve(loop, line, line.holder);
  }

  /** Copies of those that wait are invalidated. */
  #tellChanged(loop: Loop, line: Line): void {
    for (const to of line.watching) {
      this.#tell(loop, line, { to, delay: this.#way(loop.actor, to), type: wire.LINE_CHANGED });
    }
    line.watching.length = 0;
  }

  /** Sends the line to one of those that wait, from `holder`, or from here. */
  #serve(loop: Loop, line: Line, holder: number): void {
    const home = loop.actor;
    const { waiting, m, words } = line;
    const chosen = (line.count > 1 ? line.random.below(line.count) : 0) * ENTRY;
    const { from: next, op, a, b } = this.#entry.on(waiting, chosen);
    const access = { op, a, b };
    const direct = this.#way(home, next);
    const ways = holder < 0 ? direct : this.#way(home, holder) + this.#way(holder, next);
    const delay = this.#lineTime + Math.max(ways, direct);
    waiting.copyWithin(chosen, --line.count * ENTRY, (line.count + 1) * ENTRY);
    line.state = MOVING;
    line.holder = next;
    const reads = onlyReads(m, words, access);
    line.keeps = line.count === 0 && !reads;
    const granted = this.#granted.post(loop, next, delay, wire.LINE_GRANTED);
    granted.line = line.id;
    granted.keep = line.keeps ? 1 : 0;
    copyWords(line, granted);
    if (!satisfied(m, words, access)) line.watching.push(next);
    else if (!reads) this.#tellChanged(loop, line);
    perform(m, words, access);
    line.until = loop.now + delay;
    line.timed = false;
    if (line.count > 0) this.#wake(loop, line);
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
        id,
        m: new Float64Array(WORDS),
        words: 0,
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
