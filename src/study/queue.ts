/**
 * Runs on other machines: a BullMQ queue on Redis or Valkey, filled here and emptied by `cmasim
 * worker`.
 *
 * BullMQ balances, retries, and gives the runs of a worker that went silent to another. Here is
 * only what it takes to find out what came of a run whose news was missed, or that Redis itself has
 * forgotten: a look at the run's own entry. A run's name is its job's id, so that two sweeps never
 * make one run twice.
 */

import { type Job, Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { UserError } from '../text/userError.js';
import type { Engine, EngineState, Made, RunJob } from './engine.js';

/** Runs in the queue or under way; more than any number of workers is likely to have threads. */
const widthDefault = 512;
const lookMs = 1000;
/** Runs looked after at a time: the ones that have been away longest. */
const looksMax = 64;
/**
 * Redis keeps what came of a run this long for a sweep that is away, and of so many runs at most.
 */
const kept = { age: 3600, count: 5000 };

/** Queue of one build of the model: a worker of another build never sees its runs. */
export function queueName(model: string): string {
  return `cmasim-${model}`;
}

function redisUrl(engine: string): string {
  return engine.replace(/^valkeys:/, 'rediss:').replace(/^valkey:/, 'redis:');
}

/**
 * A client that waits while Redis is away, for ever; the first contact must succeed. Throws
 * UserError.
 */
export async function connect(engine: string): Promise<Redis> {
  const url = redisUrl(engine);
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1000),
  });
  let reason = '';
  client.on('error', (error: Error) => {
    reason = error.message;
  });
  const first = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 5000 });
  first.on('error', (error: Error) => {
    reason = error.message;
  });
  try {
    await first.connect();
    await first.ping();
    await client.connect();
    return client;
  } catch (error) {
    client.disconnect();
    throw new UserError({ file: engine }, reason || (error as Error).message);
  } finally {
    first.disconnect();
  }
}

interface Pending {
  readonly job: RunJob;
  since: number;
  done(made: Made): void;
  fail(error: unknown): void;
}

export class RedisQueue implements Engine {
  readonly width: number;
  private readonly engine: string;
  private readonly client: Redis;
  private readonly queue: Queue;
  private readonly events: QueueEvents;
  private readonly pending = new Map<string, Pending>();
  private readonly timer: NodeJS.Timeout;
  private workers = 0;
  private redone = 0;
  private closed = false;
  private looking = false;

  private constructor(engine: string, client: Redis, model: string, width: number) {
    this.width = width;
    this.engine = engine;
    this.client = client;
    const name = queueName(model);
    this.queue = new Queue(name, { connection: client });
    this.events = new QueueEvents(name, { connection: client.duplicate() });
    // Redis going away shows in `state`; the clients come back by themselves.
    this.queue.on('error', () => {});
    this.events.on('error', () => {});
    this.events.on('completed', ({ jobId, returnvalue }) => this.settle(jobId, returnvalue));
    this.events.on('failed', ({ jobId, failedReason }) => this.giveUp(jobId, failedReason));
    this.events.on('stalled', () => {
      this.redone++;
    });
    client.on('ready', () => void this.look({ all: true }));
    this.timer = setInterval(() => void this.look({ all: false }), lookMs);
  }

  /** Throws UserError if there is no Redis. */
  static async connect(
    engine: string,
    { model, width = widthDefault }: { model: string; width?: number },
  ): Promise<RedisQueue> {
    const client = await connect(engine);
    const queue = new RedisQueue(engine, client, model, width);
    await queue.events.waitUntilReady();
    await queue.look({ all: false });
    return queue;
  }

  get state(): EngineState {
    const { status } = this.client;
    const where = this.engine.replace(/\/\/[^@/]*@/, '//');
    const workers = this.workers === 1 ? '1 worker' : `${this.workers} workers`;
    const text = status === 'ready' ? `${workers} on ${where}` : `${where} is away, waiting`;
    return { text, redone: this.redone };
  }

  run(job: RunJob): Promise<Made> {
    return new Promise((done, fail) => {
      this.pending.set(job.run, { job, since: Date.now(), done, fail });
      this.add(job).catch(fail);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    const waiting = [...this.pending.keys()];
    this.pending.clear();
    if (this.client.status === 'ready') {
      // Nobody waits for these any more; those under way come to their end.
      await Promise.allSettled(waiting.map((run) => this.queue.remove(run)));
      await this.events.close();
      await this.queue.close();
    }
    this.events.disconnect().catch(() => {});
    this.client.disconnect();
  }

  private async add(job: RunJob): Promise<void> {
    await this.queue.add('run', job, {
      jobId: job.run,
      attempts: 3,
      removeOnComplete: kept,
      removeOnFail: true,
    });
  }

  private settle(run: string, value: unknown): void {
    const pending = this.pending.get(run);
    if (pending === undefined) return;
    this.pending.delete(run);
    pending.done((typeof value === 'string' ? JSON.parse(value) : value) as Made);
  }

  private giveUp(run: string, reason: string): void {
    const pending = this.pending.get(run);
    if (pending === undefined) return;
    this.pending.delete(run);
    pending.done({ error: `no worker came to its end: ${reason}`, kind: 'bug' });
  }

  /** Looks at the entries of runs that have been away for a while. */
  private async look({ all }: { all: boolean }): Promise<void> {
    if (this.looking || this.closed || this.client.status !== 'ready') return;
    this.looking = true;
    try {
      this.workers = await this.queue.getWorkersCount();
      const now = Date.now();
      const old = [...this.pending.values()].filter(({ since }) => all || now - since > lookMs);
      old.sort((a, b) => a.since - b.since);
      await Promise.all(old.slice(0, all ? old.length : looksMax).map((one) => this.lookAt(one)));
    } catch {
      // Redis went away meanwhile; `ready` looks again.
    } finally {
      this.looking = false;
    }
  }

  private async lookAt(pending: Pending): Promise<void> {
    const { run } = pending.job;
    const job: Job | undefined = await this.queue.getJob(run);
    if (!this.pending.has(run)) return;
    pending.since = Date.now();
    if (job === undefined) {
      this.redone++;
      await this.add(pending.job);
    } else if (job.finishedOn !== undefined && job.failedReason === undefined) {
      this.settle(run, job.returnvalue);
    }
  }
}
