/**
 * A results directory:
 *
 *   study.json        what is asked, as data: enough to go on with, to merge, to read the tables
 *   journal/*.jsonl   runs as they came (journal.ts)
 *   runs.jsonl        all of them, once the study is finished
 *   runs.parquet      one row per run and statistic       } when it is finished, and the same bytes
 *   summary.parquet   one row per variant and statistic   } however it came to that
 *
 * A directory may be handed another study: runs both need are there already.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryNames, exists, readBytes, readJson } from '../files/read.js';
import { replaceFile } from '../files/write.js';
import { writeTable } from '../tables/parquet.js';
import { UserError } from '../text/userError.js';
import { canonical } from './identity.js';
import { Journal } from './journal.js';
import type { RunLedger } from './runLedger.js';
import { runColumns, runRows } from './runsTable.js';
import type { NeededRun, Study } from './study.js';
import { summaryColumns, summaryRows, VariantSummary } from './summary.js';

const format = 'cmasim-study/1';
const studyFile = 'study.json';
export const runsTable = 'runs.parquet';
export const summaryTable = 'summary.parquet';

/**
 * Opens a directory for a study, made if need be. Throws UserError if something else is in it.
 */
export async function openResults(directory: string, study: Study): Promise<Journal> {
  const names = exists(directory) ? directoryNames(directory) : [];
  // What a process left that died while it wrote is nobody's.
  const ours = names.filter((name) => name.endsWith('.tmp') || name === 'journal');
  const before = names.includes(studyFile);
  if (names.length > ours.length && !before) {
    throw new UserError({ file: directory }, 'holds something else, expected a new directory');
  }
  const journal = await Journal.open(directory);
  const text = `${JSON.stringify({ format, ...study }, null, 2)}\n`;
  const path = join(directory, studyFile);
  if (before && readBytes(path).toString() === text) return journal;
  // Tables of another study would be taken for this one's.
  for (const name of [runsTable, summaryTable]) await rm(join(directory, name), { force: true });
  await replaceFile(path, async (file) => {
    await file.writeFile(text);
  });
  return journal;
}

/** The study a directory is about. Throws UserError. */
export function readStudy(directory: string): Study {
  const path = join(directory, studyFile);
  if (!exists(path)) {
    throw new UserError({ file: directory }, 'no study.json, expected a results directory');
  }
  const { format: found, ...study } = readJson(path, 'a study') as Study & { format: string };
  if (found === format) return study;
  throw new UserError({ file: path }, `not of format ${format}`);
}

/** True for studies that ask the same. */
export function sameStudy(a: Study, b: Study): boolean {
  return canonical(a) === canonical(b);
}

/** Takes in every run that is there; resolves to the number of those known to be lacking. */
export async function takeIn(ledger: RunLedger, journal: Journal): Promise<number> {
  let lacking = 0;
  for (let planned = ledger.next(); planned !== undefined; planned = ledger.next()) {
    const { run } = planned;
    if (journal.has(run)) ledger.take(planned, ledger.reads ? await journal.read(run) : null);
    else lacking++;
  }
  return lacking;
}

/** The replications of every variant, as far as they are there. */
export async function summariesOf(
  study: Study,
  runs: Iterable<NeededRun>,
  journal: Journal,
): Promise<VariantSummary[]> {
  const summaries = study.variants.map((variant) => new VariantSummary(variant));
  for (const { variant, run } of runs) {
    if (journal.has(run)) summaries[variant.index].add(await journal.read(run));
  }
  return summaries;
}

/** Writes the tables of a study whose runs are all there. Throws UserError. */
export async function finishResults(
  directory: string,
  study: Study,
  { ledger, journal }: { ledger: RunLedger; journal: Journal },
): Promise<VariantSummary[]> {
  const runs = [...ledger.runs()];
  const read = (run: string) => journal.read(run);
  await writeTable(join(directory, runsTable), runColumns(study), runRows(runs, read));
  const summaries = await summariesOf(study, runs, journal);
  const rows = summaryRows(study, summaries);
  await writeTable(join(directory, summaryTable), summaryColumns(study), rows);
  await journal.compact(runs.map(({ run }) => run));
  for (const name of directoryNames(directory)) {
    if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true });
  }
  return summaries;
}
