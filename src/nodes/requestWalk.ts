/**
 * One request watched closely: the steps that were skipped, the bitmaps it found, the zones it
 * asked.
 */

import type { RunObserver, Searched, Skipped, ZoneTried } from './recorder.js';

export interface Walk {
  readonly skipped: readonly Skipped[];
  readonly searched: readonly Searched[];
  readonly zonesTried: readonly ZoneTried[];
}

export class RequestWalk implements RunObserver {
  readonly #from: number;
  readonly #end: number;
  readonly #skipped: Skipped[] = [];
  readonly #searched: Searched[] = [];
  readonly #zonesTried: ZoneTried[] = [];

  /** Ids [from, end): a call's number is not yet its id, the handle is in it too. */
  constructor(from: number, end: number) {
    this.#from = from;
    this.#end = end;
  }

  wants(id: number): boolean {
    return id >= this.#from && id < this.#end;
  }

  skipped(event: Skipped): void {
    this.#skipped.push(event);
  }

  searched(event: Searched): void {
    this.#searched.push(event);
  }

  zoneTried(event: ZoneTried): void {
    this.#zonesTried.push(event);
  }

  take(): Walk {
    return {
      skipped: this.#skipped,
      searched: this.#searched,
      zonesTried: this.#zonesTried,
    };
  }
}
