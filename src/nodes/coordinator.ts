/**
 * The coordinator: what a machine has once. It lives on the node where the default area lies.
 *
 * Owns dma_contiguous_default_area and the queue for the global allocation mutex (cma_mutex of
 * mm/cma.c). The other two things that are global it owns as knowledge that every shard has a copy
 * of: the zonelists (walk.ts goes down them from node to node) and the search for the owner of
 * freed pages (releaseOwner() of mm/alloc/contiguous.ts), because neither changes after boot.
 */

import type { Behaviour, Loop } from '../sim/model.js';
import {
  ATTEMPT,
  BUSY,
  CONTIG_DONE,
  ContigDone,
  Inspect,
  MUTEX_ACQUIRE,
  MUTEX_PASS,
  MUTEX_TOKEN,
  MutexMessage,
  OBSERVE_AREAS,
  Pinning,
  RELEASE,
  TARGETED,
  Targets,
  UNBUSY,
} from '../wire/messages.js';
import { PageRelease, Request } from '../wire/request.js';
import type { Areas } from './areas.js';
import type { Inspector } from './inspector.js';

export class Coordinator implements Behaviour {
  readonly #areas: Areas;
  readonly #inspector: Inspector;
  readonly #request = new Request();
  readonly #contigDone = new ContigDone();
  readonly #release = new PageRelease();
  readonly #mutex = new MutexMessage();
  readonly #targets = new Targets();
  readonly #pinning = new Pinning();
  readonly #observe = new Inspect();

  constructor(parts: { areas: Areas; inspector: Inspector }) {
    this.#areas = parts.areas;
    this.#inspector = parts.inspector;
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    switch (type) {
      case ATTEMPT:
        return this.#areas.attempt(loop, this.#request.on(m, at));
      case CONTIG_DONE:
        return this.#areas.contigDone(loop, this.#contigDone.on(m, at));
      case RELEASE:
        return this.#areas.release(loop, this.#release.on(m, at));
      case MUTEX_ACQUIRE:
      case MUTEX_PASS:
      case MUTEX_TOKEN:
        return this.#areas.mutexMessage(loop, type, this.#mutex.on(m, at).actor);
      case TARGETED:
        return this.#areas.targets(loop, type, this.#targets.on(m, at));
      case BUSY:
      case UNBUSY:
        return this.#inspector.pin(loop, type, this.#pinning.on(m, at));
      case OBSERVE_AREAS:
        return this.#inspector.areas(loop, this.#observe.on(m, at));
      default:
        throw new Error(`coordinator: message of type ${type}, expected one of a coordinator's`);
    }
  }
}
