/**
 * The run of a model on shards: what it is told, what it is while under way, what comes of it.
 */

import { setInterval } from 'node:timers';
import { cutLookahead, type Groups, type Partition, partition } from '../sim/partition.js';
import type { Control, WindowProgress } from '../sim/window.js';

/** How often progress is read, in ms. */
const POLL_MS = 25;

export interface ShardRun {
  /** Module whose default export is a BuildShard; every thread loads it. */
  readonly module: URL | string;
  /** What the module's builder is given; plain data that msgpackr can carry. */
  readonly plan: unknown;
  readonly groups: Groups;
  /** Events at or after this time, in ns, are not handled. */
  readonly until: number;
  /** Number of shards, or `auto`: as many as pay. Default 1. */
  readonly shards?: number | 'auto';
  /** Threads; default as many as there are shards and cores. */
  readonly threads?: number;
  /** Shard of each group, instead of the partition made here. */
  readonly shardOf?: ArrayLike<number>;
  /** Run in the calling thread, which is then busy until the end. */
  readonly inline?: boolean;
  /** Letters per mailbox, for tests. */
  readonly mailCapacity?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WindowProgress) => void;
}

export interface ShardsOutcome<Result = unknown> {
  /** What finish() returned, per shard. */
  readonly results: Result[];
  readonly shards: number;
  readonly threads: number;
  readonly events: number;
  /** Time the run reached: `until`, or that of the last event if nothing was left. */
  readonly simulatedNs: number;
  /** Sixteen hex digits; the same on any partition. */
  readonly fingerprint: string;
  /** Rounds in which the shards handled events between two barriers. */
  readonly windows: number;
  /** Ended by the signal: the results hold what had happened until then. */
  readonly interrupted: boolean;
  /** Wall clock of the event loop, without start-up, in ms. */
  readonly loopMs: number;
}

/** A run under way. */
export interface Launch<Result = unknown> {
  readonly partition: Partition;
  readonly threads: number;
  readonly control: Control;
  readonly outcome: Promise<ShardsOutcome<Result>>;
}

/** Reports progress until the run has ended. */
export async function follow<Result>(
  run: ShardRun,
  launch: Launch<Result>,
): Promise<ShardsOutcome<Result>> {
  const { onProgress } = run;
  if (onProgress === undefined) return launch.outcome;
  const timer = setInterval(() => onProgress(launch.control.progress()), POLL_MS);
  try {
    const outcome = await launch.outcome;
    onProgress(launch.control.progress());
    return outcome;
  } finally {
    clearInterval(timer);
  }
}

/** The partition a run on `shards` shards has. */
export function cutFor(run: ShardRun, shards: number): Partition {
  if (run.shardOf === undefined) return partition(run.groups, shards);
  const shardOf = Uint16Array.from(run.shardOf);
  return { shardOf, shards, lookahead: cutLookahead(run.groups, shardOf) };
}
