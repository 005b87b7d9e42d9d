/**
 * The actor that does again what a kernel was recorded doing: each operation at its time, once what
 * it waits for has settled.
 *
 * Models the tasks of the recorded machine, or the one driver that made an operation file: a task
 * makes one call at a time, a free follows the allocation it ends. A call reaches the node of its
 * CPU at exactly its time, so that requests meet in the order of the recording whatever the way
 * from here; the way back is not counted either.
 */

import type { Behaviour, Loop } from '../sim/model.js';
import {
  ALLOC,
  BUDDY,
  FREE,
  FREED,
  freed,
  GRANTED,
  granted,
  ID_SPAN,
  MODE_CMA,
  packOrigin,
  packPlan,
  REFUSED,
  refused,
  request,
} from '../wire/dma.js';
import {
  BUSY,
  busy,
  OBSERVE_AREAS,
  OBSERVE_ZONES,
  OBSERVED,
  observe,
  observed,
  TIME_HAS_COME,
  UNBUSY,
} from '../wire/messages.js';
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

  receive(loop: Loop, _actor: number, type: number, m: Float64Array, at: number): void {
    if (type === TIME_HAS_COME) return this.#takeUp(loop);
    const row = m[at] % ID_SPAN;
    this.#waits[row] -= 1;
    if (this.#waits[row] > 0) return;
    switch (type) {
      case GRANTED:
        this.#granted(loop, row, m, at);
        break;
      case REFUSED:
        this.#set(row, outcome.errno, m[at + refused.errno]);
        this.#set(row, outcome.verdict, op.NOTHING);
        this.#set(row, outcome.settled, loop.now);
        break;
      case FREED:
        this.#freed(loop, row, m, at);
        break;
      case OBSERVED:
        this.#observed(loop, row, m[at + observed.value]);
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
        loop.post(loop.actor, early - loop.now, TIME_HAS_COME);
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
        return this.#free(loop, row);
      case op.OP_BUSY:
        return this.#pin(loop, row);
      case op.OP_UNBUSY:
        return this.#unpin(loop, row);
      case op.OP_STATE:
        return this.#observe(loop, row, OBSERVE_AREAS, this.#areaOwners);
      case op.OP_ZONES:
        return this.#observe(loop, row, OBSERVE_ZONES, this.#nodes);
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
    const isRaw = this.#column(row, operation.mode) === MODE_CMA;
    // A raw request to an area that this kernel does not have.
    if (isRaw && this.#column(row, operation.area) < 0) return this.#atOnce(loop, row, op.NOTHING);
    this.#request(loop, row, ALLOC, this.#column(row, operation.bytes));
    return 1;
  }

  #free(loop: Loop, row: number): number {
    const target = this.#column(row, operation.target);
    if (!this.#mayFree(row, target)) return this.#atOnce(loop, row, op.SKIPPED);
    const part = this.#column(row, operation.bytes);
    if (part === 0) this.#holds[target] = 0;
    const bytes = part === 0 ? this.#column(target, operation.bytes) : part;
    const at = this.#request(loop, row, FREE, bytes);
    const offset = this.#column(row, operation.offset);
    loop.out[at + request.extra] = this.#outcome(target, outcome.pfn) + offset;
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

  /** Posts a call to the node of its CPU; returns the payload's offset. */
  #request(loop: Loop, row: number, type: number, bytes: number): number {
    const cpuNode = this.#column(row, operation.cpuNode);
    const mode = this.#column(row, operation.mode);
    const { nodeOf, directory } = this.#wiring;
    const at = this.#post(loop, row, type, nodeOf[cpuNode]);
    const m = loop.out;
    m[at + request.size] = mode === MODE_CMA ? bytes / directory.pageSize : bytes;
    m[at + request.gfp] = this.#column(row, operation.gfp);
    m[at + request.devNode] = this.#column(row, operation.devNode);
    m[at + request.devArea] = this.#column(row, operation.area);
    const policy = this.#column(row, operation.policy);
    m[at + request.plan] = packPlan(policy, 0, mode, this.#column(row, operation.align));
    m[at + request.origin] = packOrigin(cpuNode, this.#column(row, operation.mask));
    return at;
  }

  /** Posts a message that names the row and arrives at its time; returns the payload's offset. */
  #post(loop: Loop, row: number, type: number, to: number): number {
    const way = between(this.#wiring, loop.actor, to);
    const delay = Math.max(way, this.#column(row, operation.time) - loop.now);
    this.#set(row, outcome.issued, loop.now + delay);
    const at = loop.post(to, delay, type);
    loop.out[at + request.id] = loop.actor * ID_SPAN + row;
    return at;
  }

  #pin(loop: Loop, row: number): number {
    const { basePfn, pageSize } = this.#wiring.directory;
    const area = this.#column(row, operation.area);
    this.#set(row, outcome.source, area);
    this.#set(row, outcome.pfn, basePfn[area] + this.#column(row, operation.offset));
    this.#set(row, outcome.pages, this.#column(row, operation.bytes) / pageSize);
    return this.#pages(loop, row, BUSY, row);
  }

  #unpin(loop: Loop, row: number): number {
    const target = this.#column(row, operation.target);
    if (target < 0 || this.#holds[target] === 0) return this.#atOnce(loop, row, op.SKIPPED);
    this.#holds[target] = 0;
    return this.#pages(loop, row, UNBUSY, target);
  }

  /** Asks the owner of an area for pages that `held` has or is to have. */
  #pages(loop: Loop, row: number, type: number, held: number): number {
    const area = this.#outcome(held, outcome.source);
    const at = this.#post(loop, row, type, this.#wiring.areaOwner[area]);
    loop.out[at + busy.area] = area;
    loop.out[at + busy.pfn] = this.#outcome(held, outcome.pfn);
    loop.out[at + busy.pages] = this.#outcome(held, outcome.pages);
    loop.out[at + busy.from] = loop.actor;
    return 1;
  }

  #observe(loop: Loop, row: number, type: number, owners: readonly number[]): number {
    for (const owner of owners) {
      const at = this.#post(loop, row, type, owner);
      loop.out[at + observe.from] = loop.actor;
    }
    return owners.length === 0 ? this.#atOnce(loop, row, op.DONE) : owners.length;
  }

  #granted(loop: Loop, row: number, m: Float64Array, at: number): void {
    this.#set(row, outcome.source, m[at + granted.source]);
    this.#set(row, outcome.nid, m[at + granted.nid]);
    this.#set(row, outcome.zone, m[at + granted.zone]);
    this.#set(row, outcome.pfn, m[at + granted.pfn]);
    this.#set(row, outcome.pages, m[at + granted.pages]);
    this.#placed(row);
    this.#returned(loop, row);
  }

  #freed(loop: Loop, row: number, m: Float64Array, at: number): void {
    this.#set(row, outcome.source, m[at + freed.source]);
    this.#set(row, outcome.nid, m[at + freed.nid]);
    this.#set(row, outcome.pfn, m[at + freed.pfn]);
    this.#set(row, outcome.pages, m[at + freed.pages]);
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
