/**
 * Statistics: declared once with unit, class and meaning; recorded per actor; merged over shards.
 *
 * Counts and sums are whole numbers and histograms are counts, so the order of recording and of merging
 * changes nothing. A histogram is log-linear (64 buckets per power of two): count, sum, least and largest
 * value are exact, quantiles within 0.8 %.
 */

/** exact: equal to the kernel's. calibrated: fitted to a measurement. assumed: a parameter of ours. */
export type StatisticClass = 'exact' | 'calibrated' | 'assumed';

export interface Declaration {
  /** Base unit of the values, such as `ns`, `pages` or `1`. */
  readonly unit: string;
  readonly class: StatisticClass;
  /** One sentence: what it counts, as whom. */
  readonly help: string;
}

export interface Statistic extends Declaration {
  readonly kind: 'histogram' | 'counter';
  readonly name: string;
  /** Position in this thread's registry; names, not positions, travel between threads. */
  readonly index: number;
}

const registry = new Map<string, Statistic>();

function declare(kind: Statistic['kind'], name: string, declaration: Declaration): Statistic {
  const known = registry.get(name);
  const statistic = { kind, name, index: known?.index ?? registry.size, ...declaration };
  if (known !== undefined) {
    const same = known.kind === kind && known.unit === declaration.unit;
    if (same && known.class === declaration.class) return known;
    throw new Error(`statistic ${name} is declared twice, and differently`);
  }
  registry.set(name, statistic);
  return statistic;
}

/** Declares a distribution of whole numbers from 0 to 2^53 - 1. */
export function histogram(name: string, declaration: Declaration): Statistic {
  return declare('histogram', name, declaration);
}

/** Declares a count of something. */
export function counter(name: string, declaration: Declaration): Statistic {
  return declare('counter', name, declaration);
}

/** Declaration of this name, undefined if nothing of that name was declared in this thread. */
export function statisticNamed(name: string): Statistic | undefined {
  return registry.get(name);
}

