/**
 * A thread of a sweep: makes whole runs, one after the other (experiment/make.ts).
 */

import { workerData } from 'node:worker_threads';
import type { Made, RunJob, RunOne } from '../src/experiment/engine.js';
import { Maker } from '../src/experiment/make.js';

/** Module whose default export makes one run. */
const { runner } = workerData as { runner: string };
const { default: runOne } = (await import(runner)) as { default: RunOne };
const maker = new Maker(runOne);

export default function run(job: RunJob): Promise<Made> {
  return maker.make(job);
}
