/**
 * Issues the requests of a recorded trace: each at its time, once what it waits for has settled.
 *
 * Models the tasks of the recorded machine: one task makes one call at a time, a free follows the
 * allocation it ends. A call reaches the node of its CPU at exactly its time, so that requests meet
 * in the order of the recording whatever the way from here; the way back is not counted either.
 */

import { GFP_KERNEL } from '../mm/gfp.js';
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
  MODE_COHERENT,
  MODE_CONTIGUOUS,
  MODE_PAGES,
  packOrigin,
  packPlan,
  REFUSED,
  refused,
  request,
} from '../wire/dma.js';
import { TIME_HAS_COME } from '../wire/messages.js';
import * as op from './operations.js';
import {
  TIMED_CMA,
  TIMED_CONTIGUOUS,
  TIMED_FREE,
  TIMED_OUTCOME_WIDTH,
  TIMED_PAGES,
  TIMED_WIDTH,
  type TimedReplay,
  timed,
  timedOutcome,
} from './timed.js';
import { between, type Wiring } from './wiring.js';

const modes: Readonly<Record<number, number>> = {
  [TIMED_CONTIGUOUS]: MODE_CONTIGUOUS,
  [TIMED_PAGES]: MODE_PAGES,
  [TIMED_CMA]: MODE_CMA,
};

export class TraceReplayer implements Behaviour {
  readonly #wiring: Wiring;
  readonly #rows: Float64Array;
  readonly #count: number;
  readonly outcomes: Float64Array;
  /** Row -> rows it still waits for; one more until its time has come. */
  readonly #waits: Uint8Array;
  /** Row -> rows that wait for it: `#waiting` from `#first[row]` to `#first[row + 1]`. */
  readonly #first: Uint32Array;
  readonly #waiting: Uint32Array;
  /** The longest way to a node, ns: a row is taken up so long before its time. */
  readonly #margin: number;
  #next = 0;

  constructor(wiring: Wiring, { operations, held }: TimedReplay, actor: number) {
    this.#wiring = wiring;
    this.#rows = operations;
    this.#count = operations.length / TIMED_WIDTH;
    this.outcomes = new Float64Array(this.#count * TIMED_OUTCOME_WIDTH);
    this.#waits = new Uint8Array(this.#count).fill(1);
    const { first, waiting } = this.#dependents();
    this.#first = first;
    this.#waiting = waiting;
    const nodes = [...wiring.nodeOf].filter((node) => node >= 0);
    this.#margin = Math.max(0, ...nodes.map((node) => between(wiring, actor, node)));
    for (const { area, pfn, pages, row } of held) {
      if (row >= 0) this.#place(row, { pfn, pages, source: area, nid: -1, zone: -1 });
    }
  }

  #dependents(): { first: Uint32Array; waiting: Uint32Array } {
    const first = new Uint32Array(this.#count + 1);
    const each = (visit: (row: number, on: number) => void): void => {
      for (let row = 0; row < this.#count; row++) {
        const on = [timed.after, timed.afterToo].map((field) => this.#column(row, field));
        if (this.#column(row, timed.code) === TIMED_FREE) on.push(this.#column(row, timed.target));
        for (const other of new Set(on)) if (other >= 0) visit(row, other);
      }
    };
    each((row, on) => {
      this.#waits[row] += 1;
      first[on + 1] += 1;
    });
    for (let row = 0; row < this.#count; row++) first[row + 1] += first[row];
    const waiting = new Uint32Array(first[this.#count]);
    const at = first.slice();
    each((row, on) => {
      waiting[at[on]] = row;
      at[on] += 1;
    });
    return { first, waiting };
  }

  /** Takes up the first rows. The loop's actor is the replayer. */
  run(loop: Loop): void {
    // Rows that hold pages from the start are settled and only have to be passed on.
    for (let row = 0; row < this.#count; row++) {
      if (this.#outcome(row, timedOutcome.verdict) === op.PLACED) this.#release(loop, row);
    }
    this.#takeUp(loop);
  }

  receive(loop: Loop, _actor: number, type: number, m: Float64Array, at: number): void {
    const row = m[at] % ID_SPAN;
    switch (type) {
      case TIME_HAS_COME:
        this.#takeUp(loop);
        return;
      case GRANTED:
        this.#granted(loop, row, m, at);
        break;
      case REFUSED:
        this.#set(row, timedOutcome.verdict, op.NOTHING);
        this.#set(row, timedOutcome.lockWait, m[at + refused.lockWait]);
        this.#set(row, timedOutcome.settled, loop.now);
        break;
      case FREED:
        this.#freed(loop, row, m, at);
        break;
      default:
        throw new Error(`trace replayer: message type ${type} is known`);
    }
    this.#release(loop, row);
  }

  #column(row: number, field: number): number {
    return this.#rows[row * TIMED_WIDTH + field];
  }

  #outcome(row: number, field: number): number {
    return this.outcomes[row * TIMED_OUTCOME_WIDTH + field];
  }

  #set(row: number, field: number, value: number): void {
    this.outcomes[row * TIMED_OUTCOME_WIDTH + field] = value;
  }

  /** Every row whose time has come loses one wait; then sleeps until the next one's. */
  #takeUp(loop: Loop): void {
    while (this.#next < this.#count) {
      const early = this.#column(this.#next, timed.time) - this.#margin;
      if (early > loop.now) {
        loop.post(loop.actor, early - loop.now, TIME_HAS_COME);
        return;
      }
      this.#unblock(loop, this.#next++);
    }
  }

  /** A row has settled: those that waited for it wait for one less. */
  #release(loop: Loop, row: number): void {
    for (let i = this.#first[row]; i < this.#first[row + 1]; i++) {
      this.#unblock(loop, this.#waiting[i]);
    }
  }

  #unblock(loop: Loop, row: number): void {
    this.#waits[row] -= 1;
    if (this.#waits[row] === 0 && this.#outcome(row, timedOutcome.verdict) === 0) {
      this.#issue(loop, row);
    }
  }

  #issue(loop: Loop, row: number): void {
    const isFree = this.#column(row, timed.code) === TIMED_FREE;
    const asked = isFree ? this.#column(row, timed.target) : row;
    const nothing = isFree
      ? this.#outcome(asked, timedOutcome.verdict) !== op.PLACED
      : this.#column(row, timed.code) === TIMED_CMA && this.#column(row, timed.area) < 0;
    if (nothing) {
      // A free of what was refused, or a request to an area that this kernel does not have.
      this.#set(row, timedOutcome.verdict, isFree ? op.SKIPPED : op.NOTHING);
      for (const field of [timedOutcome.issued, timedOutcome.settled]) {
        this.#set(row, field, Math.max(loop.now, this.#column(row, timed.time)));
      }
      this.#release(loop, row);
      return;
    }
    const at = this.#post(loop, row, asked, isFree ? FREE : ALLOC);
    loop.out[at + request.size] = this.#column(asked, timed.size);
    if (isFree) loop.out[at + request.extra] = this.#outcome(asked, timedOutcome.pfn);
  }

