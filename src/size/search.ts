/**
 * The search for the smallest sizes: for every seed the sizes that just suffice, found by
 * bisection, and of all seeds those that suffice often enough.
 *
 * What suffices at one size suffices at any larger one, for one seed at least as good as always; so
 * a seed that is content with the sizes found so far costs one run, and only the few that are not
 * are bisected. The answer is an order statistic of what the seeds need: nothing is assumed of its
 * distribution. Whether larger is really never worse is checked at the end, by running every seed
 * at the answer.
 */

import { proportionHigh, proportionLow } from '../study/intervals.js';

/** Sizes in steps, by position of the area. */
export type Steps = readonly number[];

/** The answer of one seed to one choice of sizes. */
export interface Verdict {
  /** Areas that are too small; empty: nothing went wrong. */
  readonly short: readonly number[];
  /** Areas that the kernel could not reserve at this size. */
  readonly unreserved: readonly number[];
}

/** Runs one seed at one choice of sizes. Asked twice, it answers alike. */
export type Try = (steps: Steps, seed: number) => Promise<Verdict>;

export interface SizingOptions {
  readonly try: Try;
  /** Largest size of each area, in steps. */
  readonly most: Steps;
  /** Area that makes up for what no node's area can serve; undefined if there is none. */
  readonly fallback: number | undefined;
  /** Seeds, in order; as many as runs are wanted. */
  readonly seeds: readonly number[];
  /** Allowed share of seeds for which something goes wrong, 0 to 1. */
  readonly risk: number;
  readonly confidence: number;
  /** Seeds tried at the same time. */
  readonly together: number;
}

/** Sizes the search found, or what stands in their way. */
export type Sizing =
  | {
      readonly found: true;
      readonly steps: Steps;
      /** Seeds for which something went wrong at the answer, of all seeds. */
      readonly bad: number;
    }
  | {
      readonly found: false;
      /**
       * Areas that are too small at any size the kernel can reserve, and those it cannot reserve.
       */
      readonly short: readonly number[];
      readonly unreserved: readonly number[];
      readonly seed: number;
    };

/**
 * Seeds it takes to be sure with so many areas, none of them failing: the bound of Campi and
 * Garatti for an answer that at most `areas` seeds determine. For one area it is Clopper and
 * Pearson's.
 */
export function seedsFor(areas: number, risk: number, confidence: number): number {
  let count = areas;
  while (violation(areas, count, risk) > 1 - confidence) count++;
  return count;
}

/** Probability that fewer than `areas` of `count` seeds hit a share of `risk`. */
function violation(areas: number, count: number, risk: number): number {
  let log = count * Math.log1p(-risk);
  let sum = Math.exp(log);
  for (let i = 1; i < areas; i++) {
    log += Math.log((count - i + 1) / i) + Math.log(risk) - Math.log1p(-risk);
    sum += Math.exp(log);
  }
  return sum;
}

/** Seeds that may fail, of so many, for the share of failures to be at most the risk. */
export function allowedFailures(seeds: number, risk: number, confidence: number): number {
  let allowed = -1;
  while (proportionHigh(allowed + 1, seeds, confidence) <= risk) allowed++;
  return Math.max(0, allowed);
}

/** Finds the smallest sizes. */
export async function findSizes(options: SizingOptions): Promise<Sizing> {
  return new Search(options).run();
}

/** Seeds that a bound from below is asked of at most. */
const lowSeedsMax = 300;

/**
 * The least size of an area, in steps, that the seeds do not show to be too small, all others as
 * they are. Larger sizes fail for fewer of the same seeds, so the bound is as sure as one test of
 * the size that is needed, though several sizes are tried.
 */
export async function neededAtLeast(
  options: Pick<SizingOptions, 'try' | 'seeds' | 'risk' | 'confidence' | 'together'>,
  steps: Steps,
  area: number,
): Promise<number> {
  const seeds = options.seeds.slice(0, lowSeedsMax);
  // Half of what the interval may miss is on this side.
  const confidence = (1 + options.confidence) / 2;
  let enough = 1;
  while (proportionLow(enough, seeds.length, confidence) <= options.risk) {
    if (enough++ === seeds.length) return 0;
  }
  return least(-1, steps[area], async (step) => {
    return !(await fails(options, { steps: replaced(steps, area, step), seeds, enough }));
  });
}

/** True if at least `enough` seeds fail; asks no more of them than it takes to know. */
async function fails(
  options: Pick<SizingOptions, 'try' | 'together'>,
  { steps, seeds, enough }: { steps: Steps; seeds: readonly number[]; enough: number },
): Promise<boolean> {
  let hits = 0;
  let left = seeds.length;
  for await (const { verdict } of tried(options, seeds, () => steps)) {
    left--;
    if (verdict.short.length > 0) hits++;
    if (hits >= enough || hits + left < enough) break;
  }
  return hits >= enough;
}

interface Tried {
  readonly seed: number;
  readonly steps: Steps;
  readonly verdict: Verdict;
}

/** Answers of seeds, as many at a time as may be tried together, at the sizes of that time. */
async function* tried(
  options: Pick<SizingOptions, 'try' | 'together'>,
  seeds: readonly number[],
  sizes: () => Steps,
): AsyncGenerator<Tried> {
  for (let at = 0; at < seeds.length; at += options.together) {
    const steps = sizes();
    const batch = seeds.slice(at, at + options.together);
    const verdicts = await Promise.all(batch.map((seed) => options.try(steps, seed)));
    for (const [i, seed] of batch.entries()) yield { seed, steps, verdict: verdicts[i] };
  }
}

