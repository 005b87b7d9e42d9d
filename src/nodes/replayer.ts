/**
 * Replays recorded operations through the actors of a run: k + 1 is issued when k has settled.
 *
 * Models the driver that made the recordings: one CPU at a time, each calling dma_alloc_contiguous(),
 * cma_alloc() and their counterparts. Time runs, and is not compared.
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
  packOrigin,
  packPlan,
  REFUSED,
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
  UNBUSY,
} from '../wire/messages.js';
import * as op from './operations.js';
import { operation, outcome } from './operations.js';
import { between, type Wiring } from './wiring.js';

/** What an id of the recording holds. */
interface Held {
  readonly pfn: number;
  readonly pages: number;
  /** Bytes asked, or pages for cma_alloc(). */
  readonly size: number;
  readonly area: number;
}

export class Replayer implements Behaviour {
  readonly #wiring: Wiring;
  readonly #operations: Float64Array;
  readonly outcomes: Float64Array;
  readonly #held = new Map<number, Held>();
  readonly #observers: readonly number[];
  readonly #zoneOwners: readonly number[];
  #next = 0;
  #cpuNode: number;
  /** Answers of OBSERVE_* still to come. */
  #awaited = 0;

  constructor(wiring: Wiring, operations: Float64Array, cpuNode: number) {
    this.#wiring = wiring;
    this.#operations = operations;
    this.outcomes = new Float64Array((operations.length / op.OPERATION_WIDTH) * op.OUTCOME_WIDTH);
    this.#cpuNode = cpuNode;
    this.#observers = [...new Set(wiring.areaOwner)].sort((a, b) => a - b);
    this.#zoneOwners = [...wiring.nodeOf].filter((actor) => actor >= 0);
  }

  /** Issues operations until one has to be waited for. The loop's actor is the replayer. */
  run(loop: Loop): void {
    const count = this.#operations.length / op.OPERATION_WIDTH;
    while (this.#next < count && this.#issue(loop, this.#next)) this.#next++;
  }

  receive(loop: Loop, _actor: number, type: number, m: Float64Array, at: number): void {
    const index = m[at] % ID_SPAN;
    switch (type) {
      case GRANTED:
        this.#placed(index, m, at);
        break;
      case REFUSED:
        this.#settle(index, op.NOTHING);
        break;
      case FREED:
        this.#freed(index, m, at);
        break;
      case OBSERVED:
        if (--this.#awaited > 0) return;
        this.#observed(index, m[at + observed.value]);
        break;
      default:
        throw new Error(`replayer: message type ${type} is known`);
    }
    this.outcomes[index * op.OUTCOME_WIDTH + outcome.time] = loop.now;
    this.#next = index + 1;
    this.run(loop);
  }

  #column(index: number, field: number): number {
    return this.#operations[index * op.OPERATION_WIDTH + field];
  }

  #settle(index: number, verdict: number): void {
    this.outcomes[index * op.OUTCOME_WIDTH + outcome.verdict] = verdict;
  }

