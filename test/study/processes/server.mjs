/**
 * A worker in a process of its own, to be killed: ENGINE. Says on standard output when it is ready.
 */
import { serveQueue } from '../../../dist/src/study/queueWorker.js';

const interrupt = new AbortController();
process.on('SIGTERM', () => interrupt.abort());
await serveQueue(process.argv[2], {
  model: 'test',
  jobs: 1,
  runner: new URL('runner.mjs', import.meta.url),
  lostAfterMs: 1000,
  signal: interrupt.signal,
  onReady: () => console.log('ready'),
  onRun: () => process.stdout.write('.'),
});
process.exit(0);
