/**
 * Threads that replay one recording after the other and stay warm between them.
 */

import type { Observed } from '../nodes/observers.js';
import { groupsOf, type Plan } from '../nodes/plan.js';
import type { ShardResult } from '../nodes/shard.js';
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
  observe: { requests: [], states: [] },
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

/** What a replay left behind, from all shards. */
export interface ReplayRecord {
  readonly results: readonly ShardResult[];
  readonly observed: readonly Observed[];
  /** What came of every row. */
  readonly outcomes: Float64Array;
  readonly fingerprint: string;
  readonly events: number;
  /** Wall clock of the event loop, without start-up, in ms. */
  readonly loopMs: number;
}

const modelModule = new URL('../nodes/shard.js', import.meta.url);

export class ReplayThreads {
  readonly #pool = new ShardPool();

  /** Runs a plan that has something to replay. */
  async run(plan: Plan, options: ThreadOptions): Promise<ReplayRecord> {
    const { shards = 1, inline = false, signal } = options;
    const { fingerprint, events, loopMs, ...run } = await this.#pool.run({
      module: modelModule,
      plan,
      groups: groupsOf(plan),
      until: Number.POSITIVE_INFINITY,
      shards,
      inline,
      ...(signal ? { signal } : {}),
    });
    const results = run.results as ShardResult[];
    const outcomes = results.find((result) => result.outcomes !== null)?.outcomes;
    if (!outcomes) throw new Error('no shard has outcomes, expected the one with the replayer to');
    const observed = results.map((result) => result.observed);
    return { results, observed, outcomes, fingerprint, events, loopMs };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
