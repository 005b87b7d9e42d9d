/**
 * Events of a request's life as the actors tell them, and whoever listens.
 *
 * What a run keeps is decided by the observers that are on (observers.ts): with nobody to hear of
 * an event it costs one test, and nothing is made for it.
 */

import type { CmaArea } from '../mm/alloc/cma.js';
import { cmaBitmapPagesToBits, cmaRanges } from '../mm/alloc/cma.js';
import type { Mode, Request } from '../wire/request.js';
import { type Flight, PARTS } from './inflight.js';

/** Call of the DMA API, as the driver made it. */
export interface Asked {
  readonly id: number;
  readonly time: number;
  /** Bytes. */
  readonly size: number;
  readonly gfp: number;
  readonly devNode: number;
  readonly devArea: number;
  readonly mode: Mode;
  readonly maskBits: number;
  readonly cpuNode: number;
}

/** Step of the policy that the walk did not take. */
export interface Skipped {
  readonly id: number;
  readonly time: number;
  /** Position in the policy's list of attempts. */
  readonly step: number;
  readonly reason: SkipReason;
}

export type SkipReason =
  /** Conditions of mm/policy.ts that do not hold, as bits. */
  | { readonly why: 'conditions'; readonly missing: number }
  /** The step is for other sizes than this, in bytes. */
  | { readonly why: 'size'; readonly bytes: number }
  /** The call asks the buddy only. */
  | { readonly why: 'mode' }
  /** The step names no area: the pointer is NULL. */
  | { readonly why: 'no area' }
  /** No node has memory to ask for. */
  | { readonly why: 'no node' }
  /** An area gave pages that the mask does not reach, and is not asked again. */
  | { readonly why: 'mask' }
  /** Free lists hold no blocks of this order. */
  | { readonly why: 'order'; readonly order: number };

/**
 * One cma_alloc() that has returned, as the tracepoints tell it. Valid during the call only: the
 * object and its parts serve for the next one too.
 */
export interface Attempted {
  readonly id: number;
  /** When it returned. */
  readonly time: number;
  /** Position of the policy's step that led there. */
  readonly step: number;
  /** -1: called with no area. */
  readonly area: number;
  readonly count: number;
  readonly align: number;
  /** 0, or a negative errno, or 1: it returned at once. */
  readonly err: number;
  readonly retries: number;
  /** From the call to its return, in ns; some of it may be waited for after `time`. */
  readonly ns: number;
  /** Of that, by the names of inflight.ts. */
  readonly parts: Float64Array;
}

/** Search of a bitmap, before the window's bits are set. */
export interface Searched {
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

/** Why a window was given up. */
export type GiveUp = 'collision' | 'stuck' | 'target';

/** Window that alloc_contig_range() could not empty. */
export interface WindowLost {
  readonly id: number;
  readonly why: GiveUp;
}

/** Zones of one node, asked for a block. */
export interface ZoneTried {
  readonly id: number;
  readonly time: number;
  /** Position of the policy's step that led there. */
  readonly step: number;
  readonly nid: number;
  /** False: the node has none of the zones that the flags allow. */
  readonly hasZone: boolean;
  readonly order: number;
  /** 0: at the low watermark; 1: down to the minimum. */
  readonly round: number;
  /** Pages that it gave. */
  readonly pages: number;
}

/** Wait for zone->lock. */
export interface ZoneLocked {
  readonly id: number;
  readonly ns: number;
}

/** CMA range given back inside dma_alloc_coherent() because the mask does not reach it. */
export interface GaveBack {
  readonly id: number;
  readonly time: number;
  readonly area: number;
  readonly pfn: number;
  readonly pages: number;
}

/** Pages of a request, at the time the driver hears of them. */
export interface Granted {
  readonly id: number;
  readonly time: number;
  /** Area, or BUDDY. */
  readonly source: number;
  readonly pfn: number;
  readonly pages: number;
  readonly nid: number;
  /** Ns of clearing, part of the time. */
  readonly zero: number;
}

/** Request without pages, at the time the driver hears of it. */
export interface Refused {
  readonly id: number;
  readonly time: number;
}

/** Pages of a device that went back. `id`: of the call that freed them. */
export interface Freed {
  readonly id: number;
  readonly time: number;
  readonly pfn: number;
  /** Area that took them, BUDDY, or LEAKED. */
  readonly source: number;
}

/** Something a policy did that a kernel engineer must know: a leak, a foreign bit cleared. */
export interface Finding {
  readonly time: number;
  readonly kind: 'leak' | 'foreign-free' | 'double-free';
  readonly id: number;
  readonly pfn: number;
  readonly pages: number;
  readonly area: number;
  readonly text: string;
}

/** State of one area's bitmap when asked, as a recording's `state` rows give it. */
export interface AreaState {
  readonly id: number;
  readonly area: number;
  readonly used: number;
  readonly maxchunk: number;
  readonly runs: number;
  readonly hash: number;
  readonly ranges: readonly (readonly [number, number])[];
}

/** State of one zone when asked. */
export interface ZoneState {
  readonly id: number;
  readonly nid: number;
  readonly zone: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly freeCma: number;
}

/** Everything that actors tell, by its name. */
export interface RunEvents {
  readonly asked: Asked;
  readonly skipped: Skipped;
  readonly searched: Searched;
  readonly windowLost: WindowLost;
  readonly attempted: Attempted;
  readonly gaveBack: GaveBack;
  readonly zoneTried: ZoneTried;
  readonly zoneLocked: ZoneLocked;
  readonly granted: Granted;
  readonly refused: Refused;
  readonly freed: Freed;
  readonly found: Finding;
  readonly sawArea: AreaState;
  readonly sawZone: ZoneState;
}
type EventName = keyof RunEvents;

type Hears = { readonly [Name in EventName]?: (event: RunEvents[Name]) => void };

/** Whoever watches: it hears of the events that it has a method for, and brings its own storage. */
export interface RunObserver extends Hears {
  /** Requests it wants to hear of; all of them unless given. */
  wants?(id: number): boolean;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export class RunRecorder {
  readonly #listeners: Readonly<Record<EventName, readonly RunObserver[]>>;
  readonly #attempt: Writable<Attempted> = {
    ...{ id: 0, time: 0, step: 0, area: 0, count: 0, align: 0, err: 0, retries: 0, ns: 0 },
    parts: new Float64Array(PARTS),
  };
  readonly #locked: Writable<ZoneLocked> = { id: 0, ns: 0 };

