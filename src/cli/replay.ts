/**
 * `cmasim replay FILE…`: drives the model with what a kernel was recorded doing, and holds the two against
 * each other.
 */

import { Command } from 'commander';
import { table } from '../report/table.js';
import type { Comparison } from '../trace/compare.js';
import { print, printJson, stdoutPaint } from './output.js';

export function replayCommand(): Command {
  return new Command('replay')
    .summary('drive the model with recorded operations and compare')
    .description(
      'Replays recorded operations (JSON Lines) through the same actors as a run. With --check every ' +
        'result is compared with the recording, and a difference ends with exit code 1.',
    )
    .argument('<file...>', 'operation files')
    .option('--check', 'compare every result with the recording')
    .option('--json', 'print one document instead of tables')
    .action(replayFiles);
}

async function replayFiles(
  files: readonly string[],
  options: { check?: boolean; json?: boolean },
): Promise<void> {
  const check = options.check === true;
  const { replay } = await import('../index.js');
  const results: Comparison[] = [];
  for (const file of files) results.push(await replay(file, { check }));
  if (options.json) printJson({ format: 'cmasim-replay/1', files: results.map(document) });
  else print(replayText(results));
  if (check && results.some(({ different }) => different > 0)) process.exitCode = 1;
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
