/**
 * `cmasim export RUN|SCENARIO|TRACE… --to FORMAT -o PATH`: a run in formats other tools read.
 */

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { exportOfReplay, exportOfRun } from '../export/exportRun.js';
import { ftraceText } from '../export/ftrace.js';
import { kernelFiles } from '../export/kernelfs.js';
import { perfettoLines } from '../export/perfetto.js';
import type { ExportRun } from '../export/run.js';
import { writeTables } from '../export/tables.js';
import { expectNew, makeDirectory, writeText } from '../files/write.js';
import { runPlacements } from '../run/placements.js';
import { UserError } from '../text/userError.js';
import { complain, print } from './output.js';
import { recordingsOf, replayed } from './recording.js';
import { isScenario, repeatable, sameRun } from './workload.js';

interface ExportOptions {
  readonly to: keyof typeof exporters;
  readonly output: string;
  readonly machine?: string;
  readonly force?: boolean;
}

/** One entry per format; `-` as PATH is standard output for those that are one file. */
const exporters = {
  ftrace: (run: ExportRun, path: string) => writeFile(path, ftraceText(run)),
  perfetto: (run: ExportRun, path: string) => writeFile(path, [...perfettoLines(run)].join('')),
  kernelfs: (run: ExportRun, path: string) => {
    for (const file of kernelFiles(run)) {
      writeText(join(path, file.path), file.text, { force: true });
    }
  },
  parquet: async (run: ExportRun, path: string) => {
    makeDirectory(path);
    await writeTables(path, run);
  },
};

function writeFile(path: string, text: string): void {
  if (path === '-') print(text);
  else writeText(path, text, { force: true });
}

export function exportCommand(): Command {
  return new Command('export')
    .summary('write a run as ftrace text, a Perfetto trace, kernel files or Parquet')
    .description(
      'Repeats a run (a directory of `run -o`, a scenario, or a recorded trace, which is ' +
        'replayed) and writes it: ftrace as text that Perfetto and `cmasim trace` read, ' +
        'perfetto as JSON ' +
        'trace events, kernelfs as a tree of sysfs, debugfs, proc and the kernel log, parquet as ' +
        'requests.parquet and areas.parquet.',
    )
    .argument('<run...>', 'run directory, scenario, or the files or directory of a recording')
    .addOption(
      new Option('--to <format>', 'what to write')
        .choices(Object.keys(exporters))
        .makeOptionMandatory(),
    )
    .requiredOption(
      '-o, --output <path>',
      'file, or directory for kernelfs and parquet; - is standard output',
    )
    .option('--machine <path>', "the recorded server's files, where they are not beside it")
    .option('--force', 'write over what exists')
    .action(exportRun);
}

async function exportRun(paths: readonly string[], options: ExportOptions): Promise<void> {
  const { to, output, force = false } = options;
  const isTree = to === 'kernelfs' || to === 'parquet';
  if (isTree && output === '-') {
    throw new UserError(null, `export: ${to} is several files, expected a directory as -o`);
  }
  if (output !== '-') expectNew(output, { force });
  const run = paths.every(isScenario) ? await fromScenario(paths) : await fromTrace(paths, options);
  if (to === 'ftrace' && !run.release.trace.dmaEvents) {
    complain(`cmasim: kernel ${run.release.id} has no dma events: only cma events are written`);
  }
  await exporters[to](run, output);
}

async function fromScenario(paths: readonly string[]): Promise<ExportRun> {
  const [path] = paths as [string];
  if (paths.length > 1) throw new UserError(null, 'export: expected one run');
  const { scenario, interpreted, fingerprint } = repeatable(path);
  const run = await runPlacements(scenario, { interpreted });
  sameRun(path, fingerprint, run.outcome.fingerprint);
  return exportOfRun(run);
}

async function fromTrace(paths: readonly string[], { machine }: ExportOptions): Promise<ExportRun> {
  const { recordings, instead } = await recordingsOf(paths, machine);
  if (recordings.length > 1) throw new UserError(null, 'export: expected one recording');
  const [replay] = await replayed(recordings.map((recording) => [recording, instead] as const));
  return exportOfReplay(replay);
}
