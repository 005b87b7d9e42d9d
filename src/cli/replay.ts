/**
 * `cmasim replay FILE…`: drives the model with what a kernel was recorded doing, and holds the two
 * against each other.
 */

import { join } from 'node:path';
import { Command } from 'commander';
import { directoryNames, isDirectory } from '../files/read.js';
import { releases } from '../mm/release.js';
import type { RecordingCheck } from '../replay/checkRecording.js';
import { checkDocument, replayText } from '../replay/checkText.js';
import { countedAgainst, replayDocument, replayTraceText, reportOf } from '../replay/text.js';
import { UserError } from '../text/userError.js';
import { isOperationFile } from '../trace/read/kind.js';
import { given } from './options.js';
import { print, printJson, stdoutPaint } from './output.js';
import { onReplayThreads, recordingsOf, replayed } from './recording.js';

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
  if (options.json) printJson({ format: 'cmasim-replay/1', files: results.map(checkDocument) });
  else print(replayText(results, stdoutPaint()));
  if (options.check && results.some(({ different }) => different > 0)) process.exitCode = 1;
}

async function replayTraces(paths: readonly string[], options: ReplayOptions): Promise<void> {
  const { recordings, instead } = await recordingsOf(paths, options.machine);
  const { kernel, policy, cmdline, closedLoop = false } = options;
  const change = { ...instead, ...given({ kernel, policy, cmdline }), closedLoop };
  const replays = await replayed(recordings.map((recording) => [recording, change] as const));
  const reports = replays.map(reportOf);
  const documents = reports.map(replayDocument);
  if (options.json) printJson({ format: 'cmasim-replay/1', recordings: documents });
  else print(replayTraceText(reports, stdoutPaint()));
  const against = reports.some(({ comparison }) => countedAgainst(comparison) > 0);
  if (options.check && against) process.exitCode = 1;
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
  const { checkRecording } = await import('../replay/checkRecording.js');
  return onReplayThreads(async (threads) => {
    const results: RecordingCheck[] = [];
    for (const file of files) results.push(await checkRecording(file, threads, kernel));
    return results;
  });
}
