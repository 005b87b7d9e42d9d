/**
 * Statistics: declared once with unit, class and meaning, in lists of those who record them;
 * recorded per actor; merged over shards.
 *
 * Counts and sums are whole numbers and histograms are counts, so the order of recording and of
 * merging changes nothing. A histogram is log-linear (64 buckets per power of two): count, sum,
 * least and largest value are exact, quantiles within 0.8 %.
 */

/**
 * exact: equal to the kernel's. calibrated: fitted to a measurement. assumed: a parameter of ours.
 */
type StatisticClass = 'exact' | 'calibrated' | 'assumed';

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
  /** Number in this thread; names, not numbers, travel between threads. */
  readonly index: number;
}

let declared = 0;

function declare(kind: Statistic['kind'], name: string, declaration: Declaration): Statistic {
  return { kind, name, index: declared++, ...declaration };
}

/** Declares a distribution of whole numbers from 0 to 2^53 - 1. */
export function histogram(name: string, declaration: Declaration): Statistic {
  return declare('histogram', name, declaration);
}

/** Declares a count of something. */
export function counter(name: string, declaration: Declaration): Statistic {
  return declare('counter', name, declaration);
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

/** One row of the recorder: doubles of one sample, and where its buckets lie. */
const row = { count: 0, sum: 1, min: 2, max: 3, first: 4, buckets: 5, at: 6 } as const;
const ROW = 8;

/**
 * Records the statistics of a shard's actors. What was never recorded takes no room.
 *
 * Samples are rows of two slabs: with thousands of actors every record misses the cache, so it is
 * made to touch one line of numbers and one of buckets.
 */
export class Recorder {
  /** Statistic -> actor -> offset of its row, 0 for none. */
  private readonly index: Int32Array[] = [];
  /** The first row belongs to nobody. */
  private rows = new Float64Array(ROW * 64);
  private counts = new Uint32Array(LINEAR * 64);
  private usedCounts = 0;
  /** Whose row it is, by position. */
  private readonly owners: { readonly statistic: Statistic; readonly actor: number }[] = [];

  /** One value of a histogram: a whole number from 0 on. */
  record(statistic: Statistic, actor: number, value: number): void {
    if (!(value >= 0 && Number.isSafeInteger(value))) {
      throw new RangeError(`${statistic.name} of actor ${actor}: ${value} is not a whole number`);
    }
    const at = this.rowOf(statistic, actor);
    const { rows } = this;
    const bucket = bucketOf(value);
    let place = bucket - rows[at + row.first];
    if (!(place >= 0 && place < rows[at + row.buckets])) {
      this.cover(at, bucket);
      place = bucket - rows[at + row.first];
    }
    this.counts[rows[at + row.at] + place]++;
    rows[at + row.count]++;
    rows[at + row.sum] += value;
    if (value < rows[at + row.min]) rows[at + row.min] = value;
    if (value > rows[at + row.max]) rows[at + row.max] = value;
  }

  /** Adds a whole number to a counter. */
  add(statistic: Statistic, actor: number, n = 1): void {
    const at = this.rowOf(statistic, actor);
    this.rows[at + row.count]++;
    this.rows[at + row.sum] += n;
  }

  /** Forgets all values; what has been recorded once stays known, with none. */
  clear(): void {
    for (let at = ROW; at <= this.owners.length * ROW; at += ROW) {
      this.rows[at + row.count] = 0;
      this.rows[at + row.sum] = 0;
      this.rows[at + row.min] = Infinity;
      this.rows[at + row.max] = -Infinity;
    }
    this.counts.fill(0);
  }

  /** Everything recorded, by name and actor, as plain data that later recording does not change. */
  snapshot(): Sample[] {
    const samples = this.owners.map(({ statistic, actor }, i): Sample => {
      const at = (i + 1) * ROW;
      const [count, sum, min, max, first, buckets, start] = this.rows.subarray(at, at + ROW);
      const counts = buckets === 0 ? NONE : this.counts.slice(start, start + buckets);
      return { ...emptySample(statistic, actor), count, sum, min, max, first, counts };
    });
    return samples.sort(byName);
  }

  private rowOf(statistic: Statistic, actor: number): number {
    const at = this.index[statistic.index]?.[actor];
    return at === undefined || at === 0 ? this.create(statistic, actor) : at;
  }

  private create(statistic: Statistic, actor: number): number {
    let index = this.index[statistic.index] ?? new Int32Array(64);
    if (actor >= index.length) {
      const longer = new Int32Array(2 ** Math.ceil(Math.log2(actor + 1)));
      longer.set(index);
      index = longer;
    }
    this.index[statistic.index] = index;
    this.owners.push({ statistic, actor });
    const at = this.owners.length * ROW;
    if (at + ROW > this.rows.length) {
      const rows = new Float64Array(this.rows.length * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.rows[at + row.min] = Infinity;
    this.rows[at + row.max] = -Infinity;
    index[actor] = at;
    return at;
  }

  /**
   * Widens the buckets of a row to include `bucket`, in whole powers of two; the old ones are left
   * behind.
   */
  private cover(at: number, bucket: number): void {
    const { rows } = this;
    const start = bucket - (bucket % LINEAR);
    const had = rows[at + row.buckets];
    const old = rows[at + row.first];
    if (had > 0 && bucket >= old && bucket < old + had) return;
    const first = had === 0 ? start : Math.min(old, start);
    const end = Math.max(had === 0 ? 0 : old + had, start + LINEAR);
    const place = this.usedCounts;
    this.usedCounts += end - first;
    if (this.usedCounts > this.counts.length) {
      const counts = new Uint32Array(Math.max(this.counts.length * 2, this.usedCounts));
      counts.set(this.counts);
      this.counts = counts;
    }
    const from = rows[at + row.at];
    this.counts.copyWithin(place + (old - first), from, from + had);
    rows[at + row.first] = first;
    rows[at + row.buckets] = end - first;
    rows[at + row.at] = place;
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
