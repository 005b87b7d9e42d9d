/**
 * runs.parquet: one row per run and statistic, with what tells the run apart in columns of its own.
 */

import { columnType, type TableColumn } from '../tables/parquet.js';
import type { RunRecord } from './record.js';
import type { NeededRun, Study } from './study.js';

const distributed = ['mean', 'min', 'p50', 'p90', 'p99', 'p999', 'max'] as const;
type Distributed = Readonly<Record<(typeof distributed)[number], number | null>>;

/** One number, or one distribution, of one run. */
export interface StatisticRow extends Distributed {
  readonly statistic: string;
  /** A device, a declaration, an area; empty for the whole machine. */
  readonly actor: string;
  readonly kind: 'histogram' | 'counter' | 'area' | 'run';
  readonly unit: string;
  readonly class: string;
  /** The value of all but histograms, of which it is the number of values. */
  readonly count: number;
}

const plain = { mean: null, min: null, p50: null, p90: null, p99: null, p999: null, max: null };

/** Everything a record says, as rows: its statistics, its areas, the run as a whole. */
export function statisticRows(record: RunRecord): StatisticRow[] {
  const ofRun = (statistic: string, count: number): StatisticRow => {
    return { statistic, actor: '', kind: 'run', unit: '1', class: 'exact', count, ...plain };
  };
  if (record.failed !== null) return [ofRun('boot_failed', 1)];
  const areas = record.areas.flatMap((area) => {
    const { count, used, peakUsed, maxchunk, allocPagesSuccess, allocPagesFail } = area;
    const values = {
      ...{ count, used, peak_used: peakUsed, maxchunk },
      ...{ alloc_pages_success: allocPagesSuccess, alloc_pages_fail: allocPagesFail },
    };
    return Object.entries(values).map(([statistic, value]): StatisticRow => {
      const own = { statistic, actor: area.name, unit: 'pages', class: 'exact', count: value };
      return { ...own, kind: 'area', ...plain };
    });
  });
  const failedChecks = record.checks.filter(({ ok }) => !ok).length;
  return [
    ofRun('boot_failed', 0),
    ofRun('events', record.events),
    ofRun('findings', record.findings),
    ofRun('checks_failed', failedChecks),
    ...areas,
    ...record.stats.map(({ name, ...stat }): StatisticRow => ({ statistic: name, ...stat })),
  ];
}

interface RunRow {
  readonly planned: NeededRun;
  readonly record: RunRecord;
  readonly row: StatisticRow;
}

/** Columns of a study's variants: what varies, and its labels. */
export function variantColumns<Row>(
  study: Study,
  valuesOf: (row: Row) => NeededRun['variant'],
): TableColumn<Row>[] {
  const axes = study.axes.map((axis): TableColumn<Row> => {
    const type = columnType(study.variants.map(({ values }) => values[axis]));
    return { name: axis, type, of: (row) => valuesOf(row).values[axis] };
  });
  const labels = Object.entries(study.labels).map(([name, value]): TableColumn<Row> => {
    return { name, type: columnType([value]), of: () => value };
  });
  return [{ name: 'variant', type: 'INT32', of: (row) => valuesOf(row).index }, ...axes, ...labels];
}

/** Columns that every run has; an axis of that name stands in the place of one. */
const words = ['kernel', 'policy', 'machine', 'cmdline'] as const;

export function runColumns(study: Study): TableColumn<RunRow>[] {
  return [
    ...variantColumns<RunRow>(study, ({ planned }) => planned.variant),
    { name: 'scenario', type: 'STRING', of: ({ record }) => record.scenario },
    ...words
      .filter((name) => !study.axes.includes(name))
      .map((name): TableColumn<RunRow> => {
        return { name, type: 'STRING', of: ({ record }) => record[name] };
      }),
    { name: 'seed', type: 'DOUBLE', of: ({ planned }) => planned.seed },
    { name: 'replication', type: 'INT32', of: ({ planned }) => planned.replication },
    { name: 'run', type: 'STRING', of: ({ planned }) => planned.run },
    { name: 'fingerprint', type: 'STRING', of: ({ record }) => record.fingerprint },
    ...(['statistic', 'actor', 'kind', 'unit', 'class'] as const).map((name) => {
      return { name, type: 'STRING', of: ({ row }: RunRow) => row[name] } as const;
    }),
    ...(['count', ...distributed] as const).map((name): TableColumn<RunRow> => {
      return { name, type: 'DOUBLE', of: ({ row }) => row[name] };
    }),
  ];
}

/** Rows in the order given: of the study. */
export async function* runRows(
  runs: Iterable<NeededRun>,
  read: (run: string) => Promise<RunRecord>,
): AsyncGenerator<RunRow> {
  for (const planned of runs) {
    const record = await read(planned.run);
    for (const row of statisticRows(record)) yield { planned, record, row };
  }
}
