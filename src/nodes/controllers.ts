/**
 * Memory controllers and the links into their nodes: servers, first come first served, as fast as
 * their bandwidth.
 *
 * An access from another node has spent its way here already and passes the node's links, then the
 * controller; one from the node itself pays for the die here. What keeps memory busy for long
 * (copies of a migration, zeroing) is a flow that takes its share of the bandwidth while it lasts.
 * Banks and schedulers make latency grow well before a server of that bandwidth would queue: L0 (1
 * + a u / (1 - u)) of the load u of the last stretch of time. Left out: refresh, the difference
 * between reads and writes, links one by one (all ways into a node are one server).
 */

import { Ns } from '../mm/units.js';
import type { Loop } from '../sim/model.js';
import { ACCESSED, type Access, Accessed } from '../wire/messages.js';
import type { Request } from '../wire/request.js';
import { between, type Wiring } from './wiring.js';

/**
 * Load beyond which latency grows no further, and least share of the bandwidth that flows leave.
 */
const LOAD_MAX = 0.95;

/** What of a machine a controller needs; all by position of the node. */
export interface MemorySystem {
  /** Bytes per ns. */
  readonly bandwidth: readonly number[];
  /** Bytes per ns of all links into a node together. */
  readonly linkBandwidth: readonly number[];
  /** Idle latency, ns. */
  readonly latency: readonly (readonly number[])[];
  readonly onDie: number;
}

/** One kind of server, one per node. */
class Servers {
  readonly #nsPerByte: Float64Array;
  readonly #bytesPerNs: readonly number[];
  /** When the server has done all it was given, ns (with fractions). */
  readonly #free: Float64Array;
  /** Stretch of time the load is counted in, by number; ns of work in it, and in the one before. */
  readonly #stretch: Float64Array;
  readonly #work: Float64Array;
  readonly #before: Float64Array;
  /** Node -> flows as [end, bytes per ns, …], in no order; and their sum. */
  readonly #flows: number[][];
  readonly #flowing: Float64Array;
  readonly #window: number;
  readonly #slope: number;

  constructor(bytesPerNs: readonly number[], costs: { loadWindow: number; loadSlope: number }) {
    const count = bytesPerNs.length;
    this.#bytesPerNs = bytesPerNs;
    this.#nsPerByte = Float64Array.from(bytesPerNs, (rate) => 1 / rate);
    this.#free = new Float64Array(count);
    this.#stretch = new Float64Array(count).fill(-1);
    this.#work = new Float64Array(count);
    this.#before = new Float64Array(count);
    this.#flows = [];
    this.#flowing = new Float64Array(count);
    this.#window = costs.loadWindow;
    this.#slope = costs.loadSlope;
  }