  constructor(observers: readonly RunObserver[]) {
    const of = (name: EventName) => observers.filter((one) => one[name] !== undefined);
    this.#listeners = {
      asked: of('asked'),
      skipped: of('skipped'),
      searched: of('searched'),
      windowLost: of('windowLost'),
      attempted: of('attempted'),
      gaveBack: of('gaveBack'),
      zoneTried: of('zoneTried'),
      zoneLocked: of('zoneLocked'),
      granted: of('granted'),
      refused: of('refused'),
      freed: of('freed'),
      found: of('found'),
      sawArea: of('sawArea'),
      sawZone: of('sawZone'),
    };
  }

  /** True if somebody wants to hear of such events of the request. */
  hears(name: EventName, id: number): boolean {
    for (const observer of this.#listeners[name]) {
      if (observer.wants === undefined || observer.wants(id)) return true;
    }
    return false;
  }

  /** True if somebody hears of such events at all. */
  hearsAny(name: EventName): boolean {
    return this.#listeners[name].length > 0;
  }

  tell<Name extends EventName>(name: Name, event: RunEvents[Name]): void {
    for (const observer of this.#listeners[name]) {
      const hears: Hears = observer;
      if (observer.wants === undefined || observer.wants(event.id)) hears[name]?.(event);
    }
  }

  /** A request as it reaches the node whose CPU runs the call. */
  asked(time: number, request: Request): void {
    if (!this.hears('asked', request.id)) return;
    const { id, size, gfp, devNode, devArea, mode, maskBits, cpuNode } = request;
    this.tell('asked', { id, time, size, gfp, devNode, devArea, mode, maskBits, cpuNode });
  }

  /** The cma_alloc() of a request returns `errno`, `work` ns after `time`. */
  returned(
    flight: Flight,
    { time, errno, work }: { time: number; errno: number; work: number },
  ): void {
    const attempt = this.#attempt;
    attempt.id = flight.id;
    attempt.time = time;
    attempt.step = flight.step;
    attempt.area = flight.area;
    attempt.count = flight.count;
    attempt.align = flight.order;
    attempt.err = errno === 0 ? 0 : -errno;
    attempt.retries = flight.retries;
    attempt.ns = time - flight.entered + work;
    for (let i = 0; i < PARTS; i++) attempt.parts[i] = flight.m[flight.parts + i];
    this.tell('attempted', attempt);
  }

  /**
   * A cma_alloc() that returned before it looked: an area that is not active, too small, or none.
   */
  returnedAtOnce(of: Omit<Attempted, 'err' | 'retries' | 'ns' | 'parts'>): void {
    const attempt = this.#attempt;
    Object.assign(attempt, of, { err: 1, retries: 0, ns: 0 });
    attempt.parts.fill(0);
    this.tell('attempted', attempt);
  }

  searched(
    id: number,
    time: number,
    area: CmaArea,
    found: { start: number; bit: number; count: number; align: number },
  ): void {
    if (!this.hears('searched', id)) return;
    const { start, bit, count, align } = found;
    const bits = cmaBitmapPagesToBits(area, count);
    const ranges = cmaRanges(area);
    this.tell('searched', { id, time, area: area.index, start, bit, bits, align, ranges });
  }

  zoneLocked(id: number, ns: number): void {
    this.#locked.id = id;
    this.#locked.ns = ns;
    this.tell('zoneLocked', this.#locked);
  }
}
