/**
 * A study's outcome as a person reads it: one row per variant, mean and half-width of each
 * statistic shown, and the paired difference to the variant it is compared with.
 */

import { type Paint, right, table, timeText } from '../text/table.js';
import type { MeanEstimate } from './intervals.js';
import { known } from './known.js';
import type { Study } from './study.js';
import { type Measured, type SummaryRow, summaryRows, type VariantSummary } from './summary.js';

const shownMax = 6;
/** Statistics shown of those there are, unless the study says. */
const usual = [
  ...['boot_failed', 'refused', 'leaked_pages', 'placed.node', 'placed.default', 'placed.buddy'],
  ...['dma_alloc_ns.mean', 'dma_alloc_ns.p99', 'cmd_sync_ns.mean', 'dma_unmap_ns.mean'],
];

/** `nic.dma_alloc_ns.p99`, `numa1.peak_used`: as `show` and `until` name it. */
function measuredName({ statistic, actor, measure }: Measured): string {
  const name = actor === '' ? statistic : `${actor}.${statistic}`;
  return measure === 'value' ? name : `${name}.${measure}`;
}

export interface StudyText {
  readonly study: Study;
  readonly summaries: readonly VariantSummary[];
  readonly paint: Paint;
  /** Runs are lacking: what is shown may change. */
  readonly partial: boolean;
}

export function studyText({ study, summaries, paint, partial }: StudyText): string {
  const rows = new Map<number, Map<string, SummaryRow>>();
  for (const row of summaryRows(study, summaries)) {
    const own = known(rows, row.variant.index, () => new Map<string, SummaryRow>());
    own.set(measuredName(row.measured), row);
  }
  const shown = shownNames(study, rows);
  const columns = [
    ...study.axes,
    ...right('runs'),
    ...shown.flatMap((name) => right(name, ...(study.baseline ? ['against baseline'] : []))),
  ];
  const cells = summaries.map(({ variant, count }) => {
    const own = rows.get(variant.index);
    return [
      ...study.axes.map((axis) => String(variant.values[axis])),
      count,
      ...shown.flatMap((name) => {
        const row = own?.get(name) ?? own?.get(`${name}.mean`);
        const cell = row ? estimateText(row.estimate, row.measured.unit) : '-';
        if (!study.baseline) return [cell];
        return [cell, row?.difference ? differenceText(row.difference, row.measured.unit) : '-'];
      }),
    ];
  });
  const percent = Number((study.confidence * 100).toFixed(3));
  const title = study.title === '' ? study.name : `${study.name}: ${study.title}`;
  return [
    paint.bold(title),
    ...(partial ? [paint.bad('  runs are lacking: everything below is partial')] : []),
    `  mean over runs +- half the ${percent} % interval`,
    `  model ${study.model} | seed ${study.seed}`,
    ...table(columns, cells).map((line) => `  ${line}`),
  ].join('\n');
}

function shownNames(
  study: Study,
  rows: ReadonlyMap<number, ReadonlyMap<string, SummaryRow>>,
): readonly string[] {
  if (study.show.length > 0) return study.show;
  const some = (name: string, worth: (row: SummaryRow) => boolean) =>
    [...rows.values()].some((own) => {
      const row = own.get(name);
      return row !== undefined && worth(row);
    });
  const kept = usual.filter((name) =>
    // A count that is 0 everywhere says nothing, but that nothing was refused does.
    some(name, ({ estimate, measured }) => {
      return measured.measure !== 'value' || name === 'refused' || estimate.mean !== 0;
    }),
  );
  return kept.slice(0, shownMax);
}

function estimateText({ mean, half }: MeanEstimate, unit: string): string {
  if (Number.isNaN(mean)) return '-';
  const value = valueText(mean, unit);
  return half === null || half === 0 ? value : `${value} +- ${valueText(half, unit)}`;
}

function differenceText(difference: MeanEstimate, unit: string): string {
  const sign = difference.mean > 0 ? '+' : '';
  return `${sign}${estimateText(difference, unit)}`;
}

function valueText(value: number, unit: string): string {
  if (unit === 'ns') return timeText(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** The same for scripts: every number of every variant. */
export function studyDocument(
  study: Study,
  summaries: readonly VariantSummary[],
): Record<string, unknown> {
  const { name, title, model, seed, confidence, labels } = study;
  const variants = summaries.map(({ variant: { index, values }, count }) => {
    return { index, values, runs: count };
  });
  const statistics = [...summaryRows(study, summaries)].map((row) => ({
    variant: row.variant.index,
    name: measuredName(row.measured),
    unit: row.measured.unit,
    class: row.measured.class,
    count: row.estimate.count,
    mean: finite(row.estimate.mean),
    low: row.estimate.low,
    high: row.estimate.high,
    baseline: row.baseline,
    difference: row.difference && {
      mean: row.difference.mean,
      low: row.difference.low,
      high: row.difference.high,
    },
  }));
  return { study: { name, title, model, seed, confidence, labels }, variants, statistics };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