  /** True when the operation settled at once. */
  #issue(loop: Loop, index: number): boolean {
    const code = this.#column(index, operation.code);
    switch (code) {
      case op.OP_ALLOC:
      case op.OP_COHERENT:
      case op.OP_CMA_ALLOC:
        return this.#alloc(loop, index, code);
      case op.OP_FREE:
      case op.OP_COHERENT_FREE:
      case op.OP_CMA_RELEASE:
        return this.#free(loop, index, code);
      case op.OP_BUSY:
      case op.OP_UNBUSY:
        return this.#pin(loop, index, code);
      case op.OP_STATE:
        return this.#observe(loop, index, OBSERVE_AREAS, this.#observers);
      case op.OP_ZONES:
        return this.#observe(loop, index, OBSERVE_ZONES, this.#zoneOwners);
      case op.OP_CPU:
        this.#cpuNode = this.#column(index, operation.devNode);
        this.#settle(index, op.DONE);
        return true;
      default:
        throw new Error(`replayer: operation code ${code} is known`);
    }
  }

  /** Posts a request to the node of the CPU that runs the driver; returns its payload's offset. */
  #post(loop: Loop, index: number, type: number, mode: number): number {
    const node = this.#wiring.nodeOf[this.#cpuNode];
    const at = loop.post(node, between(this.#wiring, loop.actor, node), type);
    const m = loop.out;
    m[at + request.id] = loop.actor * ID_SPAN + index;
    m[at + request.gfp] = this.#column(index, operation.gfp);
    m[at + request.devNode] = this.#column(index, operation.devNode);
    m[at + request.devArea] = this.#column(index, operation.area);
    const policy = this.#column(index, operation.policy);
    m[at + request.plan] = packPlan(policy, 0, mode, this.#column(index, operation.align));
    m[at + request.origin] = packOrigin(this.#cpuNode, this.#column(index, operation.mask));
    return at;
  }

  #alloc(loop: Loop, index: number, code: number): boolean {
    const at = this.#post(loop, index, ALLOC, modeOf(code));
    loop.out[at + request.size] = this.#column(index, operation.size);
    if (code === op.OP_CMA_ALLOC) loop.out[at + request.gfp] = GFP_KERNEL;
    return false;
  }

  #free(loop: Loop, index: number, code: number): boolean {
    const id = this.#column(index, operation.id);
    const held = this.#held.get(id);
    if (!held) {
      this.#settle(index, op.SKIPPED);
      return true;
    }
    const size = this.#column(index, operation.size);
    const offset = this.#column(index, operation.offset);
    if (!mayFree(held, offset, size, this.#wiring.directory.pageSize)) {
      this.#settle(index, op.SKIPPED);
      return true;
    }
    if (size === 0) this.#held.delete(id);
    const at = this.#post(loop, index, FREE, modeOf(code));
    loop.out[at + request.size] = size === 0 ? held.size : size;
    loop.out[at + request.extra] = held.pfn + offset;
    return false;
  }

  #placed(index: number, m: Float64Array, at: number): void {
    const id = this.#column(index, operation.id);
    const pfn = m[at + granted.pfn];
    const pages = m[at + granted.pages];
    this.#held.set(id, {
      pfn,
      pages,
      size: this.#column(index, operation.size),
      area: m[at + granted.source],
    });
    const o = index * op.OUTCOME_WIDTH;
    this.outcomes[o + outcome.verdict] = op.PLACED;
    this.outcomes[o + outcome.pfn] = pfn;
    this.outcomes[o + outcome.pages] = pages;
    this.outcomes[o + outcome.source] = m[at + granted.source];
    this.outcomes[o + outcome.nid] = m[at + granted.nid];
    this.outcomes[o + outcome.zone] = m[at + granted.zone];
  }

  #freed(index: number, m: Float64Array, at: number): void {
    const o = index * op.OUTCOME_WIDTH;
    this.outcomes[o + outcome.verdict] = op.RETURNED;
    this.outcomes[o + outcome.pfn] = m[at + freed.pfn];
    this.outcomes[o + outcome.pages] = m[at + freed.pages];
    this.outcomes[o + outcome.source] = m[at + freed.source];
    this.outcomes[o + outcome.from] = m[at + freed.leakedFrom];
  }

  #pin(loop: Loop, index: number, code: number): boolean {
    const id = this.#column(index, operation.id);
    const held = this.#held.get(id);
    if (code === op.OP_UNBUSY && !held) {
      this.#settle(index, op.SKIPPED);
      return true;
    }
    const area = held?.area ?? this.#column(index, operation.area);
    const pfn =
      held?.pfn ?? this.#wiring.directory.basePfn[area] + this.#column(index, operation.offset);
    const pages = held?.pages ?? this.#column(index, operation.size);
    if (held) this.#held.delete(id);
    const owner = this.#wiring.areaOwner[area];
    const type = code === op.OP_BUSY ? BUSY : UNBUSY;
    const at = loop.post(owner, between(this.#wiring, loop.actor, owner), type);
    loop.out[at + busy.id] = loop.actor * ID_SPAN + index;
    loop.out[at + busy.area] = area;
    loop.out[at + busy.pfn] = pfn;
    loop.out[at + busy.pages] = pages;
    loop.out[at + busy.from] = loop.actor;
    this.#awaited = 1;
    return false;
  }

  #observe(loop: Loop, index: number, type: number, owners: readonly number[]): boolean {
    this.#awaited = owners.length;
    for (const owner of owners) {
      const at = loop.post(owner, between(this.#wiring, loop.actor, owner), type);
      loop.out[at + observe.id] = loop.actor * ID_SPAN + index;
      loop.out[at + observe.from] = loop.actor;
    }
    if (owners.length > 0) return false;
    this.#settle(index, op.DONE);
    return true;
  }

  #observed(index: number, errno: number): void {
    this.#settle(index, errno === 0 ? op.DONE : op.FAILED);
    if (this.#column(index, operation.code) !== op.OP_BUSY || errno !== 0) return;
    const area = this.#column(index, operation.area);
    this.#held.set(this.#column(index, operation.id), {
      pfn: this.#wiring.directory.basePfn[area] + this.#column(index, operation.offset),
      pages: this.#column(index, operation.size),
      size: this.#column(index, operation.size),
      area,
    });
  }
}

/**
 * Whether a free begins among the pages held and, in the buddy, ends there: a range of an area may run past
 * its end, as recorded kernels let it, but no kernel lives through the rest.
 */
function mayFree(held: Held, offset: number, size: number, pageSize: number): boolean {
  if (offset >= held.pages) return false;
  return held.area !== BUDDY || offset + Math.ceil(size / pageSize) <= held.pages;
}

function modeOf(code: number): number {
  if (code === op.OP_CMA_ALLOC || code === op.OP_CMA_RELEASE) return MODE_CMA;
  if (code === op.OP_COHERENT || code === op.OP_COHERENT_FREE) return MODE_COHERENT;
  return MODE_CONTIGUOUS;
}