  /** `bytes` arrive: ns they wait, those of the growing latency `idle` among them. */
  serve(node: number, now: number, bytes: number, idle: number): number {
    if (this.#flowing[node] > 0) this.#endFlows(node, now);
    const wait = Math.max(0, this.#free[node] - now);
    const ns = bytes * this.#nsPerByte[node];
    const share = 1 - this.#flowing[node] * this.#nsPerByte[node];
    this.#free[node] = now + wait + ns / Math.max(1 - LOAD_MAX, share);
    const grown = idle * (this.#factor(node, now) - 1);
    this.#work[node] += ns;
    return wait + grown;
  }

  /** How much longer than idle an access takes, from 1. */
  stretch(node: number, now: number): number {
    if (this.#flowing[node] > 0) this.#endFlows(node, now);
    return this.#factor(node, now);
  }

  flow(node: number, now: number, bytes: number, ns: number): void {
    if (bytes <= 0 || ns <= 0) return;
    this.#endFlows(node, now);
    this.#flows[node] ??= [];
    this.#flows[node].push(now + ns, Math.min(bytes / ns, this.#bytesPerNs[node]));
    this.#sum(node);
  }

  #factor(node: number, now: number): number {
    if (this.#slope === 0) return 1;
    const stretch = Math.floor(now / this.#window);
    const passed = stretch - this.#stretch[node];
    if (passed > 0) {
      this.#before[node] = passed === 1 ? this.#work[node] : 0;
      this.#work[node] = 0;
      this.#stretch[node] = stretch;
    }
    const flowing = this.#flowing[node] * this.#nsPerByte[node];
    const load = Math.min(LOAD_MAX, this.#before[node] / this.#window + flowing);
    return 1 + (this.#slope * load) / (1 - load);
  }

  #endFlows(node: number, now: number): void {
    const flows = this.#flows[node];
    if (!flows) return;
    let kept = 0;
    for (let i = 0; i < flows.length; i += 2) {
      if (flows[i] <= now) continue;
      flows[kept] = flows[i];
      flows[kept + 1] = flows[i + 1];
      kept += 2;
    }
    if (kept === flows.length) return;
    flows.length = kept;
    this.#sum(node);
  }

  /** Summed anew, so that what has ended leaves no rounding behind. */
  #sum(node: number): void {
    const flows = this.#flows[node];
    let sum = 0;
    for (let i = 1; i < flows.length; i += 2) sum += flows[i];
    this.#flowing[node] = sum;
  }
}

export class Controllers {
  readonly #wiring: Wiring;
  readonly #controllers: Servers;
  readonly #links: Servers;
  /** Per position: idle latency on the node itself, ns. */
  readonly #local: Float64Array;
  /** Half a round trip on the die, whole ns. */
  readonly #halfDie: number;
  readonly #accessed = new Accessed();

  constructor(wiring: Wiring, machine: MemorySystem) {
    this.#wiring = wiring;
    this.#controllers = new Servers(machine.bandwidth, wiring.costs);
    this.#links = new Servers(machine.linkBandwidth, wiring.costs);
    this.#local = Float64Array.from(machine.latency, (row, node) => row[node]);
    this.#halfDie = Math.max(1, Math.round(machine.onDie / 2));
  }

  /** ACCESS at the actor of the node that holds the memory. */
  access(loop: Loop, { tag, bytes, back, from, replyTo }: Access): void {
    const { place: places, nidOf } = this.#wiring;
    const place = places[loop.actor];
    const way = between(this.#wiring, loop.actor, replyTo);
    let wait = this.#controllers.serve(place, loop.now, bytes, this.#local[place]);
    if (way > 0) wait += this.#links.serve(place, loop.now, bytes, 2 * way);
    const queued = Math.round(wait);
    // `back` half trips home; inside the node the half trip here is still to be paid.
    const here = from === nidOf[loop.actor] ? this.#halfDie : 0;
    const trips = here + back * (way === 0 ? this.#halfDie : way);
    const accessed = this.#accessed.post(loop, replyTo, queued + trips, ACCESSED);
    accessed.tag = tag;
    accessed.queued = Ns(queued);
  }

  /** How much longer than idle memory of a node takes now, from 1. */
  stretch(place: number, now: number): number {
    return this.#controllers.stretch(place, now);
  }

  /** `bytes` move to or from a node's memory during the next `ns`. */
  flow(place: number, now: number, bytes: number, ns: number): void {
    this.#controllers.flow(place, now, bytes, ns);
  }

  /** memset() of what dma_alloc_coherent() returns, by a CPU of the request's node: ns. */
  zero(loop: Loop, { cpuNode }: Request, nid: number, pages: number): number {
    const { costs, nodeOf, place } = this.#wiring;
    const node = place[nodeOf[nid]];
    const cpu = place[nodeOf[cpuNode]];
    const ns = costs.zero(pages, node === cpu, this.stretch(node, loop.now));
    const bytes = pages * costs.pageSize;
    this.#controllers.flow(node, loop.now, bytes, ns);
    if (node !== cpu) this.#links.flow(node, loop.now, bytes, ns);
    return ns;
  }
}
