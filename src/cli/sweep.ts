/**
 * `cmasim sweep FILE`: makes the runs of a study, keeps them as they come, and says what they show.
 */

import { Command, InvalidArgumentError } from 'commander';
import { StorageError } from '../files/fileError.js';
import { loadStudy } from '../study/load.js';
import { RunLedger, type Shard } from '../study/runLedger.js';
import { runStudy, type StudyRun } from '../study/runStudy.js';
import { type Study, variantText } from '../study/study.js';
import type { VariantSummary } from '../study/summary.js';
import { studyDocument, studyText } from '../study/text.js';
import { interruptedCode, interruptible } from './interrupt.js';
import { type EngineOptions, given, overridesOf, shared } from './options.js';
import { complain, print, printJson, stdoutPaint } from './output.js';

import { SweepProgress } from './sweepProgress.js';

interface SweepCliOptions extends EngineOptions {
  readonly output?: string;
  readonly shard?: Shard;
  readonly set?: readonly string[];
  readonly list?: boolean;
  readonly json?: boolean;
}

export function sweepCommand(): Command {
  return new Command('sweep')
    .summary('run a study: variants of a scenario, many times each, with intervals')
    .description(
      'Makes every run of a study (a YAML file) that the results directory lacks, then writes\n' +
        'runs.parquet and summary.parquet there and prints what the runs show. Stopped in any ' +
        'way,\n' +
        'the same command goes on where it was.',
    )
    .argument('<file>', 'a study')
    .option(
      '-o, --output <dir>',
      'results directory; the name of the study and .sweep unless given',
    )
    .addOption(shared.jobs)
    .addOption(shared.engine)
    .option('--shard <i/n>', 'make part i of n only; `cmasim merge` puts the parts together', shard)
    .addOption(shared.set)
    .option('--list', 'print the variants and the number of runs, and run nothing')
    .option('--json', 'print one document; progress as JSON events on standard error')
    .action(sweepFile);
}

function shard(value: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(value) ?? [];
  if (Number(index) >= 1 && Number(index) <= Number(count)) {
    return { index: Number(index) - 1, count: Number(count) };
  }
  throw new InvalidArgumentError('expected i/n with i from 1 to n');
}

async function sweepFile(file: string, options: SweepCliOptions): Promise<void> {
  const study = loadStudy(file, { overrides: overridesOf({ set: options.set ?? [] }) });
  if (options.list) return list(study, options);
  const directory = options.output ?? `${study.name}.sweep`;
  await sweepInto(directory, study, options);
}

async function sweepInto(directory: string, study: Study, options: SweepCliOptions): Promise<void> {
  const { jobs, engine, shard } = options;
  const progress = new SweepProgress(study.name, { events: options.json === true });
  try {
    const run = await interruptible(null, (signal) =>
      runStudy(study, directory, {
        ...given({ jobs, engine, shard }),
        signal,
        onOpen: (torn) => {
          if (torn > 0) progress.line(`${directory}: ${torn} torn records, made again`);
        },
        onRun: (planned, made) => progress.run(planned, made),
        onState: (state) => progress.state(state),
      }),
    );
    progress.end();
    report(directory, study, { run, options });
  } catch (error) {
    progress.end();
    if (error instanceof StorageError)
      progress.line('what is kept stays: the same command goes on');
    throw error;
  }
}

function report(
  directory: string,
  study: Study,
  { run, options }: { run: StudyRun; options: SweepCliOptions },
): void {
  const { interrupted, lacking, summaries, kept, failures } = run;
  const { shard: part } = options;
  const complete = lacking === 0;
  if (interrupted) complain(`interrupted: ${kept} runs are kept in ${directory}`);
  else if (!complete && part) {
    complain(
      `shard ${part.index + 1}/${part.count} is done: cmasim merge puts the shards together`,
    );
  }
  const { there, planned, made, failed, redone } = run.state;
  const figures = { runs: there, planned, made, failed, redone, complete, interrupted };
  showStudy({ study, summaries, directory, json: options.json === true, figures });
  process.exitCode = interrupted ? interruptedCode : failureCode(failures);
}

function failureCode(failures: StudyRun['failures']): number {
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
  const ledger = new RunLedger(study, part);
  const { planned, isFinal } = ledger;
  if (json) {
    const variants = study.variants.map(({ index, values }) => ({ index, values }));
    printJson({ format: 'cmasim-sweep-list/1', runs: planned, final: isFinal, variants });
    return;
  }
  print(study.variants.map((variant) => `${variant.index}  ${variantText(variant)}`).join('\n'));
  complain(`${study.variants.length} variants, ${isFinal ? '' : 'at least '}${planned} runs`);
}