/** All declarations, by name. */
export function declaredStatistics(): Statistic[] {
  return [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const LINEAR = 64;
const LINEAR_BITS = 6;

/** Bucket of a value: values below 128 have their own; above, 64 per power of two. */
export function bucketOf(value: number): number {
  if (value < 2 * LINEAR) return value;
  if (value < 2 ** 31) {
    const shift = 31 - LINEAR_BITS - Math.clz32(value);
    return shift * LINEAR + (value >>> shift);
  }
  const high = 31 - Math.clz32(value / 2 ** 31);
  const shift = high + 31 - LINEAR_BITS;
  return shift * LINEAR + Math.floor(value / 2 ** shift);
}

/** Middle of a bucket, as a whole number. */
export function bucketMiddle(bucket: number): number {
  if (bucket < 2 * LINEAR) return bucket;
  const shift = Math.floor(bucket / LINEAR) - 1;
  const width = 2 ** shift;
  return (bucket - shift * LINEAR) * width + Math.floor(width / 2);
}

/** Values of one statistic of one actor, as plain data. A counter has only `sum`. */
export interface Sample {
  readonly name: string;
  readonly kind: Statistic['kind'];
  readonly unit: string;
  readonly class: StatisticClass;
  readonly actor: number;
  count: number;
  sum: number;
  /** Infinity if nothing was recorded. */
  min: number;
  /** -Infinity if nothing was recorded. */
  max: number;
  /** Bucket of counts[0]. */
  first: number;
  counts: Uint32Array;
}

const NONE = new Uint32Array(0);

function emptySample(statistic: Statistic, actor: number): Sample {
  const { name, kind, unit } = statistic;
  const empty = { count: 0, sum: 0, min: Infinity, max: -Infinity, first: 0, counts: NONE };
  return { name, kind, unit, class: statistic.class, actor, ...empty };
}

/** Widens the range of buckets to include `bucket`, in whole powers of two. */
function cover(sample: Sample, bucket: number): void {
  const start = bucket - (bucket % LINEAR);
  if (sample.counts.length === 0) {
    sample.first = start;
    sample.counts = new Uint32Array(LINEAR);
    return;
  }
  const first = Math.min(sample.first, start);
  const end = Math.max(sample.first + sample.counts.length, start + LINEAR);
  const counts = new Uint32Array(end - first);
  counts.set(sample.counts, sample.first - first);
  sample.first = first;
  sample.counts = counts;
}

const PAGE_BITS = 8;
const PAGE = 1 << PAGE_BITS;

/** Records the statistics of a shard's actors. What was never recorded takes no room. */
export class Recorder {
  /** Statistic -> actor / 256 -> actor % 256 -> sample. */
  private readonly pages: (Sample | undefined)[][][] = [];

  /** One value of a histogram: a whole number from 0 on. */
  record(statistic: Statistic, actor: number, value: number): void {
    const sample = this.sample(statistic, actor);
    if (!(value >= 0 && Number.isSafeInteger(value))) {
      throw new RangeError(`${statistic.name} of actor ${actor}: ${value} is not a whole number`);
    }
    const bucket = bucketOf(value);
    let at = bucket - sample.first;
    if (at < 0 || at >= sample.counts.length) {
      cover(sample, bucket);
      at = bucket - sample.first;
    }
    sample.counts[at]++;
    sample.count++;
    sample.sum += value;
    if (value < sample.min) sample.min = value;
    if (value > sample.max) sample.max = value;
  }

  /** Adds a whole number to a counter. */
  add(statistic: Statistic, actor: number, n = 1): void {
    const sample = this.sample(statistic, actor);
    sample.count++;
    sample.sum += n;
  }

  /** Everything recorded, by name and actor, as plain data that later recording does not change. */
  snapshot(): Sample[] {
    const samples: Sample[] = [];
    for (const pages of this.pages) {
      for (const page of pages ?? []) {
        for (const sample of page ?? []) {
          if (sample !== undefined) samples.push({ ...sample, counts: sample.counts.slice() });
        }
      }
    }
    return samples.sort(byName);
  }

  /** Takes in what a snapshot holds: of another shard, or of a checkpoint. */
  absorb(samples: readonly Sample[]): void {
    for (const from of samples) {
      const statistic = registry.get(from.name);
      if (statistic === undefined) throw new Error(`statistic ${from.name} is not declared`);
      mergeInto(this.sample(statistic, from.actor), from);
    }
  }

  private sample(statistic: Statistic, actor: number): Sample {
    const sample = this.pages[statistic.index]?.[actor >>> PAGE_BITS]?.[actor & (PAGE - 1)];
    return sample ?? this.create(statistic, actor);
  }

  private create(statistic: Statistic, actor: number): Sample {
    const sample = emptySample(statistic, actor);
    this.pages[statistic.index] ??= [];
    const pages = this.pages[statistic.index];
    pages[actor >>> PAGE_BITS] ??= [];
    pages[actor >>> PAGE_BITS][actor & (PAGE - 1)] = sample;
    return sample;
  }
}

function byName(a: Sample, b: Sample): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.actor - b.actor;
}

function mergeInto(to: Sample, from: Sample): void {
  to.count += from.count;
  to.sum += from.sum;
  to.min = Math.min(to.min, from.min);
  to.max = Math.max(to.max, from.max);
  if (from.counts.length === 0) return;
  cover(to, from.first);
  cover(to, from.first + from.counts.length - 1);
  const offset = from.first - to.first;
  for (let i = 0; i < from.counts.length; i++) to.counts[offset + i] += from.counts[i];
}

/** One list out of many: samples of the same statistic and actor become one. */
export function mergeSamples(lists: readonly (readonly Sample[])[]): Sample[] {
  const merged = new Map<string, Sample>();
  for (const from of lists.flat()) {
    const key = `${from.actor} ${from.name}`;
    const to = merged.get(key);
    if (to === undefined) merged.set(key, { ...from, counts: from.counts.slice() });
    else mergeInto(to, from);
  }
  return [...merged.values()].sort(byName);
}

/** All actors' samples of one statistic as one, whose `actor` is -1; undefined if there are none. */
export function totalOf(samples: readonly Sample[], name: string): Sample | undefined {
  const ones = samples.filter((s) => s.name === name).map((s) => [{ ...s, actor: -1 }]);
  return mergeSamples(ones)[0];
}

/** Value below or at which a share `q` of the values lies, within 0.8 %; NaN if there are none. */
export function quantile(sample: Sample, q: number): number {
  if (sample.count === 0 || sample.counts.length === 0) return Number.NaN;
  const rank = Math.max(1, Math.ceil(q * sample.count));
  if (rank === sample.count) return sample.max;
  let seen = 0;
  for (let i = 0; i < sample.counts.length; i++) {
    seen += sample.counts[i];
    if (seen >= rank) {
      return Math.min(sample.max, Math.max(sample.min, bucketMiddle(sample.first + i)));
    }
  }
  return sample.max;
}

export interface Summary {
  readonly count: number;
  readonly sum: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** The figures a person reads. */
export function summarize(sample: Sample): Summary {
  const { count, sum, min, max } = sample;
  const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((q) => quantile(sample, q));
  return { count, sum, mean: sum / count, min, p50, p90, p99, p999, max };
}
