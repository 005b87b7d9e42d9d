/**
 * `cmasim replay FILE…`: drives the model with what a kernel was recorded doing, and holds the two
 * against each other.
 */

import { join } from 'node:path';
import { Command } from 'commander';
import { directoryNames, isDirectory } from '../files/read.js';
import { releases } from '../mm/release.js';
import type { RecordingCheck } from '../replay/checkRecording.js';
import {
  countedAgainst,
  type ReplayReport,
  replayDocument,
  replayTraceText,
} from '../replay/text.js';
import type { TraceReplay } from '../replay/traceReplay.js';
import { table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import { isOperationFile } from '../trace/read/kind.js';
import { print, printJson, stdoutPaint } from './output.js';
import { recordingsOf } from './recording.js';

export function replayCommand(): Command {
  return new Command('replay')
    .summary('drive the model with a recorded trace or operations and compare')
    .description(
      'Replays recorded traces (all that `cmasim trace` reads; a directory stands for its ' +
        'phases, several files are phases of one recording) or operation files (JSON Lines) ' +
        'through the same actors as a run, and compares every request with the recording. ' +
        'A trace is replayed on its own server, described by the directory machine/ beside it.',
    )
    .argument('<file...>', 'recordings or operation files; - is standard input')
    .option('--check', 'a difference the recording does not excuse ends with exit code 1')
    .option('--machine <path>', "the server's files; or a preset or machine file in its place")
    .option('--kernel <id>', 'release or policy of `cmasim kernels`, not the recorded kernel')
    .option('--policy <id>', 'policy of `cmasim kernels`, on the same release')
    .option('--cmdline <text>', 'kernel command line, instead of the recorded one')
    .option('--closed-loop', 'next when the one before of its task and device has settled')
    .option('--json', 'print one document instead of tables')
    .action(replayFiles);
}

interface ReplayOptions {
  readonly kernel?: string;
  readonly policy?: string;
  readonly cmdline?: string;
  readonly machine?: string;
  readonly closedLoop?: boolean;
  readonly check?: boolean;
  readonly json?: boolean;
}

async function replayFiles(paths: readonly string[], options: ReplayOptions): Promise<void> {
  const files = paths.flatMap(operationFilesIn);
  const kinds = await Promise.all(
    files.map(async (file) => !isDirectory(file) && (await isOperationFile(file))),
  );
  if (kinds.every((isOperations) => isOperations)) return replayOperations(files, options);
  if (kinds.some((isOperations) => isOperations)) {
    throw new UserError(null, 'replay: operation files and traces together, expected one kind');
  }
  await replayTraces(files, options);
}

const operationFile = /\.jsonl(?:\.gz)?$/;

/** The operation files and boots in a directory; the path itself if it is none or holds a trace. */
function operationFilesIn(path: string): string[] {
  if (!isDirectory(path)) return [path];
  const files = directoryNames(path).filter((name) => operationFile.test(name));
  return files.length === 0 ? [path] : files.map((name) => join(path, name));
}

async function replayOperations(files: readonly string[], options: ReplayOptions): Promise<void> {
  for (const name of ['machine', 'policy', 'cmdline', 'closedLoop'] as const) {
    if (options[name] === undefined) continue;
    const flag = name === 'closedLoop' ? 'closed-loop' : name;
    throw new UserError(null, `replay: --${flag} is for traces, operation files bring their own`);
  }
  const results = await replayAll(files, options.kernel);
  if (options.json) printJson({ format: 'cmasim-replay/1', files: results.map(document) });
  else print(replayText(results));
  if (options.check && results.some(({ different }) => different > 0)) process.exitCode = 1;
}

async function replayTraces(paths: readonly string[], options: ReplayOptions): Promise<void> {
  const { recordings, instead } = await recordingsOf(paths, options.machine);
  const { ReplayThreads } = await import('../replay/threads.js');
  const { replayTrace } = await import('../replay/traceReplay.js');
  const threads = new ReplayThreads();
  const reports: ReplayReport[] = [];
  const { kernel, policy, cmdline, closedLoop = false } = options;
  const change = {
    ...instead,
    ...(kernel === undefined ? {} : { kernel }),
    ...(policy === undefined ? {} : { policy }),
    ...(cmdline === undefined ? {} : { cmdline }),
  };
  try {
    for (const recording of recordings) {
      reports.push(reportOf(await replayTrace(threads, recording, { ...change, closedLoop })));
    }
  } finally {
    await threads.close();
  }
  const documents = reports.map(replayDocument);
  if (options.json) printJson({ format: 'cmasim-replay/1', recordings: documents });
  else print(replayTraceText(reports, stdoutPaint()));
  const against = reports.some(({ comparison }) => countedAgainst(comparison) > 0);
  if (options.check && against) process.exitCode = 1;
}

function reportOf(replay: TraceReplay): ReplayReport {
  const { site, devices, findings } = replay;
  const found = findings.length === 0 ? [] : [`${findings.length} findings: ${findings[0].text}`];
  return {
    ...replay,
    kernel: site.kernel.release.id,
    policy: site.kernel.policy.id,
    machine: site.machine.name,
    cmdline: site.cmdline,
    changed: site.changed,
    assumed: [...devices.values()]
      .filter(({ assumed }) => assumed !== '')
      .map(({ name, assumed }) => `${name} is not described: assumed ${assumed}`),
    notes: [...replay.notes, ...found],
  };
}

export async function replayAll(
  files: readonly string[],
  kernel?: string,
): Promise<RecordingCheck[]> {
  const known = releases.map(({ id }) => id);
  if (kernel !== undefined && !known.includes(kernel)) {
    throw new UserError(
      null,
      `release ${kernel} is not known, expected one of ${known.join(', ')}`,
    );
  }
  // On demand: the event core and its threads are no business of a typing error.
  const { ReplayThreads } = await import('../replay/threads.js');
  const threads = new ReplayThreads();
  const { checkRecording } = await import('../replay/checkRecording.js');
  const results: RecordingCheck[] = [];
  try {
    for (const file of files) results.push(await checkRecording(file, threads, kernel));
  } finally {
    await threads.close();
  }
  return results;
}

function document({ file, operations, compared, equal, different, first }: RecordingCheck) {
  return { file, operations, compared, equal, different, first };
}

function totalOf(results: readonly RecordingCheck[]): RecordingCheck {
  const sum = (of: (one: RecordingCheck) => number) =>
    results.reduce((total, one) => total + of(one), 0);
  return {
    file: `all ${results.length}`,
    boots: sum((one) => one.boots),
    operations: sum((one) => one.operations),
    compared: sum((one) => one.compared),
    equal: sum((one) => one.equal),
    different: sum((one) => one.different),
    first: null,
    freeDrift: Math.max(...results.map((one) => one.freeDrift)),
    leaks: {
      modelled: sum((one) => one.leaks.modelled),
      recorded: sum((one) => one.leaks.recorded),
    },
    loopMs: sum((one) => one.loopMs),
  };
}

/** One row per file, and below them the first difference of each that has one. */
export function replayText(results: readonly RecordingCheck[]): string {
  const columns = ['boots', 'operations', 'compared', 'equal', 'different', 'leaks', 'free drift'];
  const paint = stdoutPaint();
  const lines = table(
    [{ title: 'recording' }, ...columns.map((title) => ({ title, right: true }))],
    [...results, ...(results.length > 1 ? [totalOf(results)] : [])].map((one) => [
      one.file,
      one.boots,
      one.operations,
      one.compared,
      one.equal,
      one.different,
      one.leaks.modelled,
      one.freeDrift,
    ]),
  );
  lines.push(
    '',
    'free drift: largest gap of a zone to the recorded free pages; per-CPU lists and background ' +
      'work',
    'move them, so it is shown and not judged.',
  );
  for (const { file, first } of results) {
    if (first === null) continue;
    lines.push(
      '',
      paint.bad(`${file}:${first.line}: first difference`),
      `  kernel  ${JSON.stringify(first.expected)}`,
      `  model   ${JSON.stringify(first.actual)}`,
    );
  }
  return lines.join('\n');
}
