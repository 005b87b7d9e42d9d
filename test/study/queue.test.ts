/** A sweep through Redis; its workers, Redis and itself are killed in queue.long.test.ts. */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  bytesOf,
  dots,
  figures,
  freePort,
  onPath,
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

test.skipIf(server === undefined)(
  'through Redis a sweep has the tables of one made by threads of its own',
  async () => {
    const directory = temporary();
    const study = writeStudy(directory, 4, 25);
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}`;
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
    const redis = start(server!, [...own, '--save', '', '--appendonly', 'no']);
    await redis.until((output) => output.includes('Ready to accept connections'));
    const whole = startScript('sweeper.mjs', [study, join(directory, 'whole')]);
    expect(await whole.exit, whole.output).toBe(0);
    const worker = startScript('server.mjs', [url]);
    await worker.until((output) => output.includes('ready'));
    const sweeper = startScript('sweeper.mjs', [study, join(directory, 'queue'), url]);
    expect(await sweeper.exit, sweeper.output).toBe(0);
    expect(figures(sweeper.output)).toMatchObject({ made: 100, failed: 0 });
    expect(dots(worker.output)).toBeGreaterThanOrEqual(100);
    expect(bytesOf(join(directory, 'queue'))).toEqual(bytesOf(join(directory, 'whole')));
    worker.process.kill('SIGTERM');
    await worker.exit;
  },
);

test('a sweep says in one line that there is no Redis', async () => {
  const directory = temporary();
  const study = writeStudy(directory, 1, 2);
  const nobody = `redis://127.0.0.1:${await freePort()}`;
  const sweeper = startScript('sweeper.mjs', [study, join(directory, 'nobody'), nobody]);
  expect(await sweeper.exit).toBe(2);
  expect(sweeper.output).toMatch(/^redis:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/);
});
