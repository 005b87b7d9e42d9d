/**
 * Threads that replay one recording after the other and stay warm between them.
 */

import type { Plan } from '../nodes/plan.js';
import { type RunOutcome, runPlan } from '../run/outcome.js';
import { ShardPool } from '../run/shards.js';

/** What of a plan is the same for every replay: nothing runs but the replayer. */
export const onlyReplayed = {
  seed: 1,
  cost: {},
  atomicPools: [],
  devices: [],
  declarations: [],
  interpreted: false,
  timeline: [],
  pressure: [],
  observe: { attempts: [], states: [] },
  keepsZones: true,
  checks: false,
} satisfies Partial<Plan>;

export interface ThreadOptions {
  /** Parts the machine is cut into, which change no result. Default 1: operations come in turn. */
  readonly shards?: number;
  /** Run in the calling thread, which is then busy until the end. */
  readonly inline?: boolean;
  readonly signal?: AbortSignal;
}

export class ReplayThreads {
  readonly #pool = new ShardPool();

  /** Runs a plan that has something to replay. */
  run(plan: Plan, { shards = 1, inline = false, signal }: ThreadOptions): Promise<RunOutcome> {
    return runPlan(plan, { pool: this.#pool, shards, inline, ...(signal ? { signal } : {}) });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
