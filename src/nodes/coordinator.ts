/**
 * The coordinator: what a machine has once. It lives on the node where the default area lies.
 *
 * Owns dma_contiguous_default_area and the queue for the global allocation mutex (cma_mutex of mm/cma.c).
 * The other two things that are global it owns as knowledge that every shard has a copy of: the zonelists
 * (walk.ts goes down them from node to node) and the search for the owner of freed pages (releaseOwner() of
 * mm/alloc/contiguous.ts), because neither changes after boot.
 */

import type { Behaviour, Loop } from '../sim/model.js';
import {
  ATTEMPT,
  BUSY,
  CONTIG_DONE,
  MUTEX_ACQUIRE,
  MUTEX_PASS,
  MUTEX_TOKEN,
  OBSERVE_AREAS,
  RELEASE,
  TARGETED,
  UNBUSY,
} from '../wire/messages.js';
import type { Areas } from './areas.js';
import type { Inspector } from './inspector.js';

export class Coordinator implements Behaviour {
  readonly #areas: Areas;
  readonly #inspector: Inspector;

  constructor(parts: { areas: Areas; inspector: Inspector }) {
    this.#areas = parts.areas;
    this.#inspector = parts.inspector;
  }

  receive(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void {
    switch (type) {
      case ATTEMPT:
        return this.#areas.attempt(loop, m, at);
      case CONTIG_DONE:
        return this.#areas.contigDone(loop, m, at);
      case RELEASE:
        return this.#areas.release(loop, m, at);
      case MUTEX_ACQUIRE:
      case MUTEX_PASS:
      case MUTEX_TOKEN:
        return this.#areas.mutexMessage(loop, actor, type, m, at);
      case TARGETED:
        return this.#areas.targets(loop, type, m, at);
      case BUSY:
      case UNBUSY:
        return this.#inspector.pin(loop, type, m, at);
      case OBSERVE_AREAS:
        return this.#inspector.areas(loop, actor, m, at);
      default:
        throw new Error(`coordinator: message type ${type} is known`);
    }
  }
}
