/**
 * A thread of a sweep: makes whole runs, one after the other (study/make.ts).
 */

import { workerData } from 'node:worker_threads';
import type { Made, RunJob, RunOne } from '../src/study/engine.js';
import { Maker } from '../src/study/make.js';

/** Module whose default export makes one run. */
const { runner } = workerData as { runner: string };
const { default: runOne } = (await import(runner)) as { default: RunOne };
const maker = new Maker(runOne);

export default function run(job: RunJob): Promise<Made> {
  return maker.make(job);
}
