/**
 * A study from its file to its tables: opens the results directory and the engine, makes what is
 * lacking, finishes the directory when nothing is.
 */

import type { Engine } from './engine.js';
import type { Journal } from './journal.js';
import { finishResults, openResults, summariesOf, takeIn } from './results.js';
import { RunLedger, type Shard } from './runLedger.js';
import type { Study } from './study.js';
import type { VariantSummary } from './summary.js';
import { type SweepOptions, type SweepOutcome, sweep } from './sweep.js';
import { Threads } from './threads.js';

export interface StudyOptions extends Pick<SweepOptions, 'signal' | 'onRun' | 'onState'> {
  /** Threads; as many as there are cores unless given. */
  readonly jobs?: number;
  /**
   * `redis://…` or `valkey://…`, whose workers make the runs instead of threads of this process.
   */
  readonly engine?: string;
  /** Make this part of the runs only. */
  readonly shard?: Shard;
  /** The directory is open: records in it that were torn, and are made again. */
  readonly onOpen?: (torn: number) => void;
}

/** Results of a study, as its directory has them. */
export interface StudyResults {
  readonly summaries: readonly VariantSummary[];
  readonly ledger: RunLedger;
  /** Runs known to be lacking; 0: the tables are written. */
  readonly lacking: number;
}

export interface StudyRun extends StudyResults, Omit<SweepOutcome, 'ledger'> {
  /** Runs the directory holds, of whatever study. */
  readonly kept: number;
}

/**
 * Makes the runs of a study that `directory` lacks. Stopped in any way and called again, it goes on
 * where it was. Rejects with UserError when the disk or the engine does not, or the directory
 * holds something else.
 */
export async function runStudy(
  study: Study,
  directory: string,
  options: StudyOptions = {},
): Promise<StudyRun> {
  const journal = await openResults(directory, study);
  try {
    options.onOpen?.(journal.torn);
    const engine = await openEngine(study.model, options);
    let outcome: SweepOutcome;
    try {
      outcome = await sweep({ ...options, study, journal, engine });
    } finally {
      await engine.close();
    }
    return { ...outcome, ...(await settle(directory, study, journal)), kept: journal.size };
  } finally {
    await journal.close();
  }
}

export async function openEngine(
  model: string,
  { engine, jobs }: Pick<StudyOptions, 'engine' | 'jobs'>,
): Promise<Engine> {
  if (engine === undefined) return new Threads(jobs === undefined ? {} : { jobs });
  // Loaded on demand: nothing else needs it, and it is large.
  const { RedisQueue } = await import('./queue.js');
  return RedisQueue.connect(engine, { model });
}

/** Writes the tables if no run is lacking, of whichever shard. */
export async function settle(
  directory: string,
  study: Study,
  journal: Journal,
): Promise<StudyResults> {
  const ledger = new RunLedger(study);
  const lacking = await takeIn(ledger, journal);
  const summaries =
    lacking === 0
      ? await finishResults(directory, study, { ledger, journal })
      : await summariesOf(study, ledger.runs(), journal);
  return { summaries, ledger, lacking };
}
