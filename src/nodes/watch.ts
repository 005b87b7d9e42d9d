/**
 * What the actors saw of requests that somebody asked about: `why` repeats a run and watches.
 *
 * A list of all requests is two rows of numbers each; one watched request also leaves the bitmap it found,
 * and every node whose zones were tried.
 */

import type { CmaArea } from '../mm/alloc/cma.js';
import { cmaBitmapPagesToBits, cmaRanges } from '../mm/alloc/cma.js';
import { originMask, originNode, planMode, request } from '../wire/dma.js';

/** A call of the DMA API, as the driver made it. */
export interface Asked {
  readonly id: number;
  readonly time: number;
  /** Bytes. */
  readonly size: number;
  readonly gfp: number;
  readonly devNode: number;
  readonly devArea: number;
  readonly mode: number;
  readonly maskBits: number;
  readonly cpuNode: number;
}

/** How it ended, at the time the driver heard of it. `source`: area, BUDDY, or REFUSED_SOURCE. */
export interface Answered {
  readonly id: number;
  readonly time: number;
  readonly source: number;
  readonly pfn: number;
  readonly pages: number;
  readonly nid: number;
  /** Ns of clearing, part of the time. */
  readonly zero: number;
}

export const REFUSED_SOURCE = -3;

/** One search of a bitmap, before the window's bits were set. */
export interface Sight {
  readonly id: number;
  readonly time: number;
  readonly area: number;
  /** Bits searched from here on. */
  readonly start: number;
  /** First bit of the window, -1 if there was none. */
  readonly bit: number;
  readonly bits: number;
  readonly align: number;
  /** Set bits as [start, length], in bits. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** The zones of one node, asked by a watched request. */
export interface BuddyTry {
  readonly id: number;
  readonly time: number;
  readonly nid: number;
  readonly order: number;
  /** 0: at the low watermark; 1: down to the minimum. */
  readonly round: number;
  /** Index of the zone that had room, or -1. */
  readonly zone: number;
}

export interface WatchData {
  readonly asked: readonly Asked[];
  readonly answered: readonly Answered[];
  readonly sights: readonly Sight[];
  readonly buddyTries: readonly BuddyTry[];
}

/** What is watched: nothing, how all requests begin and end, and one of them closely. */
export interface WatchOptions {
  readonly all: boolean;
  readonly id: number | null;
}

export class Watch {
  readonly #all: boolean;
  readonly #id: number;
  readonly #asked: Asked[] = [];
  readonly #answered: Answered[] = [];
  readonly #sights: Sight[] = [];
  readonly #buddyTries: BuddyTry[] = [];

  constructor({ all, id }: WatchOptions) {
    this.#all = all;
    this.#id = id ?? -1;
  }

  /** True for the one request that is watched closely. */
  isOn(id: number): boolean {
    return id === this.#id;
  }

  asked(time: number, m: Float64Array, at: number): void {
    const id = m[at + request.id];
    if (!this.#all && id !== this.#id) return;
    const origin = m[at + request.origin];
    this.#asked.push({
      id,
      time,
      size: m[at + request.size],
      gfp: m[at + request.gfp],
      devNode: m[at + request.devNode],
      devArea: m[at + request.devArea],
      mode: planMode(m[at + request.plan]),
      maskBits: originMask(origin),
      cpuNode: originNode(origin),
    });
  }

  answered(
    id: number,
    time: number,
    page: { source: number; pfn: number; pages: number; nid: number; zero: number },
  ): void {
    if (!this.#all && id !== this.#id) return;
    const { source, pfn, pages, nid, zero } = page;
    this.#answered.push({ id, time, source, pfn, pages, nid, zero });
  }

  searched(
    id: number,
    time: number,
    area: CmaArea,
    found: { start: number; bit: number; count: number; align: number },
  ): void {
    if (id !== this.#id) return;
    const { start, bit, count, align } = found;
    const bits = cmaBitmapPagesToBits(area, count);
    const ranges = cmaRanges(area);
    this.#sights.push({ id, time, area: area.index, start, bit, bits, align, ranges });
  }

  buddy(attempt: BuddyTry): void {
    if (attempt.id === this.#id) this.#buddyTries.push(attempt);
  }

  take(): WatchData {
    return {
      asked: this.#asked,
      answered: this.#answered,
      sights: this.#sights,
      buddyTries: this.#buddyTries,
    };
  }
}

export const nothingWatched: WatchOptions = { all: false, id: null };
