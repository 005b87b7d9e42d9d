/**
 * summary.parquet and the printed table: what the replications of every variant say, with
 * intervals, and how far each lies from the variant it is compared with.
 */

import type { TableColumn } from '../tables/parquet.js';
import { type MeanEstimate, meanInterval, pairedInterval, quantileInterval } from './intervals.js';
import { known } from './known.js';
import type { RunRecord } from './record.js';
import { type StatisticRow, statisticRows, variantColumns } from './runsTable.js';
import { baselineOf, type Study, type Variant } from './study.js';

/** One number of a run, by what it is: `dma_alloc_ns` of `nic`, p99. */
export interface Measured extends Pick<StatisticRow, 'statistic' | 'actor' | 'unit' | 'class'> {
  /** `value` of what is no distribution. */
  readonly measure: 'value' | 'count' | 'mean' | 'p50' | 'p90' | 'p99' | 'p999' | 'max';
  /** By replication; NaN where a run has nothing of it. */
  readonly values: number[];
}

const distribution = ['count', 'mean', 'p50', 'p90', 'p99', 'p999', 'max'] as const;

/** The runs of one variant, number by number. */
export class VariantSummary {
  readonly variant: Variant;
  /** Replications taken in. */
  count = 0;
  private readonly series = new Map<string, Measured & { readonly counts: boolean }>();

  constructor(variant: Variant) {
    this.variant = variant;
  }

  /** Takes in the next replication. */
  add(record: RunRecord): void {
    for (const row of statisticRows(record)) {
      if (row.kind !== 'histogram') this.put(row, 'value', row.count);
      else for (const measure of distribution) this.put(row, measure, row[measure]);
    }
    this.count++;
  }

  /** By statistic, actor and measure; what was never counted in a run is 0 there. */
  measured(): Measured[] {
    const list = [...this.series.values()].map(({ counts, values, ...what }): Measured => {
      const padded = Array.from({ length: this.count }, (_, i) => values[i] ?? Number.NaN);
      if (!counts) return { ...what, values: padded };
      return { ...what, values: padded.map((value) => (Number.isNaN(value) ? 0 : value)) };
    });
    return list.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Counters of this variant's runs. */
  counters(): Measured[] {
    return this.measured().filter(({ measure, statistic, actor }) => {
      return measure === 'value' && this.series.get(keyOf({ statistic, actor, measure }))?.counts;
    });
  }

  /** A counter that other variants have counted is 0 here, if the actor is there at all. */
  addZero({ values: _, ...counter }: Measured): void {
    const key = keyOf(counter);
    const { actor } = counter;
    const there = actor === '' || [...this.series.values()].some((one) => one.actor === actor);
    if (there && !this.series.has(key))
      this.series.set(key, { ...counter, values: [], counts: true });
  }

  private put(row: StatisticRow, measure: Measured['measure'], value: number | null): void {
    const { statistic, actor, unit, class: of } = row;
    const what = { statistic, actor, unit, class: of, measure };
    const one = known(this.series, keyOf(what), () => {
      return { ...what, values: [], counts: row.kind === 'counter' || measure === 'count' };
    });
    while (one.values.length < this.count) one.values.push(Number.NaN);
    one.values[this.count] = value ?? Number.NaN;
  }
}

function keyOf({
  statistic,
  actor,
  measure,
}: Pick<Measured, 'statistic' | 'actor' | 'measure'>): string {
  return `${statistic}\n${actor}\n${measure}`;
}

export interface SummaryRow {
  readonly variant: Variant;
  readonly measured: Measured;
  /** Replications that have the number. */
  readonly estimate: MeanEstimate;
  /** Index of the variant it is compared with, and the mean of the paired differences. */
  readonly baseline: number | null;
  readonly difference: MeanEstimate | null;
}

/** Rows of all variants, in their order. */
export function* summaryRows(
  study: Study,
  summaries: readonly VariantSummary[],
): Generator<SummaryRow> {
  const counters = new Map(
    summaries.flatMap((one) => one.counters().map((counter) => [keyOf(counter), counter] as const)),
  );
  for (const one of summaries) for (const counter of counters.values()) one.addZero(counter);
  const measured = new Map<number, Map<string, Measured>>();
  const of = (index: number): Map<string, Measured> =>
    known(measured, index, () => {
      return new Map(summaries[index].measured().map((one) => [keyOf(one), one]));
    });
  for (const { variant } of summaries) {
    const baseline = baselineOf(study, variant);
    for (const [key, one] of of(variant.index)) {
      const other = baseline && of(baseline.index).get(key);
      yield {
        variant,
        measured: one,
        estimate: meanInterval(present(one.values), study.confidence),
        baseline: baseline?.index ?? null,
        difference: other ? pairedDifference(one.values, other.values, study.confidence) : null,
      };
    }
    if (study.baseline === null) measured.delete(variant.index);
  }
}

function present(values: readonly number[]): number[] {
  return values.filter((value) => !Number.isNaN(value));
}

/** Of the replications in which both have the number; null if there are none. */
function pairedDifference(
  a: readonly number[],
  b: readonly number[],
  confidence: number,
): MeanEstimate | null {
  const both = a.flatMap((value, i) => (Number.isNaN(value - (b[i] ?? Number.NaN)) ? [] : [i]));
  if (both.length === 0) return null;
  return pairedInterval(
    both.map((i) => a[i]),
    both.map((i) => b[i]),
    confidence,
  );
}

/** `p50`, `p99_9` of 0.5 and 0.999: a name that SQL takes as it is. */
function quantileName(q: number): string {
  return `p${Number((q * 100).toFixed(6))}`.replace('.', '_');
}

export function summaryColumns(study: Study): TableColumn<SummaryRow>[] {
  const text = (name: 'statistic' | 'actor' | 'measure' | 'unit' | 'class') => {
    return { name, type: 'STRING', of: ({ measured }: SummaryRow) => measured[name] } as const;
  };
  const number = (name: string, of: (row: SummaryRow) => number | null | undefined) => {
    return { name, type: 'DOUBLE', of } as const;
  };
  const quantiles = study.quantiles.flatMap((q): TableColumn<SummaryRow>[] => {
    const name = quantileName(q);
    const of = ({ measured }: SummaryRow) =>
      quantileInterval(present(measured.values), q, study.confidence);
    return [
      number(name, (row) => of(row).value),
      number(`${name}_low`, (row) => of(row).low),
      number(`${name}_high`, (row) => of(row).high),
    ];
  });
  return [
    ...variantColumns<SummaryRow>(study, ({ variant }) => variant),
    ...[text('statistic'), text('actor'), text('measure'), text('unit'), text('class')],
    { name: 'count', type: 'INT32', of: ({ estimate }) => estimate.count },
    number('mean', ({ estimate }) => estimate.mean),
    number('mean_low', ({ estimate }) => estimate.low),
    number('mean_high', ({ estimate }) => estimate.high),
    number('deviation', ({ estimate }) => estimate.deviation),
    ...quantiles,
    { name: 'baseline', type: 'INT32', of: ({ baseline }) => baseline },
    number('difference', ({ difference }) => difference?.mean),
    number('difference_low', ({ difference }) => difference?.low),
    number('difference_high', ({ difference }) => difference?.high),
  ];
}
