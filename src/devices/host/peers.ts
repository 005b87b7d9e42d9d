/**
 * What passes between devices without memory in between: events to peers, and cache lines that
 * several CPUs write.
 *
 * The base of the driver: the half that sends is called by a device's actions, the half that
 * receives by its host. A device's cache stands here (sharedLine.ts), a line's home is an actor of
 * its node (nodes/cacheLines.ts).
 */
import type { Loop } from '../../sim/model.js';
import * as wire from '../../wire/messages.js';
import {
  LINES,
  LineAcquire,
  LineCaches,
  LineMessage,
  LineWords,
  WORDS,
} from '../../wire/sharedLine.js';
import { number } from '../model.js';
import { clear, eventAt, type Fleet } from './fleet.js';
import type { HostWiring } from './hostWiring.js';
import type { Roster } from './roster.js';

/** `keep` of a LINE_GRANTED that a device sends itself: its cache had the line. */
const HIT = 2;

/** Whole ns, as events are posted. */
export function wholeDelay(delay: number): number {
  return Math.max(0, Math.round(delay));
}

export function setNumbers({ m, numbers }: wire.DeviceEvent, a: number, b: number, c = 0): void {
  m[numbers] = a;
  m[numbers + 1] = b;
  m[numbers + 2] = c;
}

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
  readonly #hit = new LineWords();
  readonly #event = new wire.DeviceEvent();
  readonly #acquire = new LineAcquire();
  readonly #message = new LineMessage();
  readonly #received = new LineWords();
  readonly #words = new LineWords();

  constructor(roster: Roster, wiring: HostWiring) {
    this.#roster = roster;
    this.#wiring = wiring;
  }

  /**
   * Hands the device that acts what came from a peer or from the home of a line.
   * @throws Error for a message of another type.
   */
  receive(fleet: Fleet, type: number, m: Float64Array, at: number): void {
    switch (type) {
      case wire.PEER:
        this.deliver(fleet, this.#event.on(m, at));
        return;
      case wire.LINE_GRANTED: {
        const granted = this.#received.on(m, at);
        const line = granted.line % LINES;
        if (granted.keep === 1) this.#caches.keep(this.device, line, granted);
        this.#answer(fleet, line, granted);
        return;
      }
      case wire.LINE_RECALL:
      case wire.LINE_CHANGED: {
        const { line } = this.#message.on(m, at);
        if (type === wire.LINE_RECALL) this.#yield(line);
        fleet.numbers[number.lost.line] = line % LINES;
        fleet.machine.send(eventAt.lost);
        return;
      }
      default:
        throw new Error(`${this.#roster.planned[this.device].name}: message of type ${type}`);
    }
  }

  /** Hands a device an event that was sent to it. */
  deliver({ numbers, machine }: Fleet, event: wire.DeviceEvent): void {
    for (let i = 0; i < 6; i++) numbers[i] = event.m[event.numbers + i];
    machine.send(event.event);
  }

  /** Answers accesses to lines that were in the cache of the device that acts. */
  answerHits(): void {
    while (this.#hitLine >= 0) {
      const line = this.#hitLine;
      this.#hitLine = -1;
      this.#answer(this.#roster.fleetOf(this.device), line, this.#hit);
    }
  }

  #answer({ numbers, machine }: Fleet, line: number, { m, words }: LineWords): void {
    clear(numbers);
    numbers[number.line.line] = line;
    for (let i = 0; i < WORDS; i++) numbers[number.line.words + i] = m[words + i];
    machine.send(eventAt.line);
  }

  send(peer: number, event: string, delay: number, a = 0, b = 0, c = 0): void {
    const { planned } = this.#roster;
    const to = this.peer(peer);
    const way = this.#wiring.oneWay(planned[this.device].nid, planned[to].nid);
    const actor = this.#roster.actor(to);
    const message = this.#event.post(this.loop, actor, wholeDelay(delay) + way, wire.PEER);
    message.event = this.#roster.eventOf(to, event);
    setNumbers(message, a, b, c);
  }

  line(line: number, op: number, a = 0, b = 0, delay = 0): void {
    const { device, loop } = this;
    const access = { op, a, b };
    if (this.#caches.holds(device, line)) {
      if (delay === 0) {
        this.#hitLine = line;
        this.#caches.hit(device, line, access, this.#hit);
        return;
      }
      const self = this.#roster.actor(device);
      const granted = this.#words.post(loop, self, Math.round(delay), wire.LINE_GRANTED);
      granted.line = this.#lineId(line);
      granted.keep = HIT;
      this.#caches.hit(device, line, access, granted);
      return;
    }
    this.#caches.ask(device, line, access);
    const { actor, way } = this.#home();
    const acquire = this.#acquire.post(loop, actor, delay + way, wire.LINE_ACQUIRE);
    acquire.line = this.#lineId(line);
    acquire.op = op;
    acquire.a = a;
    acquire.b = b;
    acquire.from = this.#roster.actor(device);
  }

  /** Sends a line that its home recalls back there. */
  #yield(id: number): void {
    const { actor, way } = this.#home();
    const words = this.#words.post(this.loop, actor, way, wire.LINE_YIELD);
    words.line = id;
    this.#caches.yield(this.device, id % LINES, words);
  }

  /** The home of lines, peer 0's node: half a round trip there, on the die too. */
  #home(): { actor: number; way: number } {
    const { planned } = this.#roster;
    const { nid: home } = planned[this.peer(0)];
    const way = this.#wiring.oneWay(planned[this.device].nid, home) || this.#wiring.halfDie;
    return { actor: this.#wiring.nodeActor(home), way };
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
    if (position === undefined) {
      throw new Error(`${this.#roster.planned[this.device].name}: no peer ${peer}`);
    }
    return position;
  }
}
