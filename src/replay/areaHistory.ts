/**
 * What a recorded kernel held of one area, and when: from that, whether each of its placements is
 * the first fit, is it only if claims that overlap in time went one way, or is it not.
 *
 * Models nothing: it is the recording read back. Bits are claimed some time between
 * cma_alloc_start and cma_alloc_finish, and cleared between dma_free and cma_release.
 */
import {
  type Bitmap,
  bitmapClear,
  bitmapFindNextZeroAreaOff,
  bitmapSet,
  bitmapTest,
  bitmapZalloc,
} from '../mm/alloc/bitmap.js';
import type { AreaLayout } from '../mm/layout.js';
import type { CmaAttempt, DmaRequest } from '../trace/join/request.js';
import type { Step } from './workload.js';

/** Pages of the area in use, with the two borders of each end. */
export interface Hold {
  readonly pfn: number;
  readonly count: number;
  /** Claimed at some time in between; minus infinity: before the recording. */
  readonly from: number;
  readonly since: number;
  /** Given back at some time in between; infinity: not in the recording. */
  until: number;
  goneBy: number;
  /** Null: before the recording. */
  readonly attempt: CmaAttempt | null;
}

/** In use before the recording and after it. */
const always = {
  from: Number.NEGATIVE_INFINITY,
  since: Number.NEGATIVE_INFINITY,
  until: Number.POSITIVE_INFINITY,
  goneBy: Number.POSITIVE_INFINITY,
  attempt: null,
};

export interface Trial {
  readonly request: DmaRequest;
  readonly attempt: CmaAttempt;
}

/** How an attempt ended, given what was held. */
type FitVerdict =
  /** Whatever the order of what overlaps, it had to end like this. */
  | 'first fit'
  /** It ends like this for one order of the claims and frees that overlap it in time. */
  | 'concurrent'
  /** Free pages that would have done were passed over, in any order. */
  | 'passed over'
  /** Pages it got were held by somebody, in any order. */
  | 'taken';

export interface Judged extends Trial {
  readonly verdict: FitVerdict;
  /** Passed over: the first window that would have done, as a pfn. */
  readonly passed: number;
}

export class AreaHistory {
  readonly area: AreaLayout;
  readonly trials: readonly Trial[];
  readonly holds: readonly Hold[];

  constructor(area: AreaLayout, steps: readonly Step[], before: readonly PageRange[] = []) {
    this.area = area;
    const { trials, holds } = readSteps(area.name, steps);
    const early = holds.filter(({ attempt }) => attempt === null);
    const fresh = before.filter(([pfn]) => !early.some((hold) => hold.pfn === pfn));
    const end = area.basePfn + area.count;
    this.trials = trials;
    this.holds = [...fresh.map(([pfn, count]): Hold => ({ pfn, count, ...always })), ...holds];
    this.holds = this.holds.filter((one) => one.pfn >= area.basePfn && one.pfn + one.count <= end);
  }

  /** Every attempt that came back, in the order in which they began. */
  judge(): Judged[] {
    const sweep = new Sweep(this.area, this.holds);
    return this.trials
      .filter(({ attempt }) => !Number.isNaN(attempt.end))
      .map((trial) => ({ ...trial, ...sweep.judge(trial.attempt) }));
  }
}

export type PageRange = readonly [pfn: number, count: number];

function readSteps(name: string, steps: readonly Step[]): { trials: Trial[]; holds: Hold[] } {
  const trials: Trial[] = [];
  const holds: Hold[] = [];
  const live = new Map<number, Hold>();
  for (const step of steps) {
    if (step.kind === 'alloc') {
      for (const attempt of step.request.attempts) {
        if (attempt.area !== name) continue;
        trials.push({ request: step.request, attempt });
        if (attempt.pfn < 0) continue;
        const hold = holdOf(attempt, step.request);
        holds.push(hold);
        if (!attempt.givenBack) live.set(attempt.pfn, hold);
      }
      continue;
    }
    const pfn = step.pfn >= 0 ? step.pfn : (step.request?.pfn ?? -1);
    const area = step.area === '' ? step.request?.source : step.area;
    if (area !== name || pfn < 0) continue;
    let hold = live.get(pfn);
    if (hold === undefined) {
      hold = { pfn, count: step.count, ...always };
      holds.push(hold);
    }
    hold.until = step.time;
    hold.goneBy = step.until;
    live.delete(pfn);
  }
  trials.sort((a, b) => a.attempt.start - b.attempt.start);
  return { trials, holds };
}

function holdOf(attempt: CmaAttempt, request: DmaRequest): Hold {
  const { pfn, count, start, end, givenBack } = attempt;
  const gone = givenBack ? { until: end, goneBy: request.end } : {};
  return { ...always, pfn, count, from: start, since: end, attempt, ...gone };
}

/** Bits with a count of who holds each: holds that may overlap in time may share pages. */
class Counted {
  readonly bitmap: Bitmap;
  readonly #counts: Uint16Array;
  readonly #area: AreaLayout;

