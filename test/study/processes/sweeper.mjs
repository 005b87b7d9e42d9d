/**
 * A sweep in a process of its own, to be interrupted and killed: STUDY DIRECTORY [ENGINE]. Says on
 * standard output how many runs it has made; exits with 0, 130 interrupted, 2 storage or engine.
 */

import { loadStudy } from '../../../dist/src/study/load.js';
import { RedisQueue } from '../../../dist/src/study/queue.js';
import { finishResults, openResults, takeIn } from '../../../dist/src/study/results.js';
import { RunLedger } from '../../../dist/src/study/runLedger.js';
import { sweep } from '../../../dist/src/study/sweep.js';
import { Threads } from '../../../dist/src/study/threads.js';
import { UserError } from '../../../dist/src/text/userError.js';

const [file, directory, url] = process.argv.slice(2);
const model = 'test';
const runner = new URL('runner.mjs', import.meta.url);
const interrupt = new AbortController();
process.on('SIGINT', () => interrupt.abort());

async function main() {
  const study = loadStudy(file, { model });
  const journal = await openResults(directory, study);
  const engine = url ? await RedisQueue.connect(url, { model }) : new Threads({ jobs: 2, runner });
  let outcome;
  try {
    outcome = await sweep({
      study,
      journal,
      engine,
      signal: interrupt.signal,
      onRun: () => process.stdout.write('.'),
    });
  } finally {
    await engine.close();
    await journal.close();
  }
  const { made, failed, redone } = outcome.state;
  console.log(JSON.stringify({ made, failed, redone, kept: journal.size, torn: journal.torn }));
  if (outcome.interrupted) return 130;
  const ledger = new RunLedger(study);
  if ((await takeIn(ledger, journal)) > 0) return 3;
  await finishResults(directory, study, { ledger, journal });
  await journal.close();
  return 0;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message);
    process.exit(error instanceof UserError ? 2 : 3);
  },
);
