/**
 * The requests of a run, and the state of its areas over time, as Parquet.
 */
import { join } from 'node:path';
import { type TableColumn, writeTable } from '../tables/parquet.js';
import { requestColumns } from '../tables/requestColumns.js';
import { type AreaCounter, areaCounters } from './areacounter.js';
import { areaChanges, type ExportRun } from './run.js';

interface AreaRow {
  readonly time: number;
  readonly area: string;
  readonly nid: number;
  readonly used: number;
  readonly maxchunk: number;
}

const areaColumns: readonly TableColumn<AreaRow>[] = [
  { name: 'time_ns', type: 'DOUBLE', of: ({ time }) => time },
  { name: 'area', type: 'STRING', of: ({ area }) => area },
  { name: 'nid', type: 'INT32', of: ({ nid }) => nid },
  { name: 'used', type: 'INT32', of: ({ used }) => used },
  { name: 'maxchunk', type: 'INT32', of: ({ maxchunk }) => maxchunk },
];

/** Writes requests.parquet and areas.parquet into a directory that is there. */
export async function writeTables(directory: string, run: ExportRun): Promise<void> {
  await writeTable(join(directory, 'requests.parquet'), requestColumns, run.placements);
  await writeTable(join(directory, 'areas.parquet'), areaColumns, areaRows(run));
}

/** One row per area at the start, then one after every change. */
function* areaRows(run: ExportRun): Generator<AreaRow> {
  const counters = areaCounters(run);
  const row = (time: number, { area, used, maxchunk }: AreaCounter): AreaRow => {
    return { time, area: area.name, nid: area.nid, used, maxchunk };
  };
  for (const counter of counters) yield row(0, counter);
  for (const change of areaChanges(run)) {
    const counter = counters[change.area];
    counter.apply(change);
    yield row(change.time, counter);
  }
}