/** The least step above `low` that is enough; `high` is. */
async function least(
  low: number,
  high: number,
  isEnough: (step: number) => Promise<boolean>,
): Promise<number> {
  let [below, enough] = [low, high];
  while (enough - below > 1) {
    const middle = Math.floor((below + enough) / 2);
    if (await isEnough(middle)) enough = middle;
    else below = middle;
  }
  return enough;
}

/**
 * Attempts to make up for seeds to which larger areas do harm; what is left is part of the answer.
 */
const roundsMax = 8;

class Unreachable extends Error {
  readonly verdict: Verdict;
  readonly seed: number;

  constructor(verdict: Verdict, seed: number) {
    super('no size is enough');
    this.verdict = verdict;
    this.seed = seed;
  }
}

class Search {
  private readonly options: SizingOptions;
  private readonly most: number[];
  /** Sizes that each seed needs of each area, largest first, as far as it is known. */
  private readonly needs: number[][];
  /** Seeds that may fail; with several areas none may. */
  private readonly allowed: number;

  constructor(options: SizingOptions) {
    this.options = options;
    this.most = [...options.most];
    this.needs = options.most.map(() => []);
    const { seeds, risk, confidence } = options;
    const one = options.most.length === 1;
    this.allowed = one ? allowedFailures(seeds.length, risk, confidence) : 0;
  }

  async run(): Promise<Sizing> {
    try {
      await this.learn(this.options.seeds, () => this.answer());
      let steps = this.answer();
      let bad = await this.failing(steps);
      // Larger was worse for some seed: what it needs beyond the answer is found from there.
      for (let round = 0; bad.length > this.allowed && round < roundsMax; round++) {
        const before = steps;
        await this.learn(bad, () => [...before]);
        const next = this.answer().map((need, i) => Math.max(need, steps[i]));
        steps = same(next, steps) ? next.map((need, i) => this.up(need, i)) : next;
        bad = await this.failing(steps);
      }
      return { found: true, steps, bad: bad.length };
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      return { found: false, ...error.verdict, seed: error.seed };
    }
  }

  /**
   * The largest need of each area that must be met; 0 if fewer are known than may be left unmet.
   */
  private answer(): number[] {
    return this.needs.map((needs) => needs[this.allowed] ?? 0);
  }

  private up(step: number, area: number): number {
    return Math.min(this.most[area], step + 1);
  }

  /** Tries seeds at what is known to be enough, and finds out what those need that want more. */
  private async learn(seeds: readonly number[], enough: () => number[]): Promise<void> {
    for await (const { seed, steps, verdict } of tried(this.options, seeds, enough)) {
      if (verdict.short.length === 0) continue;
      const from = enough();
      const again = same(from, steps) ? verdict : await this.options.try(from, seed);
      if (again.short.length > 0) this.note(await this.need(seed, from));
    }
  }

  private note(need: readonly number[]): void {
    this.needs.forEach((needs, i) => {
      if (need[i] <= (needs[this.allowed] ?? 0)) return;
      needs.push(need[i]);
      needs.sort((a, b) => b - a);
      needs.length = Math.min(needs.length, this.allowed + 1);
    });
  }

  private async failing(steps: Steps): Promise<number[]> {
    const bad: number[] = [];
    for await (const { seed, verdict } of tried(this.options, this.options.seeds, () => steps)) {
      if (verdict.short.length > 0) bad.push(seed);
    }
    return bad;
  }

  /** The smallest sizes with which this seed is content: what it wants more of beyond `from`. */
  private async need(seed: number, from: readonly number[]): Promise<number[]> {
    const high = await this.enlarge(seed, from);
    // The fallback first: the others are at their largest then, so that it serves what only it can.
    const areas = high.map((_, i) => i);
    areas.sort((a, b) => Number(b === this.options.fallback) - Number(a === this.options.fallback));
    for (const area of areas) {
      const isEnough = (step: number) => this.content(seed, replaced(high, area, step));
      // Often nothing more is wanted of it at all.
      if (high[area] > from[area] && (await isEnough(from[area]))) high[area] = from[area];
      else high[area] = await least(from[area], high[area], isEnough);
    }
    return high;
  }

  private async content(seed: number, steps: Steps): Promise<boolean> {
    return (await this.options.try(steps, seed)).short.length === 0;
  }

  /** Sizes that are enough for this seed, by doubling what is added to those that are not. */
  private async enlarge(seed: number, from: readonly number[]): Promise<number[]> {
    const { fallback } = this.options;
    const steps = from.map((step, i) => Math.max(step, this.needs[i][0] ?? 0));
    const added = steps.map(() => 0);
    for (;;) {
      const verdict = await this.options.try(steps, seed);
      if (verdict.short.length === 0) return steps;
      for (const area of verdict.unreserved) {
        const least = from[area];
        // What cannot be reserved at this size cannot be larger either.
        this.most[area] = Math.max(least, Math.min(this.most[area], steps[area] - 1));
        steps[area] = least + Math.floor((steps[area] - least) / 2);
        added[area] = 0;
      }
      const room = (area: number) => steps[area] < this.most[area];
      let grow = verdict.short.filter(room);
      if (grow.length === 0 && fallback !== undefined && room(fallback)) grow = [fallback];
      if (grow.length === 0) {
        if (verdict.unreserved.length > 0 && (await this.content(seed, steps))) return steps;
        throw new Unreachable(verdict, seed);
      }
      for (const area of grow) {
        added[area] = Math.max(1, added[area] * 2);
        steps[area] = Math.min(this.most[area], steps[area] + added[area]);
      }
    }
  }
}

function replaced(steps: readonly number[], area: number, step: number): number[] {
  return steps.map((one, i) => (i === area ? step : one));
}

function same(a: Steps, b: Steps): boolean {
  return a.every((one, i) => one === b[i]);
}
