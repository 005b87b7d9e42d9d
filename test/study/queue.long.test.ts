/**
 * Sweeps through Redis: workers killed, Redis gone and back, two sweeps at once; the same bytes.
 */

import { join } from 'node:path';
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bytesOf,
  dots,
  figures,
  freePort,
  onPath,
  type Running,
  start,
  startScript,
  temporary,
  writeStudy,
} from './harness.js';

const server = ['redis-server', 'valkey-server'].find(onPath);
if (server === undefined) {
  console.warn(
    'skipped: sweeps through Redis (neither redis-server nor valkey-server is installed)',
  );
}

describe.skipIf(server === undefined)('through Redis, a sweep of 1000 runs', () => {
  const directory = temporary();
  const study = writeStudy(directory, 20, 50);
  let port: number;
  let url: string;
  let redis: Running;
  let whole: Record<string, string>;

  beforeAll(async () => {
    port = await freePort();
    url = `redis://127.0.0.1:${port}`;
    redis = await startRedis();
    const sweeper = startScript('sweeper.mjs', [study, join(directory, 'whole')]);
    expect(await sweeper.exit, sweeper.output).toBe(0);
    whole = bytesOf(join(directory, 'whole'));
  });

  /** Keeps nothing on disk: what it knew is gone when it is. */
  async function startRedis(): Promise<Running> {
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
    const running = start(server!, [...own, '--save', '', '--appendonly', 'no']);
    await running.until((output) => output.includes('Ready to accept connections'));
    return running;
  }

  async function startWorker(): Promise<Running> {
    const worker = startScript('server.mjs', [url]);
    await worker.until((output) => output.includes('ready'));
    return worker;
  }

  /** Every test makes all of its runs: nothing is left in Redis of those before. */
  async function forget(): Promise<void> {
    const client = new Redis(port);
    await client.flushall();
    client.disconnect();
  }

  async function stop(...workers: readonly Running[]): Promise<void> {
    for (const worker of workers) worker.process.kill('SIGTERM');
    await Promise.all(workers.map(({ exit }) => exit));
  }

  test('has the tables of one made by threads of its own', async () => {
    const worker = await startWorker();
    const results = join(directory, 'queue');
    const sweeper = startScript('sweeper.mjs', [study, results, url]);
    expect(await sweeper.exit, sweeper.output).toBe(0);
    expect(figures(sweeper.output)).toMatchObject({ made: 1000, failed: 0 });
    expect(bytesOf(results)).toEqual(whole);
    // What Redis still knows is not made again, though this directory is new.
    const again = startScript('sweeper.mjs', [study, join(directory, 'again'), url]);
    const before = dots(worker.output);
    expect(await again.exit, again.output).toBe(0);
    expect(dots(worker.output)).toBe(before);
    expect(bytesOf(join(directory, 'again'))).toEqual(whole);
    await stop(worker);
  });

  test('survives the kill -9 of a worker, whose runs another makes again', async () => {
    await forget();
    const [first, second] = await Promise.all([startWorker(), startWorker()]);
    const results = join(directory, 'worker-killed');
    const sweeper = startScript('sweeper.mjs', [study, results, url]);
    await first.until((output) => dots(output) >= 100);
    first.process.kill('SIGKILL');
    expect(await sweeper.exit, sweeper.output).toBe(0);
    expect(figures(sweeper.output)).toMatchObject({ made: 1000, failed: 0 });
    expect(figures(sweeper.output).redone).toBeGreaterThan(0);
    expect(bytesOf(results)).toEqual(whole);
    await stop(second);
  });

  test('survives Redis going away with all it knew, and coming back', async () => {
    await forget();
    const worker = await startWorker();
    const results = join(directory, 'redis-gone');
    const sweeper = startScript('sweeper.mjs', [study, results, url]);
    await sweeper.until((output) => dots(output) >= 200);
    redis.process.kill('SIGKILL');
    await redis.exit;
    const made = dots(sweeper.output);
    redis = await startRedis();
    expect(await sweeper.exit, sweeper.output).toBe(0);
    expect(made).toBeLessThan(1000);
    expect(figures(sweeper.output)).toMatchObject({ made: 1000, failed: 0 });
    expect(bytesOf(results)).toEqual(whole);
    await stop(worker);
  });

  test('killed itself, goes on', async () => {
    await forget();
    const worker = await startWorker();
    const results = join(directory, 'sweeper-killed');
    const sweeper = startScript('sweeper.mjs', [study, results, url]);
    await sweeper.until((output) => dots(output) >= 200);
    sweeper.process.kill('SIGKILL');
    await sweeper.exit;
    const again = startScript('sweeper.mjs', [study, results, url]);
    expect(await again.exit, again.output).toBe(0);
    expect(figures(again.output).made).toBeLessThanOrEqual(800);
    expect(bytesOf(results)).toEqual(whole);
    await stop(worker);
  });
});