  constructor(area: AreaLayout) {
    this.#area = area;
    this.#counts = new Uint16Array(area.count >>> area.orderPerBit);
    const offset = Math.floor(area.basePfn / 2 ** area.orderPerBit) % 2 ** 30;
    this.bitmap = bitmapZalloc(this.#counts.length, offset);
  }

  add({ pfn, count }: Hold, by: 1 | -1): void {
    const { basePfn, orderPerBit } = this.#area;
    const first = (pfn - basePfn) >>> orderPerBit;
    const end = Math.ceil((pfn - basePfn + count) / 2 ** orderPerBit);
    for (let bit = first; bit < end; bit++) {
      this.#counts[bit] += by;
      if (by === 1 && this.#counts[bit] === 1) bitmapSet(this.bitmap, bit, 1);
      if (by === -1 && this.#counts[bit] === 0) bitmapClear(this.bitmap, bit, 1);
    }
  }

  /** First pfn of the first window for the attempt, or -1. */
  firstFit({ count, align }: CmaAttempt): number {
    const { basePfn, orderPerBit } = this.#area;
    const mask = align <= orderPerBit ? 0 : (1 << (align - orderPerBit)) - 1;
    const bits = Math.ceil(count / 2 ** orderPerBit);
    const offset = (Math.floor(basePfn / 2 ** orderPerBit) % 2 ** 30) & mask;
    const bit = bitmapFindNextZeroAreaOff(this.bitmap, 0, bits, mask, offset);
    return bit < 0 ? -1 : basePfn + bit * 2 ** orderPerBit;
  }

  isFree({ pfn, count }: CmaAttempt): boolean {
    const { basePfn, orderPerBit } = this.#area;
    const end = Math.ceil((pfn - basePfn + count) / 2 ** orderPerBit);
    for (let bit = (pfn - basePfn) >>> orderPerBit; bit < end; bit++) {
      if (bitmapTest(this.bitmap, bit) === 1) return false;
    }
    return true;
  }
}

/** A list in the order of one of its times, gone through once, with a look ahead. */
class Timeline {
  readonly #holds: readonly Hold[];
  readonly #time: (hold: Hold) => number;
  #next = 0;

  constructor(holds: readonly Hold[], time: (hold: Hold) => number) {
    this.#time = time;
    this.#holds = [...holds].sort((a, b) => time(a) - time(b));
  }

  /** Those before `time`, once. */
  *before(time: number): Generator<Hold> {
    while (this.#next < this.#holds.length && this.#time(this.#holds[this.#next]) < time) {
      yield this.#holds[this.#next++];
    }
  }

  /** Those from there to `time`, which stay where they are. */
  through(time: number): Hold[] {
    const found: Hold[] = [];
    for (let i = this.#next; i < this.#holds.length; i++) {
      if (this.#time(this.#holds[i]) > time) break;
      found.push(this.#holds[i]);
    }
    return found;
  }
}

/** Goes through the attempts of an area with two pictures of it: surely held, and perhaps held. */
class Sweep {
  readonly #sure: Counted;
  readonly #perhaps: Counted;
  readonly #claims: Timeline;
  readonly #settled: Timeline;
  readonly #frees: Timeline;
  readonly #gone: Timeline;

  constructor(area: AreaLayout, holds: readonly Hold[]) {
    this.#sure = new Counted(area);
    this.#perhaps = new Counted(area);
    this.#claims = new Timeline(holds, ({ from }) => from);
    // What was claimed for sure only after it was given back was never surely held.
    const sure = holds.filter(({ since, until }) => since < until);
    this.#settled = new Timeline(sure, ({ since }) => since);
    this.#frees = new Timeline(sure, ({ until }) => until);
    this.#gone = new Timeline(holds, ({ goneBy }) => goneBy);
  }

  judge(attempt: CmaAttempt): { verdict: FitVerdict; passed: number } {
    const { start, end } = attempt;
    for (const hold of this.#claims.before(start)) this.#perhaps.add(hold, 1);
    for (const hold of this.#gone.before(start)) this.#perhaps.add(hold, -1);
    for (const hold of this.#settled.before(start)) this.#sure.add(hold, 1);
    for (const hold of this.#frees.before(start)) this.#sure.add(hold, -1);
    const joining = this.#claims.through(end).filter((hold) => hold.attempt !== attempt);
    const leaving = this.#frees.through(end).filter(({ since }) => since < start);
    for (const hold of joining) this.#perhaps.add(hold, 1);
    for (const hold of leaving) this.#sure.add(hold, -1);
    const found = this.#compare(attempt);
    for (const hold of joining) this.#perhaps.add(hold, -1);
    for (const hold of leaving) this.#sure.add(hold, 1);
    return found;
  }

  #compare(attempt: CmaAttempt): { verdict: FitVerdict; passed: number } {
    const late = this.#perhaps.firstFit(attempt);
    const early = this.#sure.firstFit(attempt);
    if (attempt.pfn < 0) {
      if (late >= 0) return { verdict: 'passed over', passed: late };
      return { verdict: early < 0 ? 'first fit' : 'concurrent', passed: -1 };
    }
    if (late >= 0 && late < attempt.pfn) return { verdict: 'passed over', passed: late };
    if (!this.#sure.isFree(attempt)) return { verdict: 'taken', passed: -1 };
    const certain = early === attempt.pfn && late === attempt.pfn;
    return { verdict: certain ? 'first fit' : 'concurrent', passed: -1 };
  }
}
