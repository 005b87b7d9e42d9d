/**
 * What actors write down while a run goes on, for whoever asks afterwards: attempts, findings, observations.
 *
 * One log per shard; logs are merged by request and time, so they read the same on any number of shards.
 * Attempts are columns that grow; nothing is kept unless it was asked for.
 */

import { PARTS, partNames } from './inflight.js';
import { nothingWatched, Watch, type WatchData, type WatchOptions } from './watch.js';

/** One cma_alloc() call as the tracepoints tell it. `area` -1: called with no area. */
export interface Attempt {
  readonly id: number;
  readonly time: number;
  readonly area: number;
  readonly count: number;
  readonly align: number;
  /** 0, or a negative errno, or 1: it returned at once. */
  readonly err: number;
  readonly retries: number;
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

/** The state of one area's bitmap when asked, as a recording's `state` rows give it. */
export interface AreaState {
  readonly id: number;
  readonly area: number;
  readonly used: number;
  readonly maxchunk: number;
  readonly runs: number;
  readonly hash: number;
  readonly ranges: readonly (readonly [number, number])[];
}

/** One zone when asked. */
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

const ATTEMPT_WIDTH = 7;
const SPENT_WIDTH = 3 + PARTS;

/** What one cma_alloc() call spent its time on, in ns, by the names of inflight.ts. */
export interface Spent {
  readonly id: number;
  /** When it returned. */
  readonly time: number;
  readonly area: number;
  readonly parts: Readonly<Record<(typeof partNames)[number], number>>;
}

/** Columns of a free: actor, time, pfn, source. */
export const FREED_WIDTH = 4;

/** What a shard hands over at the end: plain data. */
export interface LogData {
  readonly attempts: Float64Array;
  readonly returned: Float64Array;
  readonly spent: Float64Array;
  /** Frees that devices heard of, FREED_WIDTH columns each. */
  readonly freed: Float64Array;
  readonly findings: readonly Finding[];
  readonly areaStates: readonly AreaState[];
  readonly zoneStates: readonly ZoneState[];
  readonly watch: WatchData;
}

/** A column store of fixed-width rows. */
class Rows {
  #data = new Float64Array(0);
  #length = 0;

  push(width: number): number {
    const at = this.#length;
    if (at + width > this.#data.length) {
      const data = new Float64Array(Math.max(1024, this.#data.length * 2));
      data.set(this.#data);
      this.#data = data;
    }
    this.#length = at + width;
    return at;
  }

  get data(): Float64Array {
    return this.#data;
  }

  take(): Float64Array {
    return this.#data.slice(0, this.#length);
  }
}

export class RunLog {
  readonly #attempts = new Rows();
  readonly #returned = new Rows();
  readonly #spent = new Rows();
  readonly #freed = new Rows();
  readonly findings: Finding[] = [];
  readonly areaStates: AreaState[] = [];
  readonly zoneStates: ZoneState[] = [];
  /** Attempts are kept only for a replay or for `why`. */
  readonly keepsAttempts: boolean;
  readonly watch: Watch;

  constructor(keepsAttempts: boolean, watch: WatchOptions = nothingWatched) {
    this.keepsAttempts = keepsAttempts;
    this.watch = new Watch(watch);
  }

  #keeps(id: number): boolean {
    return this.keepsAttempts || this.watch.isOn(id);
  }

  attempt(
    id: number,
    time: number,
    area: number,
    count: number,
    align: number,
    err: number,
    retries: number,
  ): void {
    if (!this.#keeps(id)) return;
    const at = this.#attempts.push(ATTEMPT_WIDTH);
    const { data } = this.#attempts;
    data[at] = id;
    data[at + 1] = time;
    data[at + 2] = area;
    data[at + 3] = count;
    data[at + 4] = align;
    data[at + 5] = err;
    data[at + 6] = retries;
  }

  /** A CMA range given back inside dma_alloc_coherent() because the mask does not reach it. */
  gaveBack(id: number, area: number, pfn: number, pages: number): void {
    if (!this.#keeps(id)) return;
    const at = this.#returned.push(4);
    this.#returned.data.set([id, area, pfn, pages], at);
  }

  /** A device's pages went back: to an area, the buddy, or (LEAKED) past the bitmap. */
  freed(actor: number, time: number, pfn: number, source: number): void {
    if (!this.keepsAttempts) return;
    const at = this.#freed.push(FREED_WIDTH);
    const { data } = this.#freed;
    data[at] = actor;
    data[at + 1] = time;
    data[at + 2] = pfn;
    data[at + 3] = source;
  }

  /** The parts of a cma_alloc() that has returned, from `parts` on in `rows`. */
  spent(id: number, time: number, area: number, rows: Float64Array, parts: number): void {
    if (!this.#keeps(id)) return;
    const at = this.#spent.push(SPENT_WIDTH);
    const { data } = this.#spent;
    data[at] = id;
    data[at + 1] = time;
    data[at + 2] = area;
    for (let i = 0; i < PARTS; i++) data[at + 3 + i] = rows[parts + i];
  }

  take(): LogData {
    return {
      attempts: this.#attempts.take(),
      returned: this.#returned.take(),
      spent: this.#spent.take(),
      freed: this.#freed.take(),
      findings: this.findings,
      areaStates: this.areaStates,
      zoneStates: this.zoneStates,
      watch: this.watch.take(),
    };
  }
}

/** The attempts of all shards, by request, each request's in the order they were made. */
export function attemptsById(logs: readonly LogData[]): Map<number, Attempt[]> {
  const byId = new Map<number, Attempt[]>();
  for (const { attempts } of logs) {
    for (let at = 0; at < attempts.length; at += ATTEMPT_WIDTH) {
      const id = attempts[at];
      const attempt = {
        id,
        time: attempts[at + 1],
        area: attempts[at + 2],
        count: attempts[at + 3],
        align: attempts[at + 4],
        err: attempts[at + 5],
        retries: attempts[at + 6],
      };
      const list = byId.get(id);
      if (list) list.push(attempt);
      else byId.set(id, [attempt]);
    }
  }
  for (const list of byId.values()) list.sort((a, b) => a.time - b.time);
  return byId;
}

/** What the cma_alloc() calls of all shards spent their time on, by request, in the order they returned. */
export function spentById(logs: readonly LogData[]): Map<number, Spent[]> {
  const byId = new Map<number, Spent[]>();
  for (const { spent } of logs) {
    for (let at = 0; at < spent.length; at += SPENT_WIDTH) {
      const id = spent[at];
      const time = spent[at + 1];
      const area = spent[at + 2];
      const named = partNames.map((name, i) => [name, spent[at + 3 + i]] as const);
      const parts = Object.fromEntries(named) as Spent['parts'];
      const list = byId.get(id);
      if (list) list.push({ id, time, area, parts });
      else byId.set(id, [{ id, time, area, parts }]);
    }
  }
  for (const list of byId.values()) list.sort((a, b) => a.time - b.time);
  return byId;
}
