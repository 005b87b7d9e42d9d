/**
 * The smallest boot string of a scenario: how large cma= and numa_cma= must be for the probability
 * of a refused or remotely placed request in a run to be at most so much.
 *
 * A run counts as bad if any of its requests was refused, or was granted where it must not be.
 * Sizes are multiples of what the kernel rounds to, and every choice is booted: areas the kernel
 * has no slot, no memory or no parameter for are not there. Left out: parameters that say where an
 * area lies, areas of single devices, hugetlb_cma=.
 */

import { lookupIn } from '../run/summary.js';
import type { Scenario } from '../scenario/scenario.js';
import type { Engine, RunJob } from '../study/engine.js';
import {
  type Digests,
  digestsOf,
  modelVersion,
  Naming,
  placedDocument,
  type ScenarioDocument,
} from '../study/identity.js';
import {
  type MeanEstimate,
  meanInterval,
  type ProportionEstimate,
  proportionHigh,
  proportionInterval,
} from '../study/intervals.js';
import { known } from '../study/known.js';
import { parseRecord, type RunRecord } from '../study/record.js';
import { UserError } from '../text/userError.js';
import {
  type AreaKey,
  type BootString,
  bootString,
  type Sizable,
  type Sizes,
  type SizeWhat,
  sizable,
} from './bootString.js';
import {
  findSizes,
  neededAtLeast,
  type Sizing,
  type SizingOptions,
  type Steps,
  seedsFor,
  type Verdict,
} from './search.js';

/**
 * Placements that make a run bad. `buddy` and `default`: a request that was served from there and
 * would not have been with the largest areas; a page or less never comes from an area, whatever
 * its size.
 */
export const avoidable = ['refused', 'remote', 'buddy', 'default'] as const;
export type Avoid = (typeof avoidable)[number];

export interface SizeOptions {
  readonly engine: Engine;
  /** Allowed probability of a bad run, 0 to 1. */
  readonly risk: number;
  readonly confidence: number;
  readonly avoid: readonly Avoid[];
  readonly what: SizeWhat;
  /** One size for all nodes, even where the kernel takes one for each. */
  readonly uniform: boolean;
  /** Seeds; as many as the confidence takes unless given. */
  readonly runs?: number;
  /** Seeds of every point of the curve. */
  readonly curveRuns: number;
  readonly signal?: AbortSignal;
  readonly onRun?: (made: number) => void;
}

/** One choice of sizes, and what runs said of it. */
export interface CurvePoint {
  readonly sizes: Sizes;
  readonly reserved: number;
  readonly bad: ProportionEstimate;
  /** Means over runs. */
  readonly refused: MeanEstimate;
  readonly remote: MeanEstimate;
  /** Mean time of dma_alloc in ns; of no run if none allocated. */
  readonly allocNs: MeanEstimate;
}

interface SizedArea {
  readonly key: AreaKey;
  readonly size: number;
  /**
   * With the confidence asked for the size that is needed, all else the same, is from this to
   * `size`.
   */
  readonly low: number;
  /** One step less, all else the same; null if there is no less. */
  readonly nextDown: { readonly size: number; readonly bad: ProportionEstimate } | null;
}

export type SizeAnswer =
  | {
      readonly found: true;
      readonly boot: BootString;
      readonly areas: readonly SizedArea[];
      readonly reserved: number;
      /** Bad runs at the answer, and the bound of their probability. */
      readonly bad: { readonly hits: number; readonly count: number; readonly high: number };
      readonly curve: readonly CurvePoint[];
      readonly made: number;
      readonly seeds: number;
      readonly step: number;
    }
  | {
      readonly found: false;
      /** Areas that are too small at any size, and those the kernel did not reserve. */
      readonly short: readonly AreaKey[];
      readonly unreserved: readonly AreaKey[];
      readonly seed: number;
      readonly slots: number;
      readonly made: number;
    };

const together = 16;
/** Seeds that say what one step less costs: often it is one seed in a hundred. */
const nextDownRuns = 300;

export async function size(scenario: Scenario, options: SizeOptions): Promise<SizeAnswer> {
  return new Sizer(scenario, options).answer();
}

class Sizer {
  private readonly options: SizeOptions;
  private readonly of: Sizable;
  private readonly modules: Digests;
  private readonly naming: Naming;
  private readonly jobs = new Map<string, { document: ScenarioDocument; text: string }>();
  private readonly records = new Map<string, Promise<RunRecord>>();
  private readonly seeds: number[];
  private largest: Promise<Steps> | null = null;
  private readonly verdicts = new Map<string, Promise<Verdict>>();

