/**
 * Inspector of areas and zones for somebody outside the model: writes down their state, and pins
 * pages.
 */

import * as cma from '../mm/alloc/cma.js';
import type { Loop } from '../sim/model.js';
import { BUSY, type Inspect, Inspected, OBSERVED, type Pinning } from '../wire/messages.js';
import type { Areas } from './areas.js';
import { between, type Wiring } from './wiring.js';
import type { Zones } from './zones.js';

export class Inspector {
  readonly #wiring: Wiring;
  readonly #areas: Areas;
  readonly #zones: Zones;
  readonly #observed = new Inspected();

  constructor(wiring: Wiring, areas: Areas, zones: Zones) {
    this.#wiring = wiring;
    this.#areas = areas;
    this.#zones = zones;
  }

  /** Takes pages of an area out of the buddy without its bitmap knowing, or puts them back. */
  pin(loop: Loop, type: number, { id, area: index, pfn, pages, from }: Pinning): void {
    const area = this.#areas.area(index);
    let errno = 0;
    if (type === BUSY) {
      errno = cma.cmaPin(area, pfn, pages);
      if (errno === 0) this.#zones.takeCma(area.nid, area.zone, pages);
    } else {
      this.#zones.returnCma(area.nid, area.zone, cma.cmaFreeToBuddy(area, pfn, pages));
    }
    this.#answer(loop, { id, from }, errno);
  }

  /** Writes down the bitmap of every area the actor owns. */
  areas(loop: Loop, { id, from }: Inspect): void {
    for (const area of this.#areas.owned) {
      if (!area || this.#wiring.areaOwner[area.index] !== loop.actor) continue;
      const state = cma.cmaState(area);
      const ranges = cma.cmaRanges(area);
      this.#wiring.recorder.tell('sawArea', { id, area: area.index, ...state, ranges });
    }
    this.#answer(loop, { id, from }, 0);
  }

  /** Writes down the node's zones. */
  zones(loop: Loop, { id, from }: Inspect): void {
    const nid = this.#wiring.nidOf[loop.actor];
    for (const zone of this.#zones.states(nid)) {
      this.#wiring.recorder.tell('sawZone', { id, ...zone });
    }
    this.#answer(loop, { id, from }, 0);
  }

  #answer(loop: Loop, { id, from }: { id: number; from: number }, errno: number): void {
    const way = between(this.#wiring, loop.actor, from);
    const observed = this.#observed.post(loop, from, way, OBSERVED);
    observed.id = id;
    observed.errno = errno;
  }
}