  /** Posts a call to the node of its CPU; returns the payload's offset. */
  #post(loop: Loop, row: number, asked: number, type: number): number {
    const wiring = this.#wiring;
    const cpuNode = this.#column(row, timed.cpuNode);
    const node = wiring.nodeOf[cpuNode];
    const way = between(wiring, loop.actor, node);
    const delay = Math.max(way, this.#column(row, timed.time) - loop.now);
    const code = this.#column(asked, timed.code);
    const at = loop.post(node, delay, type);
    const m = loop.out;
    m[at + request.id] = loop.actor * ID_SPAN + row;
    m[at + request.gfp] = code === TIMED_CMA ? GFP_KERNEL : this.#column(asked, timed.gfp);
    m[at + request.devNode] = this.#column(asked, timed.devNode);
    m[at + request.devArea] = this.#areaOf(asked, code);
    const mode = modes[code] ?? MODE_COHERENT;
    m[at + request.plan] = packPlan(0, 0, mode, this.#column(asked, timed.align));
    m[at + request.origin] = packOrigin(cpuNode, this.#column(asked, timed.mask));
    this.#set(row, timedOutcome.issued, loop.now + delay);
    return at;
  }

  /** A raw cma_release() goes to the area that gave the pages. */
  #areaOf(asked: number, code: number): number {
    return this.#column(asked, timed.area) >= 0 || code !== TIMED_CMA
      ? this.#column(asked, timed.area)
      : this.#outcome(asked, timedOutcome.source);
  }

  #granted(loop: Loop, row: number, m: Float64Array, at: number): void {
    const source = m[at + granted.source];
    const nid = m[at + granted.nid];
    const pfn = m[at + granted.pfn];
    const pages = m[at + granted.pages];
    this.#place(row, { pfn, pages, source, nid, zone: m[at + granted.zone] });
    this.#set(row, timedOutcome.lockWait, m[at + granted.lockWait]);
    this.#returned(loop, row, source, nid);
  }

  #place(
    row: number,
    page: { pfn: number; pages: number; source: number; nid: number; zone: number },
  ): void {
    this.#set(row, timedOutcome.verdict, op.PLACED);
    for (const [name, value] of Object.entries(page)) {
      this.#set(row, timedOutcome[name as keyof typeof page], value);
    }
  }

  #freed(loop: Loop, row: number, m: Float64Array, at: number): void {
    const source = m[at + freed.source];
    this.#set(row, timedOutcome.verdict, op.RETURNED);
    this.#set(row, timedOutcome.pfn, m[at + freed.pfn]);
    this.#set(row, timedOutcome.pages, m[at + freed.pages]);
    this.#set(row, timedOutcome.source, source);
    this.#set(row, timedOutcome.nid, m[at + freed.nid]);
    this.#set(row, timedOutcome.from, m[at + freed.leakedFrom]);
    this.#returned(loop, row, source, m[at + freed.nid]);
  }

  /** The call returns on its own CPU: the owner's way to there counts, not the way to here. */
  #returned(loop: Loop, row: number, source: number, nid: number): void {
    const wiring = this.#wiring;
    const owner = source >= 0 ? wiring.areaOwner[source] : wiring.nodeOf[nid];
    const cpu = wiring.nodeOf[this.#column(row, timed.cpuNode)];
    const here = source === BUDDY || source >= 0 ? between(wiring, owner, loop.actor) : 0;
    const there = source === BUDDY || source >= 0 ? between(wiring, owner, cpu) : 0;
    const issued = this.#outcome(row, timedOutcome.issued);
    this.#set(row, timedOutcome.settled, Math.max(issued, loop.now - here + there));
  }
}
