/**
 * `cmasim worker`: makes runs that sweeps on any machine have handed to a Redis or Valkey.
 */

import { Command } from 'commander';
import { modelVersion } from '../study/identity.js';
import { complain } from './output.js';
import { engineUrl, jobs } from './sweep.js';

interface WorkerCliOptions {
  readonly engine: string;
  readonly jobs?: number;
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
    .option('--jobs <count>', 'threads; as many as there are cores unless given', jobs)
    .option('--lost-after <seconds>', 'silence after which its runs go to others', seconds, 30)
    .action(serve);
}

function seconds(value: string): number {
  return jobs(value);
}

async function serve({ engine, jobs, lostAfter }: WorkerCliOptions): Promise<void> {
  const { serveQueue } = await import('../study/queueWorker.js');
  const model = modelVersion();
  const interrupt = new AbortController();
  const stop = () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
    complain('stopping: runs under way come to their end; again to stop at once');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  let made = 0;
  await serveQueue(engine, {
    model,
    ...(jobs === undefined ? {} : { jobs }),
    lostAfterMs: lostAfter * 1000,
    signal: interrupt.signal,
    onReady: () => complain(`ready for runs of model ${model}`),
    onRun: () => {
      made++;
    },
  });
  complain(`${made} runs made`);
}
