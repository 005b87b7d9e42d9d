/**
 * Runs a model on shards: long-lived tasks of a thread pool, or the caller's own thread.
 *
 * The calling thread stays free: it reads progress out of shared memory and passes on an abort. How
 * many shards and threads there are changes how long a run takes and nothing else.
 */

import { availableParallelism } from 'node:os';
import { Packr } from 'msgpackr';
import { Piscina } from 'piscina';
import {
  addFingerprints,
  emptyFingerprint,
  type Fingerprint,
  formatFingerprint,
} from '../sim/fingerprint.js';
import { lookaheadRange } from '../sim/partition.js';
import { Control, OtherShardFailed, STOP, windowMemory } from '../sim/window.js';
import { UserError } from '../text/userError.js';
import { runAuto } from './auto.js';
import { cutFor, follow, type Launch, type ShardRun, type ShardsOutcome } from './launch.js';
import { isMistake, type ShardMistake } from './mistake.js';
import { hostShards, type ThreadResult, type ThreadTask } from './thread.js';

/** Typed arrays stay typed arrays, maps stay maps. */
const packr = new Packr({ moreTypes: true, structuredClone: true });

/**
 * Threads that stay, so that several runs need not start and warm them again. One run at a time.
 */
export class ShardPool {
  private pool: Piscina | null = null;
  private threads = 0;

  /** Runs a model to its end. Rejects with the error of the shard that failed first. */
  async run<Result>(run: ShardRun): Promise<ShardsOutcome<Result>> {
    if (run.shards !== 'auto') return follow(run, await this.launch<Result>(run, run.shards ?? 1));
    if (run.inline) return follow(run, await this.launch<Result>(run, 1));
    return runAuto<Result>(run, (...how) => this.launch(...how));
  }

  async close(): Promise<void> {
    const { pool } = this;
    this.pool = null;
    await pool?.destroy();
  }

  /** Makes sure of `threads` threads that can all run at once. */
  private async reserve(threads: number): Promise<Piscina> {
    if (this.pool !== null && this.threads >= threads) return this.pool;
    await this.pool?.destroy();
    this.threads = threads;
    this.pool = new Piscina({
      filename: new URL('../../workers/shard.js', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // A worker that waits in Atomics.wait() for its next task would not hear of anything else.
      atomics: 'disabled',
    });
    return this.pool;
  }

  /** Starts a run on `shards` shards; one alone may have windows of `windowNs` to begin with. */
  async launch<Result>(
    run: ShardRun,
    shards: number,
    { windowNs = Number.POSITIVE_INFINITY }: { windowNs?: number } = {},
  ): Promise<Launch<Result>> {
    const cut = cutFor(run, shards);
    const cores = availableParallelism();
    const threads = run.inline ? 1 : Math.min(cut.shards, run.threads ?? cores);
    const memory = windowMemory(cut.shards, threads, run.mailCapacity);
    const control = new Control(memory, windowNs);
    const { least, most } = lookaheadRange(run.groups);
    const tasks = Array.from({ length: threads }, (_, thread): ThreadTask => {
      const members = Array.from({ length: cut.shards }, (_, shard) => shard);
      return {
        module: run.module.toString(),
        memory,
        thread,
        // Neighbouring shards hold neighbouring groups, so they share a thread.
        members: members.filter((shard) => Math.floor((shard * threads) / cut.shards) === thread),
        shardOf: cut.shardOf,
        lookahead: cut.lookahead,
        least,
        most,
        until: run.until,
      };
    });
    const stop = (): void => control.command(STOP);
    run.signal?.addEventListener('abort', stop, { once: true });
    if (run.signal?.aborted) stop();
    const results = run.inline
      ? tasks.map((task) => hostShards<Result>(task, run.plan, () => process.uptime() * 1000))
      : await this.submit<Result>(tasks, run.plan);
    const outcome = settle(results, control)
      .then((all) => gather(all, cut.shards))
      .finally(() => run.signal?.removeEventListener('abort', stop));
    return { partition: cut, threads, control, outcome };
  }

  private async submit<Result>(
    tasks: ThreadTask[],
    plan: unknown,
  ): Promise<Promise<ThreadResult<Result>>[]> {
    const pool = await this.reserve(tasks.length);
    const packed = packr.pack(plan);
    return tasks.map(async (task) => {
      const packedAnswer = await pool.run({ task, packed });
      const answer: ThreadResult<Result> | ShardMistake = packr.unpack(packedAnswer);
      if (isMistake(answer)) throw new UserError(null, answer.mistake);
      return answer;
    });
  }
}

/** Runs a model once, with threads of its own. */
export async function runShards<Result>(run: ShardRun): Promise<ShardsOutcome<Result>> {
  const pool = new ShardPool();
  try {
    return await pool.run<Result>(run);
  } finally {
    await pool.close();
  }
}

/** Waits for all threads. If one fails the others are told, and its error is the run's. */
async function settle<Result>(
  threads: readonly Promise<ThreadResult<Result>>[],
  control: Control,
): Promise<ThreadResult<Result>[]> {
  const settled = await Promise.allSettled(
    threads.map((thread) =>
      thread.catch((error: unknown) => {
        control.fail();
        throw error;
      }),
    ),
  );
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (errors.length > 0) {
    throw errors.find((error) => error?.name !== new OtherShardFailed().name) ?? errors[0];
  }
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/**
 * One outcome out of the threads' results; threads and their members are in order of the shards.
 */
function gather<Result>(
  threads: readonly ThreadResult<Result>[],
  shards: number,
): ShardsOutcome<Result> {
  let fingerprint: Fingerprint = emptyFingerprint;
  for (const thread of threads) fingerprint = addFingerprints(fingerprint, thread.fingerprint);
  return {
    results: threads.flatMap((thread) => thread.results),
    shards,
    threads: threads.length,
    events: threads.reduce((sum, thread) => sum + thread.events, 0),
    simulatedNs: Math.max(...threads.map((thread) => thread.endNs)),
    fingerprint: formatFingerprint(fingerprint),
    windows: Math.max(...threads.map((thread) => thread.windows)),
    interrupted: threads.some((thread) => thread.interrupted),
    loopMs: Math.max(...threads.map((thread) => thread.loopMs)),
  };
}
