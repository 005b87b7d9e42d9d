/**
 * The other end of a queue: takes runs from it and makes them in threads of this process.
 */

import { Worker } from 'bullmq';
import type { RunJob } from './engine.js';
import { connect, queueName } from './queue.js';
import { Threads, type ThreadsOptions } from './threads.js';

export interface WorkerOptions extends ThreadsOptions {
  /** modelVersion(): only runs of the same build are taken. */
  readonly model: string;
  /** Silence, in ms, after which a worker counts as lost and its runs go to others. */
  readonly lostAfterMs: number;
  /** Ends the worker once its runs are made. */
  readonly signal: AbortSignal;
  readonly onReady?: () => void;
  readonly onRun?: (run: string, wallMs: number | null) => void;
}

/** Serves until the signal. Rejects with UserError if there is no Redis to begin with. */
export async function serveQueue(engine: string, options: WorkerOptions): Promise<void> {
  const { model, lostAfterMs, signal, onRun } = options;
  const client = await connect(engine);
  const threads = new Threads(options);
  const worker = new Worker<RunJob>(
    queueName(model),
    async ({ data }) => {
      const made = await threads.run(data);
      onRun?.(data.run, 'record' in made ? made.wallMs : null);
      return made;
    },
    {
      connection: client,
      // One more than threads: while a result travels, the next run is here already.
      concurrency: threads.width / 2 + 1,
      lockDuration: lostAfterMs,
      stalledInterval: lostAfterMs / 2,
      maxStalledCount: 5,
    },
  );
  // Redis going away: the worker waits until it is back.
  worker.on('error', () => {});
  await worker.waitUntilReady();
  options.onReady?.();
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
  await worker.close();
  await threads.close();
  client.disconnect();
}