  constructor(scenario: Scenario, options: SizeOptions) {
    this.options = options;
    this.of = sizable(scenario, options);
    this.modules = digestsOf(scenario.modules);
    this.naming = new Naming({ model: modelVersion(), warmupNs: 0, modules: this.modules });
    if (this.of.keys.length === 0) {
      throw new UserError(
        { file: scenario.name },
        `kernel ${scenario.kernel} as configured takes no size for nodes`,
      );
    }
    const { risk, confidence } = options;
    const count = options.runs ?? seedsFor(Math.max(1, this.of.keys.length), risk, confidence);
    this.seeds = Array.from({ length: count }, (_, i) => (scenario.seed + i) % 2 ** 32);
  }

  async answer(): Promise<SizeAnswer> {
    const { keys, step, most } = this.of;
    const { risk, confidence } = this.options;
    const asked: SizingOptions = {
      try: (steps, seed) => this.verdict(steps, seed),
      most: keys.map((key) => most.get(key)! / step),
      fallback: keys.includes('default') ? keys.indexOf('default') : undefined,
      seeds: this.seeds,
      ...{ risk, confidence, together },
    };
    const sizing = await findSizes(asked);
    if (!sizing.found) return this.nothing(sizing);
    const { steps } = sizing;
    const count = this.seeds.length;
    const areas: SizedArea[] = [];
    for (const [i, key] of keys.entries()) {
      const low = (await neededAtLeast(asked, steps, i)) * step;
      areas.push({ key, size: steps[i] * step, low, nextDown: await this.nextDown(steps, i) });
    }
    const sizes = this.sizes(steps);
    return {
      found: true,
      boot: bootString(this.of, sizes),
      areas,
      reserved: this.reserved(sizes),
      bad: { hits: sizing.bad, count, high: proportionHigh(sizing.bad, count, confidence) },
      curve: await this.curve(steps),
      made: this.records.size,
      seeds: count,
      step,
    };
  }

  private nothing(sizing: Extract<Sizing, { found: false }>): SizeAnswer {
    const named = (areas: readonly number[]) => this.of.keys.filter((_, i) => areas.includes(i));
    return {
      found: false,
      short: named(sizing.short),
      unreserved: named(sizing.unreserved),
      seed: sizing.seed,
      slots: this.of.slots,
      made: this.records.size,
    };
  }

  private sizes(steps: Steps): Sizes {
    return new Map(this.of.keys.map((key, i) => [key, steps[i] * this.of.step]));
  }

  /** Bytes that all areas take together. */
  private reserved(sizes: Sizes): number {
    // An area for every node is one for nodes without devices too.
    const nodes = this.of.scenario.machine.nodes.filter(
      ({ online, memory }) => online && memory.length > 0,
    ).length;
    return [...sizes].reduce((sum, [key, size]) => sum + size * (key === 'every' ? nodes : 1), 0);
  }

  private async nextDown(steps: Steps, area: number): Promise<SizedArea['nextDown']> {
    if (steps[area] === 0) return null;
    const less = steps.map((step, i) => (i === area ? step - 1 : step));
    const { bad } = await this.point(less, Math.min(this.seeds.length, nextDownRuns));
    return { size: less[area] * this.of.step, bad };
  }

  /** Shares of the answer, one step below it, the answer, one step above; ascending, each once. */
  private async curve(steps: Steps): Promise<CurvePoint[]> {
    const { most, keys, step } = this.of;
    const part = (share: number) => steps.map((one) => Math.floor(one * share));
    const choices = [
      ...[part(0), part(0.25), part(0.5), part(0.75)],
      steps.map((one) => Math.max(0, one - 1)),
      [...steps],
      steps.map((one, i) => (one > 0 ? Math.min(one + 1, most.get(keys[i])! / step) : 0)),
    ];
    const once = new Map(choices.map((choice) => [choice.join(), choice]));
    const sum = (choice: Steps) => choice.reduce((total, one) => total + one, 0);
    const points: CurvePoint[] = [];
    for (const choice of [...once.values()].sort((a, b) => sum(a) - sum(b))) {
      points.push(await this.point(choice));
    }
    return points;
  }

  private async point(steps: Steps, runs = this.options.curveRuns): Promise<CurvePoint> {
    const { confidence } = this.options;
    const seeds = this.seeds.slice(0, runs);
    const records = await Promise.all(seeds.map((seed) => this.record(steps, seed)));
    const verdicts = await Promise.all(seeds.map((seed) => this.verdict(steps, seed)));
    const hits = verdicts.filter(({ short }) => short.length > 0).length;
    const requests = (of: 'refused' | 'remote') => {
      const sums = records.map(({ nodes }) => nodes.reduce((sum, node) => sum + node[of], 0));
      return meanInterval(sums, confidence);
    };
    const times = records
      .map((record) => lookupIn(record)('dma_alloc_ns', 'mean') ?? Number.NaN)
      .filter((time) => !Number.isNaN(time));
    const sizes = this.sizes(steps);
    return {
      sizes,
      reserved: this.reserved(sizes),
      bad: proportionInterval(hits, seeds.length, confidence),
      refused: requests('refused'),
      remote: requests('remote'),
      allocNs: meanInterval(times, confidence),
    };
  }

