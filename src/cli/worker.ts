/**
 * `cmasim worker`: makes runs that sweeps on any machine have handed to a Redis or Valkey.
 */

import { Command } from 'commander';
import { modelVersion } from '../study/identity.js';
import { interruptible } from './interrupt.js';
import { countUpTo, type EngineOptions, engineUrl, given, shared } from './options.js';
import { complain } from './output.js';

interface WorkerCliOptions extends EngineOptions {
  readonly engine: string;
  readonly lostAfter: number;
}

export function workerCommand(): Command {
  return new Command('worker')
    .summary('make runs for sweeps on other machines')
    .description(
      'Takes runs out of a queue and makes them, until it is stopped. Start it on as many ' +
        'machines\n' +
        'as you like; all must have the same build of cmasim as the sweep. Ctrl-C lets runs ' +
        'under way\n' +
        'end.',
    )
    .requiredOption('--engine <url>', 'the Redis or Valkey of the sweep', engineUrl)
    .addOption(shared.jobs)
    .option(
      '--lost-after <seconds>',
      'silence after which its runs go to others',
      countUpTo(1024),
      30,
    )
    .action(serve);
}

async function serve({ engine, jobs, lostAfter }: WorkerCliOptions): Promise<void> {
  const { serveQueue } = await import('../study/queueWorker.js');
  const model = modelVersion();
  const words = 'stopping: runs under way come to their end; again to stop at once';
  let made = 0;
  await interruptible(words, (signal) =>
    serveQueue(engine, {
      model,
      ...given({ jobs }),
      lostAfterMs: lostAfter * 1000,
      signal,
      onReady: () => complain(`ready for runs of model ${model}`),
      onRun: () => {
        made++;
      },
    }),
  );
  complain(`${made} runs made`);
}
