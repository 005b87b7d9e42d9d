/**
 * The actor that does again what a kernel was recorded doing: each operation at its time, once what
 * it waits for has settled.
 *
 * Models the tasks of the recorded machine, or the one driver that made an operation file: a task
 * makes one call at a time, a free follows the allocation it ends. A call reaches the node of its
 * CPU at exactly its time, so that requests meet in the order of the recording whatever the way
 * from here; the way back is not counted either.
 */

import { Bytes, Nid, Pages, Pfn } from '../mm/units.js';
import type { Behaviour, Loop } from '../sim/model.js';
import * as wire from '../wire/messages.js';
import {
  BUDDY,
  Free,
  FreeDone,
  Grant,
  ID_SPAN,
  type Mode,
  modes,
  Refusal,
  Request,
} from '../wire/request.js';
import * as op from './operations.js';
import { operation, outcome } from './operations.js';
import { between, type Wiring } from './wiring.js';

export class Replayer implements Behaviour {
  readonly #wiring: Wiring;
  readonly #operations: Float64Array;
  readonly #count: number;
  readonly outcomes: Float64Array;
  /** Row -> what it waits for: its time and rows before it; once it is issued, answers. */
  readonly #waits: Uint16Array;
  /** Row -> 1 while it holds pages. */
  readonly #holds: Uint8Array;
  /** Row -> rows that wait for it: `#waiting` from `#first[row]` to `#first[row + 1]`. */
  readonly #first: Uint32Array;
  readonly #waiting: Uint32Array;
  /** Rows that wait for one thing less, the next one last. */
  readonly #stack: number[] = [];
  readonly #areaOwners: readonly number[];
  readonly #nodes: readonly number[];
  /** The longest way to a node, ns: a row is taken up so long before its time. */
  readonly #margin: number;
  readonly #request = new Request();
  readonly #free = new Free();
  readonly #grant = new Grant();
  readonly #refusal = new Refusal();
  readonly #freeDone = new FreeDone();
  readonly #pinning = new wire.Pinning();
  readonly #inspect = new wire.Inspect();
  readonly #inspected = new wire.Inspected();
  #next = 0;