  private verdict(steps: Steps, seed: number): Promise<Verdict> {
    return known(this.verdicts, `${steps.join()} ${seed}`, async () => {
      const record = await this.record(steps, seed);
      return this.judge(steps, record, await this.unavoidable(seed));
    });
  }

  /** The run with the largest areas, if what it cannot avoid is to be forgiven. */
  private async unavoidable(seed: number): Promise<RunRecord | null> {
    const { avoid } = this.options;
    if (!avoid.includes('buddy') && !avoid.includes('default')) return null;
    this.largest ??= this.largestReserved();
    return this.record(await this.largest, seed);
  }

  /** The largest areas, halved until the kernel reserves them. */
  private async largestReserved(): Promise<Steps> {
    const { keys, step, most } = this.of;
    let steps = keys.map((key) => most.get(key)! / step);
    for (;;) {
      const { unreserved } = this.judge(steps, await this.record(steps, this.seeds[0]), null);
      if (unreserved.length === 0) return steps;
      steps = steps.map((one, i) => (unreserved.includes(i) ? Math.floor(one / 2) : one));
    }
  }

  private record(steps: Steps, seed: number): Promise<RunRecord> {
    const job = this.job(steps, seed);
    return known(this.records, job.run, () => this.make(job));
  }

  private async make(job: RunJob): Promise<RunRecord> {
    const { engine, signal, onRun } = this.options;
    signal?.throwIfAborted();
    const made = await engine.run(job);
    if ('error' in made) {
      const what = `seed ${job.seed}: ${made.error}`;
      throw made.kind === 'bug'
        ? new Error(what)
        : new UserError({ file: this.of.scenario.name }, what);
    }
    onRun?.(this.records.size);
    return light(parseRecord(made.record, job.run));
  }

  private job(steps: Steps, seed: number): RunJob {
    const { document, text } = known(this.jobs, steps.join(), () => {
      const { cmdline, config } = bootString(this.of, this.sizes(steps));
      // Expectations may ask for areas that are not there at other sizes.
      const { expect: _, ...rest } = placedDocument(this.of.scenario);
      const document = { ...rest, cmdline, config };
      return { document, text: JSON.stringify(document) };
    });
    const run = this.naming.nameOf(document, seed);
    const scenario = this.of.scenario.name;
    const { modules } = this;
    return { run, scenario, document: text, seed, warmupNs: 0, modules };
  }

  /** Areas that a run found too small: those of the nodes whose requests went wrong. */
  private judge(steps: Steps, record: RunRecord, unavoidable: RunRecord | null): Verdict {
    const { keys, step } = this.of;
    const all = keys.map((_, i) => i);
    if (record.failed !== null) {
      return { short: all, unreserved: all.filter((i) => steps[i] > 0) };
    }
    const unreserved = all.filter((i) => steps[i] > 0 && !has(record, keys[i], steps[i] * step));
    const short = new Set<number>();
    for (const node of record.nodes) {
      const best = unavoidable?.nodes.find(({ nid }) => nid === node.nid);
      const { avoid } = this.options;
      if (!avoid.some((what) => wrong[what](node) > forgiven(what, best))) continue;
      const own = keys.findIndex((key) => key === node.nid || key === 'every');
      // Without an area of the node's, the default area must make up for it; -1 if that is not
      // sized.
      short.add(own >= 0 ? own : keys.indexOf('default'));
    }
    return { short: [...short].sort((a, b) => a - b), unreserved };
  }
}

const wrong: Readonly<Record<Avoid, (node: RunRecord['nodes'][number]) => number>> = {
  refused: ({ refused }) => refused,
  remote: ({ remote }) => remote,
  buddy: ({ byBuddy }) => byBuddy,
  default: ({ byDefault }) => byDefault,
};

function forgiven(what: Avoid, best: RunRecord['nodes'][number] | undefined): number {
  return best && (what === 'buddy' || what === 'default') ? wrong[what](best) : 0;
}

/** True if the kernel has reserved this area, at least as large. */
function has({ areas }: RunRecord, key: AreaKey, size: number): boolean {
  const large = areas.filter(({ count, pageSize }) => count * pageSize >= size);
  if (key === 'default') return large.some(({ role }) => role === 'default');
  const nodes = large.filter(({ role }) => role === 'pernuma' || role === 'numa');
  return key === 'every' ? nodes.length > 0 : nodes.some(({ nid }) => nid === key);
}

/** Parts of a record that are looked at: thousands are held at once. */
function light(record: RunRecord): RunRecord {
  const stats = record.stats.filter(({ name, actor }) => actor === '' && name === 'dma_alloc_ns');
  return { ...record, stats, devices: [], checks: [] };
}
