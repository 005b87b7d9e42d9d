/**
 * Memory controllers: one server per node, first come first served, as fast as its bandwidth.
 *
 * An access from another node has spent its way here already; one from the node itself pays for the die here.
 * Left out: banks, refresh, the difference between reads and writes.
 */

import { ACCESSED, access, accessed } from '../devices/dma.js';
import type { Loop } from '../sim/model.js';
import { between, type Wiring } from './wiring.js';

export class Controllers {
  readonly #wiring: Wiring;
  /** Per position, ns per byte. */
  readonly #nsPerByte: Float64Array;
  /** Per position: when the controller has done all it was given, ns (with fractions). */
  readonly #free: Float64Array;
  /** Half a round trip on the die, whole ns. */
  readonly #halfDie: number;

  constructor(wiring: Wiring, machine: { bandwidth: readonly number[]; onDie: number }) {
    this.#wiring = wiring;
    this.#nsPerByte = Float64Array.from(machine.bandwidth, (bytesPerNs) => 1 / bytesPerNs);
    this.#free = new Float64Array(machine.bandwidth.length);
    this.#halfDie = Math.max(1, Math.round(machine.onDie / 2));
  }

  access(loop: Loop, actor: number, m: Float64Array, at: number): void {
    const place = this.#wiring.place[actor]!;
    const begin = Math.max(loop.now, this.#free[place]!);
    this.#free[place] = begin + m[at + access.bytes]! * this.#nsPerByte[place]!;
    const queued = Math.round(begin - loop.now);
    const back = m[at + access.back]!;
    const to = m[at + access.replyTo]!;
    const way = between(this.#wiring, actor, to);
    // `back` half trips home; inside the node the half trip here is still to be paid.
    const trips = way === 0 ? (1 + back) * this.#halfDie : back * way;
    const tag = m[at + access.tag]!;
    const out = loop.post(to, queued + trips, ACCESSED);
    loop.out[out + accessed.tag] = tag;
    loop.out[out + accessed.queued] = queued;
  }
}
