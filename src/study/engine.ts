/**
 * Engines make runs: the one seam between a study and threads of this process, or other machines.
 *
 * An engine is told what to run and says what came of it. It knows nothing of studies, and a study
 * nothing of threads and queues; whatever an engine does, the name of a run determines its record.
 */

import type { RunResult } from '../run/result.js';
import type { Scenario } from '../scenario/scenario.js';
import type { Digests } from './identity.js';

/**
 * Makes one run from start to end in the calling thread; statistics are those from `warmupNs` on.
 */
export type RunOne = (scenario: Scenario, warmupNs: number) => Promise<RunResult>;

/** A run as it travels. */
export interface RunJob {
  /** Naming.nameOf(). */
  readonly run: string;
  /** Name of the scenario. */
  readonly scenario: string;
  /** The resolved scenario as JSON, the same text for all replications of a variant. */
  readonly document: string;
  readonly seed: number;
  readonly warmupNs: number;
  /** Modules the document names; wherever the run is made they must be the same. */
  readonly modules: Digests;
}

/** Outcome of a job: the run's record as JSON, or what is wrong with it. */
export type Made =
  | { readonly record: string; readonly wallMs: number }
  | { readonly error: string; readonly kind: 'input' | 'bug' };

/** State of an engine at work, for the progress display. */
export interface EngineState {
  /** Place where runs are made now: `2 threads`, `3 workers on redis://…`. */
  readonly text: string;
  /** Runs that had to be made again because a thread or a worker was lost. */
  readonly redone: number;
}

export interface Engine {
  /** Runs to have under way at least, so that nothing idles. */
  readonly width: number;
  readonly state: EngineState;
  /** Rejects only when the engine itself cannot go on: the user's to mend. */
  run(job: RunJob): Promise<Made>;
  /** Ends at once; what is under way is lost, and its run() may reject. */
  close(): Promise<void>;
}
