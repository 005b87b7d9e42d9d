/**
 * `cmasim replay FILE…`: drives the model with what a kernel was recorded doing, and holds the two
 * against each other.
 */

import { Command } from 'commander';
import { releases } from '../mm/release.js';
import { table } from '../report/table.js';
import type { Comparison } from '../trace/compare.js';
import type { Replay } from '../trace/replay.js';
import { print, printJson, stdoutPaint } from './output.js';
import { UsageError } from './usage.js';

export function replayCommand(): Command {
  return new Command('replay')
    .summary('drive the model with recorded operations and compare')
    .description(
      'Replays recorded operations (JSON Lines; - is standard input) through the same actors as ' +
        'a run and compares every result with the recording.',
    )
    .argument('<file...>', 'operation files')
    .option('--check', 'a difference ends with exit code 1')
    .option('--kernel <release>', 'release whose rules apply; 6.12 unless given')
    .option('--json', 'print one document instead of tables')
    .action(replayFiles);
}

interface ReplayOptions {
  readonly kernel?: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

async function replayFiles(files: readonly string[], options: ReplayOptions): Promise<void> {
  const results = await replayAll(files, options.kernel);
  if (options.json) printJson({ format: 'cmasim-replay/1', files: results.map(document) });
  else print(replayText(results));
  if (options.check && results.some(({ different }) => different > 0)) process.exitCode = 1;
}

export async function replayAll(files: readonly string[], kernel?: string): Promise<Replay[]> {
  const known = releases.map(({ id }) => id);
  if (kernel !== undefined && !known.includes(kernel)) {
    throw new UsageError(`release ${kernel} is not known, expected one of ${known.join(', ')}`);
  }
  // On demand: the event core and its threads are no business of a typing error.
  const { Replayer } = await import('../index.js');
  const replayer = new Replayer();
  const results: Replay[] = [];
  try {
    for (const file of files) {
      results.push(await replayer.replay(file, kernel === undefined ? {} : { release: kernel }));
    }
  } finally {
    await replayer.close();
  }
  return results;
}

function document({ file, operations, compared, equal, different, first }: Comparison) {
  return { file, operations, compared, equal, different, first };
}

/** One row per file, and below them the first difference of each that has one. */
export function replayText(results: readonly Comparison[]): string {
  const columns = ['operations', 'compared', 'equal', 'different', 'leaks'];
  const paint = stdoutPaint();
  const lines = table(
    [{ title: 'recording' }, ...columns.map((title) => ({ title, right: true }))],
    results.map(({ file, operations, compared, equal, different, leaks }) => [
      file,
      operations,
      compared,
      equal,
      different,
      leaks.modelled,
    ]),
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
