/**
 * `cmasim sweep FILE`: makes the runs of a study, keeps them as they come, and says what they show.
 */

import { Command, InvalidArgumentError } from 'commander';
import { StorageError } from '../experiment/durable.js';
import { type Engine, EngineError } from '../experiment/engine.js';
import type { Journal } from '../experiment/journal.js';
import { Ledger, type Shard } from '../experiment/ledger.js';
import { loadStudy } from '../experiment/loadStudy.js';
import { finishResults, openResults, summarize, takeIn } from '../experiment/results.js';
import { type Study, variantText } from '../experiment/study.js';
import { studyDocument, studyText } from '../experiment/studyText.js';
import type { VariantSummary } from '../experiment/summary.js';
import { type SweepOutcome, sweep } from '../experiment/sweep.js';
import { Threads } from '../experiment/threads.js';
import { complain, print, printJson, stdoutPaint } from './output.js';
import { interruptedCode, overridesOf } from './run.js';
import { SweepProgress } from './sweepProgress.js';
import { UsageError } from './usage.js';

interface SweepCliOptions {
  readonly output?: string;
  readonly jobs?: number;
  readonly engine?: string;
  readonly shard?: Shard;
  readonly set: readonly string[];
  readonly list?: boolean;
  readonly json?: boolean;
}

export function sweepCommand(): Command {
  return new Command('sweep')
    .summary('run a study: variants of a scenario, many times each, with intervals')
    .description(
      'Makes every run of a study (a YAML file) that the results directory lacks, then writes\n' +
        'runs.parquet and summary.parquet there and prints what the runs show. Stopped in any way, the\n' +
        'same command goes on where it was.',
    )
    .argument('<file>', 'a study')
    .option(
      '-o, --output <dir>',
      'results directory; the name of the study and .sweep unless given',
    )
    .option('--jobs <count>', 'threads; as many as there are cores unless given', jobs)
    .option(
      '--engine <url>',
      'hand runs to `cmasim worker`s through this Redis or Valkey',
      engineUrl,
    )
    .option('--shard <i/n>', 'make part i of n only; `cmasim merge` puts the parts together', shard)
    .option('--set <key=value>', 'any key of the scenario, in every variant', keyValue, [])
    .option('--list', 'print the variants and the number of runs, and run nothing')
    .option('--json', 'print one document; progress as JSON events on standard error')
    .action(sweepFile);
}

export function keyValue(value: string, before: readonly string[] = []): readonly string[] {
  if (/^[^=]+=/.test(value)) return [...before, value];
  throw new InvalidArgumentError('expected key=value');
}

export function jobs(value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count;
  throw new InvalidArgumentError('expected a number from 1 to 1024');
}

export function engineUrl(value: string): string {
  if (/^(redis|valkey)s?:\/\/./.test(value)) return value;
  throw new InvalidArgumentError('expected redis://host:port or valkey://host:port');
}

function shard(value: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(value) ?? [];
  if (Number(index) >= 1 && Number(index) <= Number(count)) {
    return { index: Number(index) - 1, count: Number(count) };
  }
  throw new InvalidArgumentError('expected i/n with i from 1 to n');
}

async function sweepFile(file: string, options: SweepCliOptions): Promise<void> {
  const study = loadStudy(file, { overrides: overridesOf({ set: options.set }) });
  if (options.list) return list(study, options);
  const directory = options.output ?? `${study.name}.sweep`;
  await usable(async () => {
    const journal = await openResults(directory, study);
    try {
      await sweepInto(directory, { study, journal, options });
    } finally {
      await journal.close();
    }
  });
}

/** What the user can mend, such as a full disk, is said in one line. */
export async function usable(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof StorageError || error instanceof EngineError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}

export async function openEngine(
  { model }: Pick<Study, 'model'>,
  { engine, jobs }: { engine?: string; jobs?: number },
): Promise<Engine> {
  if (engine === undefined) return new Threads(jobs === undefined ? {} : { jobs });
  // Loaded on demand: nothing else needs it, and it is large.
  const { RedisQueue } = await import('../experiment/queue.js');
  return RedisQueue.connect(engine, { model });
}

interface Sweeping {
  readonly study: Study;
  readonly journal: Journal;
  readonly options: SweepCliOptions;
}

async function sweepInto(directory: string, sweeping: Sweeping): Promise<void> {
  const { study, journal, options } = sweeping;
  if (journal.torn > 0) complain(`${directory}: ${journal.torn} torn records, made again`);
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const progress = new SweepProgress(study.name, { events: options.json === true });
  const engine = await openEngine(study, options);
  let outcome: SweepOutcome;
  try {
    outcome = await sweep({
      study,
      journal,
      engine,
      ...(options.shard ? { shard: options.shard } : {}),
      signal: interrupt.signal,
      onRun: (planned, made) => progress.run(planned, made),
      onState: (state) => progress.state(state),
    });
  } catch (error) {
    complain(`${directory}: ${journal.size} runs are kept; the same command goes on from there`);
    throw error;
  } finally {
    await engine.close();
    progress.end();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  await report(directory, sweeping, outcome);
}

async function report(
  directory: string,
  { study, journal, options }: Sweeping,
  { failures, interrupted, state }: SweepOutcome,
): Promise<void> {
  const { shard: part } = options;
  const { summaries, lacking } = await results(directory, study, journal);
  const complete = lacking === 0;
  if (interrupted) complain(`interrupted: ${journal.size} runs are kept in ${directory}`);
  else if (!complete && part) {
    complain(
      `shard ${part.index + 1}/${part.count} is done: cmasim merge puts the shards together`,
    );
  }
  const { there, planned, made, failed, redone } = state;
  const figures = { runs: there, planned, made, failed, redone, complete, interrupted };
  showStudy({ study, summaries, directory, json: options.json === true, figures });
  process.exitCode = interrupted ? interruptedCode : failureCode(failures);
}

/** Writes the tables if no run is lacking. */
export async function results(
  directory: string,
  study: Study,
  journal: Journal,
): Promise<{ summaries: VariantSummary[]; ledger: Ledger; lacking: number }> {
  const ledger = new Ledger(study);
  const lacking = await takeIn(ledger, journal);
  const summaries =
    lacking === 0
      ? await finishResults(directory, study, { ledger, journal })
      : await summarize(study, ledger.runs(), journal);
  return { summaries, ledger, lacking };
}

function failureCode(failures: SweepOutcome['failures']): number {
  if (failures.some(({ kind }) => kind === 'bug')) return 3;
  return failures.length > 0 ? 2 : 0;
}

/** The table, or the document, of a study. */
export function showStudy({
  study,
  summaries,
  directory,
  json,
  figures,
}: {
  study: Study;
  summaries: readonly VariantSummary[];
  directory: string;
  json: boolean;
  figures: { readonly complete: boolean };
}): void {
  if (json) {
    const rows = studyDocument(study, summaries);
    printJson({ format: 'cmasim-sweep/1', directory, ...figures, ...rows });
    return;
  }
  print(studyText({ study, summaries, paint: stdoutPaint(), partial: !figures.complete }));
}

function list(study: Study, { json, shard: part }: SweepCliOptions): void {
  const ledger = new Ledger(study, part);
  const { planned, isFinal } = ledger;
  if (json) {
    const variants = study.variants.map(({ index, values }) => ({ index, values }));
    printJson({ format: 'cmasim-sweep-list/1', runs: planned, final: isFinal, variants });
    return;
  }
  print(study.variants.map((variant) => `${variant.index}  ${variantText(variant)}`).join('\n'));
  complain(`${study.variants.length} variants, ${isFinal ? '' : 'at least '}${planned} runs`);
}