  constructor(wiring: Wiring, { operations, held }: op.ReplayPlan, actor: number) {
    this.#wiring = wiring;
    this.#operations = operations;
    this.#count = op.operationCount(operations);
    this.outcomes = op.outcomeColumns(this.#count);
    this.#waits = new Uint16Array(this.#count).fill(1);
    this.#holds = new Uint8Array(this.#count);
    this.#first = new Uint32Array(this.#count + 1);
    this.#waiting = this.#dependents();
    this.#areaOwners = [...new Set(wiring.areaOwner)].sort((a, b) => a - b);
    this.#nodes = [...wiring.nodeOf].filter((node) => node >= 0);
    this.#margin = Math.max(0, ...this.#nodes.map((node) => between(wiring, actor, node)));
    for (const { area, pfn, pages, row } of held) {
      this.#set(row, outcome.source, area);
      this.#set(row, outcome.pfn, pfn);
      this.#set(row, outcome.pages, pages);
      this.#placed(row);
    }
  }

  /** Counts what each row waits for, and lists who waits for it. */
  #dependents(): Uint32Array {
    const first = this.#first;
    this.#eachWait((row, on) => {
      this.#waits[row] += 1;
      first[on + 1] += 1;
    });
    for (let row = 0; row < this.#count; row++) first[row + 1] += first[row];
    const waiting = new Uint32Array(first[this.#count]);
    const at = first.slice();
    this.#eachWait((row, on) => {
      waiting[at[on]] = row;
      at[on] += 1;
    });
    return waiting;
  }

  #eachWait(visit: (row: number, on: number) => void): void {
    for (let row = 0; row < this.#count; row++) {
      for (const field of [operation.after, operation.afterToo, operation.target]) {
        const on = this.#column(row, field);
        if (on >= 0) visit(row, on);
      }
    }
  }

  /** Takes up the first rows. The loop's actor is the replayer. */
  run(loop: Loop): void {
    // Rows that hold pages from the start are settled and only have to be passed on.
    for (let row = 0; row < this.#count; row++) if (this.#holds[row]) this.#settled(loop, row);
    this.#takeUp(loop);
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    if (type === wire.TIME_HAS_COME) return this.#takeUp(loop);
    const row = this.#refusal.on(m, at).id % ID_SPAN;
    this.#waits[row] -= 1;
    if (this.#waits[row] > 0) return;
    switch (type) {
      case wire.GRANTED:
        this.#granted(loop, row, this.#grant.on(m, at));
        break;
      case wire.REFUSED:
        this.#set(row, outcome.errno, this.#refusal.on(m, at).errno);
        this.#set(row, outcome.verdict, op.NOTHING);
        this.#set(row, outcome.settled, loop.now);
        break;
      case wire.FREED:
        this.#freed(loop, row, this.#freeDone.on(m, at));
        break;
      case wire.OBSERVED:
        this.#observed(loop, row, this.#inspected.on(m, at).errno);
        break;
      default:
        throw new Error(`replayer: message type ${type}, expected an answer`);
    }
    this.#settled(loop, row);
  }

  #column(row: number, field: number): number {
    return op.operationAt(this.#operations, row, field);
  }

  #outcome(row: number, field: number): number {
    return op.outcomeAt(this.outcomes, row, field);
  }

  #set(row: number, field: number, value: number): void {
    this.outcomes[row * op.OUTCOME_WIDTH + field] = value;
  }

  #placed(row: number): void {
    this.#set(row, outcome.verdict, op.PLACED);
    this.#holds[row] = 1;
  }

  /** Every row whose time has come loses one wait; then sleeps until the next one's. */
  #takeUp(loop: Loop): void {
    while (this.#next < this.#count) {
      const early = this.#column(this.#next, operation.time) - this.#margin;
      if (early > loop.now) {
        loop.post(loop.actor, early - loop.now, wire.TIME_HAS_COME);
        return;
      }
      this.#stack.push(this.#next++);
      this.#unblock(loop);
    }
  }

  /** Those that waited for a row wait for one thing less. */
  #settled(loop: Loop, row: number): void {
    this.#passOn(row);
    this.#unblock(loop);
  }

  #passOn(row: number): void {
    for (let i = this.#first[row + 1] - 1; i >= this.#first[row]; i--) {
      this.#stack.push(this.#waiting[i]);
    }
  }

  /** Issues what waits for nothing more; what settles at once lets go of others. */
  #unblock(loop: Loop): void {
    for (let row = this.#stack.pop(); row !== undefined; row = this.#stack.pop()) {
      this.#waits[row] -= 1;
      if (this.#waits[row] > 0 || this.#outcome(row, outcome.verdict) !== 0) continue;
      const answers = this.#issue(loop, row);
      this.#waits[row] = answers;
      if (answers === 0) this.#passOn(row);
    }
  }

  /** Answers to wait for; 0: it has settled. */
  #issue(loop: Loop, row: number): number {
    switch (this.#column(row, operation.code)) {
      case op.OP_ALLOC:
        return this.#alloc(loop, row);
      case op.OP_FREE:
        return this.#giveBack(loop, row);
      case op.OP_BUSY:
        return this.#pin(loop, row);
      case op.OP_UNBUSY:
        return this.#unpin(loop, row);
      case op.OP_STATE:
        return this.#look(loop, row, wire.OBSERVE_AREAS, this.#areaOwners);
      case op.OP_ZONES:
        return this.#look(loop, row, wire.OBSERVE_ZONES, this.#nodes);
      default:
        return this.#atOnce(loop, row, op.DONE);
    }
  }

  #atOnce(loop: Loop, row: number, verdict: number): 0 {
    const now = Math.max(loop.now, this.#column(row, operation.time));
    this.#set(row, outcome.verdict, verdict);
    this.#set(row, outcome.issued, now);
    this.#set(row, outcome.settled, now);
    return 0;
  }

  #alloc(loop: Loop, row: number): number {
    const isRaw = this.#mode(row) === 'raw';
    // A raw request to an area that this kernel does not have.
    if (isRaw && this.#column(row, operation.area) < 0) return this.#atOnce(loop, row, op.NOTHING);
    const [node, delay] = this.#way(loop, row, this.#node(row));
    const request = this.#request.post(loop, node, delay, wire.ALLOC);
    this.#fill(request, loop, row);
    request.size = Bytes(this.#column(row, operation.bytes));
    request.align = this.#column(row, operation.align);
    request.maskBits = this.#column(row, operation.mask);
    return 1;
  }

  #giveBack(loop: Loop, row: number): number {
    const target = this.#column(row, operation.target);
    if (!this.#mayFree(row, target)) return this.#atOnce(loop, row, op.SKIPPED);
    const part = this.#column(row, operation.bytes);
    if (part === 0) this.#holds[target] = 0;
    const bytes = part === 0 ? this.#column(target, operation.bytes) : part;
    const [node, delay] = this.#way(loop, row, this.#node(row));
    const free = this.#free.post(loop, node, delay, wire.FREE);
    this.#fill(free, loop, row);
    free.size = Bytes(bytes);
    const offset = this.#column(row, operation.offset);
    free.pfn = Pfn(this.#outcome(target, outcome.pfn) + offset);
    return 1;
  }

  /**
   * Whether a free begins among the pages held and, in the buddy, ends there: a range of an area
   * may run past its end, as recorded kernels let it, but no kernel lives through the rest.
   */
  #mayFree(row: number, target: number): boolean {
    if (target < 0 || this.#holds[target] === 0) return false;
    const offset = this.#column(row, operation.offset);
    const pages = this.#column(row, operation.bytes) / this.#wiring.directory.pageSize;
    const held = this.#outcome(target, outcome.pages);
    if (offset >= held) return false;
    return this.#outcome(target, outcome.source) !== BUDDY || offset + Math.ceil(pages) <= held;
  }

  #mode(row: number): Mode {
    return modes[this.#column(row, operation.mode)];
  }

  /** Actor of the node whose CPU makes a call. */
  #node(row: number): number {
    return this.#wiring.nodeOf[this.#column(row, operation.cpuNode)];
  }

  /** Fills in what a request and a free have in common. */
  #fill(message: Request | Free, loop: Loop, row: number): void {
    message.id = loop.actor * ID_SPAN + row;
    message.mode = this.#mode(row);
    message.gfp = this.#column(row, operation.gfp);
    message.devNode = Nid(this.#column(row, operation.devNode));
    message.devArea = this.#column(row, operation.area);
    message.policy = this.#column(row, operation.policy);
    message.cpuNode = Nid(this.#column(row, operation.cpuNode));
  }

  /** Where a row's message goes, and the delay with which it arrives at its time. */
  #way(loop: Loop, row: number, to: number): [to: number, delay: number] {
    const way = between(this.#wiring, loop.actor, to);
    const delay = Math.max(way, this.#column(row, operation.time) - loop.now);
    this.#set(row, outcome.issued, loop.now + delay);
    return [to, delay];
  }

  #pin(loop: Loop, row: number): number {
    const { basePfn, pageSize } = this.#wiring.directory;
    const area = this.#column(row, operation.area);
    this.#set(row, outcome.source, area);
    this.#set(row, outcome.pfn, basePfn[area] + this.#column(row, operation.offset));
    this.#set(row, outcome.pages, this.#column(row, operation.bytes) / pageSize);
    return this.#pages(loop, row, wire.BUSY, row);
  }

  #unpin(loop: Loop, row: number): number {
    const target = this.#column(row, operation.target);
    if (target < 0 || this.#holds[target] === 0) return this.#atOnce(loop, row, op.SKIPPED);
    this.#holds[target] = 0;
    return this.#pages(loop, row, wire.UNBUSY, target);
  }

  /** Asks the owner of an area for pages that `held` has or is to have. */
  #pages(loop: Loop, row: number, type: number, held: number): number {
    const area = this.#outcome(held, outcome.source);
    const [owner, delay] = this.#way(loop, row, this.#wiring.areaOwner[area]);
    const pinning = this.#pinning.post(loop, owner, delay, type);
    pinning.id = loop.actor * ID_SPAN + row;
    pinning.area = area;
    pinning.pfn = Pfn(this.#outcome(held, outcome.pfn));
    pinning.pages = Pages(this.#outcome(held, outcome.pages));
    pinning.from = loop.actor;
    return 1;
  }

  #look(loop: Loop, row: number, type: number, owners: readonly number[]): number {
    for (const owner of owners) {
      const [to, delay] = this.#way(loop, row, owner);
      const inspect = this.#inspect.post(loop, to, delay, type);
      inspect.id = loop.actor * ID_SPAN + row;
      inspect.from = loop.actor;
    }
    return owners.length === 0 ? this.#atOnce(loop, row, op.DONE) : owners.length;
  }

  #granted(loop: Loop, row: number, { source, nid, zone, pfn, pages }: Grant): void {
    this.#set(row, outcome.source, source);
    this.#set(row, outcome.nid, nid);
    this.#set(row, outcome.zone, zone);
    this.#set(row, outcome.pfn, pfn);
    this.#set(row, outcome.pages, pages);
    this.#placed(row);
    this.#returned(loop, row);
  }

  #freed(loop: Loop, row: number, { source, nid, pfn, pages }: FreeDone): void {
    this.#set(row, outcome.source, source);
    this.#set(row, outcome.nid, nid);
    this.#set(row, outcome.pfn, pfn);
    this.#set(row, outcome.pages, pages);
    this.#set(row, outcome.verdict, op.RETURNED);
    this.#returned(loop, row);
  }

  #observed(loop: Loop, row: number, errno: number): void {
    this.#set(row, outcome.errno, errno);
    this.#set(row, outcome.settled, loop.now);
    if (errno !== 0) this.#set(row, outcome.verdict, op.NOTHING);
    else if (this.#column(row, operation.code) === op.OP_BUSY) this.#placed(row);
    else this.#set(row, outcome.verdict, op.DONE);
  }

  /** The call returns on its own CPU: the owner's way to there counts, not the way to here. */
  #returned(loop: Loop, row: number): void {
    const { areaOwner, nodeOf } = this.#wiring;
    const source = this.#outcome(row, outcome.source);
    const issued = this.#outcome(row, outcome.issued);
    let settled = loop.now;
    if (source >= BUDDY) {
      const owner = source >= 0 ? areaOwner[source] : nodeOf[this.#outcome(row, outcome.nid)];
      const cpu = nodeOf[this.#column(row, operation.cpuNode)];
      settled += between(this.#wiring, owner, cpu) - between(this.#wiring, owner, loop.actor);
    }
    this.#set(row, outcome.settled, Math.max(issued, settled));
  }
}
