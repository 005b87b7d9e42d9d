/**
 * What passes between devices without memory in between: events to peers, and cache lines that
 * several CPUs write.
 *
 * The base of the driver: the half that sends is called by a device's actions, the half that
 * receives by its host. A device's cache stands here (sharedLine.ts), a line's home is an actor of
 * its node (nodes/cacheLines.ts).
 */
import type { Loop } from '../../sim/model.js';
import {
  LINE_ACQUIRE,
  LINE_CHANGED,
  LINE_GRANTED,
  LINE_RECALL,
  LINE_YIELD,
  lineAcquire,
  lineGranted,
  lineWords,
  PEER,
  peer as peerMessage,
} from '../../wire/dma.js';
import { LINES, LineCaches, WORDS } from '../../wire/sharedLine.js';
import { number } from '../model.js';
import type { HostWiring } from './driver.js';
import * as kinds from './fleet.js';
import type { Roster } from './roster.js';

/** `keep` of a LINE_GRANTED that a device sends itself: its cache had the line. */
const HIT = 2;

export class Peers {
  /** Position in the roster of the device that acts. */
  device = -1;
  /** Set before anything else. */
  loop!: Loop;
  readonly #roster: Roster;
  readonly #wiring: HostWiring;
  readonly #caches = new LineCaches();
  /** Line that was in the cache of the device that acts: `#hit` answers in the same step. */
  #hitLine = -1;
  readonly #hit = new Float64Array(WORDS);

  constructor(roster: Roster, wiring: HostWiring) {
    this.#roster = roster;
    this.#wiring = wiring;
  }

  /**
   * Hands the device that acts what came from a peer or from the home of a line.
   * @throws Error for a message of another type.
   */
  receive(kind: kinds.Kind, type: number, m: Float64Array, at: number): void {
    const { numbers, machine } = kind;
    switch (type) {
      case PEER:
        for (let i = 0; i < 3; i++) numbers[i] = m[at + peerMessage.numbers + i];
        machine.send(m[at + peerMessage.event]);
        return;
      case LINE_GRANTED:
        this.#granted(m, at);
        this.#answer(kind, m[at + lineGranted.line] % LINES, m, at + lineGranted.words);
        return;
      case LINE_RECALL:
        this.#yield(m[at]);
        numbers[number.lost.line] = m[at] % LINES;
        machine.send(kinds.LOST);
        return;
      case LINE_CHANGED:
        numbers[number.lost.line] = m[at] % LINES;
        machine.send(kinds.LOST);
        return;
      default:
        throw new Error(`${this.#roster.planned[this.device].name}: message of type ${type}`);
    }
  }

  /** Answers accesses to lines that were in the cache of the device that acts. */
  answerHits(): void {
    while (this.#hitLine >= 0) {
      const kind = this.#roster.kindOf(this.device);
      const line = this.#hitLine;
      this.#hitLine = -1;
      this.#answer(kind, line, this.#hit, 0);
    }
  }

  #answer({ numbers, machine }: kinds.Kind, line: number, words: Float64Array, at: number): void {
    numbers.fill(0);
    numbers[number.line.line] = line;
    for (let i = 0; i < WORDS; i++) numbers[number.line.words + i] = words[at + i];
    machine.send(kinds.LINE);
  }

  #granted(m: Float64Array, at: number): void {
    if (m[at + lineGranted.keep] !== 1) return;
    const line = m[at + lineGranted.line] % LINES;
    this.#caches.keep(this.device, line, m, at + lineGranted.words);
  }

  send(peer: number, event: string, delay: number, a = 0, b = 0, c = 0): void {
    const { planned } = this.#roster;
    const to = this.peer(peer);
    const way = this.#wiring.oneWay(planned[this.device].nid, planned[to].nid);
    const whole = Math.max(0, Math.round(delay));
    const at = this.loop.post(this.#roster.actor(to), whole + way, PEER);
    const { out } = this.loop;
    out[at + peerMessage.event] = this.#roster.eventOf(to, event);
    out[at + peerMessage.numbers] = a;
    out[at + peerMessage.numbers + 1] = b;
    out[at + peerMessage.numbers + 2] = c;
  }

  line(line: number, operation: number, a = 0, b = 0, delay = 0): void {
    const { device, loop } = this;
    if (this.#caches.holds(device, line)) {
      const access = { device, line, operation, a, b };
      if (delay === 0) {
        this.#hitLine = line;
        this.#caches.hit(access, this.#hit, 0);
        return;
      }
      const at = loop.post(this.#roster.actor(device), Math.round(delay), LINE_GRANTED);
      loop.out[at + lineGranted.line] = this.#lineId(line);
      loop.out[at + lineGranted.keep] = HIT;
      this.#caches.hit(access, loop.out, at + lineGranted.words);
      return;
    }
    this.#caches.ask(device, line, operation, a, b);
    const { planned } = this.#roster;
    const { nid } = planned[this.device];
    const home = planned[this.peer(0)].nid;
    const way = delay + this.#half(nid, home);
    const at = loop.post(this.#wiring.nodeActor(home), way, LINE_ACQUIRE);
    loop.out[at + lineAcquire.line] = this.#lineId(line);
    loop.out[at + lineAcquire.op] = operation;
    loop.out[at + lineAcquire.a] = a;
    loop.out[at + lineAcquire.b] = b;
    loop.out[at + lineAcquire.from] = this.#roster.actor(device);
  }

  /** Sends a line that its home recalls back there. */
  #yield(id: number): void {
    const { device, loop } = this;
    const { planned } = this.#roster;
    const { nid } = planned[device];
    const home = planned[this.peer(0)].nid;
    const at = loop.post(this.#wiring.nodeActor(home), this.#half(nid, home), LINE_YIELD);
    loop.out[at + lineWords.line] = id;
    this.#caches.yield(device, id % LINES, loop.out, at + lineWords.words);
  }

  slab(): Int32Array {
    return this.#roster.slab(this.device);
  }

  /** A line of peer 0, by its number in the machine. */
  #lineId(line: number): number {
    return this.#roster.actor(this.peer(0)) * LINES + line;
  }

  /** Position of a peer in the plan. */
  protected peer(peer: number): number {
    const position = this.#roster.planned[this.device].peers?.[peer];
    if (position === undefined)
      throw new Error(`${this.#roster.planned[this.device].name}: no peer ${peer}`);
    return position;
  }

  /** Half a round trip between two nodes, on the die too. */
  #half(from: number, to: number): number {
    return this.#wiring.oneWay(from, to) || this.#wiring.halfDie;
  }
}
