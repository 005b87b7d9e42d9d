/**
 * One thread's part of a run: builds its shards of the model and steps them to the end.
 *
 * The same code runs in a worker thread and, for tests and for small runs, in the caller's own.
 */

import type { Plan } from '../nodes/plan.js';
import type { Fingerprint } from '../sim/fingerprint.js';
import { addFingerprints, emptyFingerprint } from '../sim/fingerprint.js';
import { Loop } from '../sim/loop.js';
import { Mail } from '../sim/mail.js';
import type { BuildShard, ShardModel } from '../sim/model.js';
import { type Member, runWindows, type WindowMemory } from '../sim/window.js';
import { mistakeIn } from './mistake.js';

/** What a thread is told; plain data but for the shared memory. */
export interface ThreadTask {
  /** URL of the module whose default export builds the model. */
  readonly module: string;
  readonly memory: WindowMemory;
  readonly thread: number;
  /** Shards this thread hosts. */
  readonly members: readonly number[];
  readonly shardOf: Uint16Array;
  /** Least delay across the cut, in ns. */
  readonly lookahead: number;
  /** Least and largest delay between any two groups: the same on any partition. */
  readonly least: number;
  readonly most: number;
  readonly until: number;
}

/** What a thread brings back. */
export interface ThreadResult<Result> {
  /** What finish() returned, per member. */
  readonly results: Result[];
  readonly events: number;
  readonly fingerprint: Fingerprint;
  readonly windows: number;
  readonly interrupted: boolean;
  /** Time at which the run ended, in ns: of the last event if nothing was left to handle. */
  readonly endNs: number;
  /** Wall clock of the loop alone, in ms. */
  readonly loopMs: number;
}

/**
 * Runs one thread's shards; `clock` is in ms and only measures.
 * @throws UserError for what the user's own device modules do wrong.
 */
export async function hostShards<Result>(
  task: ThreadTask,
  plan: unknown,
  clock: () => number,
): Promise<ThreadResult<Result>> {
  try {
    return await host<Result>(task, plan, clock);
  } catch (error) {
    throw mistakeIn((plan as Partial<Plan> | null)?.modules ?? [], error);
  }
}

async function host<Result>(
  task: ThreadTask,
  plan: unknown,
  clock: () => number,
): Promise<ThreadResult<Result>> {
  const { memory, lookahead } = task;
  const { default: build } = (await import(task.module)) as { default: BuildShard<Result> };
  const models: ShardModel<Result>[] = [];
  const members: Member[] = [];
  for (const shard of task.members) {
    const owns = (group: number): boolean => task.shardOf[group] === shard;
    const model = await build(plan, { index: shard, count: memory.shards, owns });
    const mail = new Mail(memory.mail, { shard, shards: memory.shards }, memory.capacity);
    const loop = new Loop({
      actors: model.actors,
      groupOf: model.groupOf,
      behaviourOf: model.behaviourOf,
      behaviours: model.behaviours,
      lookahead: task.least,
      horizon: task.most,
      until: task.until,
      ...(memory.shards > 1 && { shardOf: task.shardOf, shard, outbox: mail }),
    });
    loop.start(model);
    models.push(model);
    const progress = model.progress?.bind(model);
    members.push({ shard, loop, mail, mark: model.mark ?? null, ...(progress && { progress }) });
  }
  const from = clock();
  const outcome = runWindows(memory, task.thread, members, lookahead);
  const loopMs = clock() - from;
  let fingerprint = emptyFingerprint;
  let events = 0;
  let now = 0;
  for (const { loop } of members) {
    fingerprint = addFingerprints(fingerprint, loop.fingerprint());
    events += loop.events;
    now = Math.max(now, loop.now);
  }
  const ended = !outcome.interrupted && !outcome.drained;
  return {
    results: models.map((model, i) => model.finish(members[i].loop)),
    events,
    fingerprint,
    windows: outcome.windows,
    interrupted: outcome.interrupted,
    endNs: ended ? members[0].loop.until : now,
    loopMs,
  };
}
