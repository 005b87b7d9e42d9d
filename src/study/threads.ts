/**
 * Runs in worker threads of this process: long-lived, one run at a time each.
 */

import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { Engine, EngineState, Made, RunJob } from './engine.js';

/** Times a run is given to another thread after one died of it. */
const attemptsMax = 3;

/** Threads are started by the URL of what they run, which lies beside src. */
const built = new URL('../../', import.meta.url);

export interface ThreadsOptions {
  /** Threads; as many as there are free cores unless given. */
  readonly jobs?: number;
  /** Module whose default export is a RunOne; the simulator unless given. */
  readonly runner?: URL | string;
}

export class Threads implements Engine {
  readonly width: number;
  private readonly jobs: number;
  private readonly pool: Piscina;
  private redone = 0;
  private closed = false;

  constructor({ jobs = availableParallelism(), runner }: ThreadsOptions = {}) {
    const module = runner ?? new URL('src/study/inline.js', built);
    this.jobs = jobs;
    // One more waits for each thread, so that none asks the main thread and idles until it answers.
    this.width = 2 * jobs;
    this.pool = new Piscina({
      filename: new URL('workers/run.js', built).href,
      minThreads: jobs,
      maxThreads: jobs,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData: { runner: module.toString() },
    });
    // A thread that dies between two runs is replaced, which is all there is to do about it.
    this.pool.on('error', () => {});
  }

  get state(): EngineState {
    const text = this.jobs === 1 ? '1 thread' : `${this.jobs} threads`;
    return { text, redone: this.redone };
  }

  /** A thread that dies (out of memory, a native crash) takes no other run with it. */
  async run(job: RunJob): Promise<Made> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.pool.run(job)) as Made;
      } catch (error) {
        if (this.closed) throw error;
        const { message } = error as Error;
        if (attempt === attemptsMax) {
          return { error: `${attempt} threads died of it: ${message}`, kind: 'bug' };
        }
        this.redone++;
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.pool.destroy();
  }
}
