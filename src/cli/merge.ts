/**
 * `cmasim merge OUT DIR…`: one results directory out of the parts that `sweep --shard i/n` made.
 */

import { Command } from 'commander';
import { Journal } from '../study/journal.js';
import { openResults, readStudy, sameStudy } from '../study/results.js';
import { settle } from '../study/runStudy.js';
import type { Study } from '../study/study.js';
import { UserError } from '../text/userError.js';
import { complain } from './output.js';
import { showStudy } from './sweep.js';

export function mergeCommand(): Command {
  return new Command('merge')
    .summary('put the parts of a sharded sweep together')
    .description(
      'Gathers the runs of every DIR in OUT, which may be one of them or hold runs already. ' +
        'When no\n' +
        'run is lacking, writes the tables as the sweep itself would have; otherwise exits with 1.',
    )
    .argument('<out>', 'results directory to write')
    .argument('<dir...>', 'results directories to read')
    .option('--json', 'print one document')
    .action(merge);
}

async function merge(
  out: string,
  directories: readonly string[],
  options: { json?: boolean },
): Promise<void> {
  const study = commonStudy(directories);
  const journal = await openResults(out, study);
  try {
    for (const directory of directories) await copyRuns(directory, journal);
    const { summaries, ledger, lacking } = await settle(out, study, journal);
    const complete = lacking === 0;
    if (!complete) {
      complain(`${out}: ${lacking} runs are lacking: the sweep with -o ${out} makes them`);
      process.exitCode = 1;
    }
    const figures = { runs: ledger.there, planned: ledger.planned, complete };
    showStudy({ study, summaries, directory: out, json: options.json === true, figures });
  } finally {
    await journal.close();
  }
}

function commonStudy(directories: readonly string[]): Study {
  const [first, ...others] = directories.map(readStudy);
  const odd = others.findIndex((study) => !sameStudy(study, first!));
  if (odd < 0) return first!;
  const message = `is about another study or model than ${directories[0]}`;
  throw new UserError({ file: directories[odd + 1] }, message);
}

/** Adds the runs of a directory that are not there yet; the directory itself is left as it is. */
async function copyRuns(directory: string, journal: Journal): Promise<void> {
  const from = await Journal.open(directory);
  try {
    const lacking = from.runs().filter((run) => !journal.has(run));
    // Together, so that they share a sync.
    await Promise.all(lacking.map(async (run) => journal.add(run, await from.readText(run))));
  } finally {
    await from.close();
  }
}
