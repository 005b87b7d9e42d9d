/**
 * A look at areas and zones for somebody outside the model, and pages pinned for them.
 */

import * as cma from '../mm/alloc/cma.js';
import type { Loop } from '../sim/model.js';
import { BUSY, busy, OBSERVED, observe, observed } from '../wire/messages.js';
import type { Areas } from './areas.js';
import { between, type Wiring } from './wiring.js';
import type { Zones } from './zones.js';

export class Inspector {
  readonly #wiring: Wiring;
  readonly #areas: Areas;
  readonly #zones: Zones;

  constructor(wiring: Wiring, areas: Areas, zones: Zones) {
    this.#wiring = wiring;
    this.#areas = areas;
    this.#zones = zones;
  }

  /** Takes pages of an area out of the buddy without its bitmap knowing, or puts them back. */
  pin(loop: Loop, type: number, m: Float64Array, at: number): void {
    const area = this.#areas.area(m[at + busy.area]);
    const pfn = m[at + busy.pfn];
    const pages = m[at + busy.pages];
    let errno = 0;
    if (type === BUSY) {
      errno = cma.cmaPin(area, pfn, pages);
      if (errno === 0) this.#zones.takeCma(area.nid, area.zone, pages);
    } else {
      this.#zones.returnCma(area.nid, area.zone, cma.cmaFreeToBuddy(area, pfn, pages));
    }
    this.#answer(loop, m[at + busy.id], m[at + busy.from], errno);
  }

  /** Writes down the bitmap of every area the actor owns. */
  areas(loop: Loop, actor: number, m: Float64Array, at: number): void {
    const id = m[at + observe.id];
    for (const area of this.#areas.owned) {
      if (!area || this.#wiring.areaOwner[area.index] !== actor) continue;
      const state = cma.cmaState(area);
      const ranges = cma.cmaRanges(area);
      this.#wiring.recorder.tell('sawArea', { id, area: area.index, ...state, ranges });
    }
    this.#answer(loop, id, m[at + observe.from], 0);
  }

  /** Writes down the node's zones. */
  zones(loop: Loop, actor: number, m: Float64Array, at: number): void {
    const id = m[at + observe.id];
    const nid = this.#wiring.nidOf[actor];
    for (const zone of this.#zones.states(nid)) {
      this.#wiring.recorder.tell('sawZone', { id, ...zone });
    }
    this.#answer(loop, id, m[at + observe.from], 0);
  }

  #answer(loop: Loop, id: number, to: number, errno: number): void {
    const out = loop.post(to, between(this.#wiring, loop.actor, to), OBSERVED);
    loop.out[out + observed.id] = id;
    loop.out[out + observed.value] = errno;
  }
}
