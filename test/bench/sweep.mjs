/**
 * What a sweep costs beyond its runs, and what a second thread and a queue bring: the same runs
 * made in a loop, in one thread, in two, and through Redis by one worker, side by side, best of
 * three rounds each.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseScenario } from '../../dist/src/scenario/load.js';
import runInline from '../../dist/src/study/inline.js';
import { Journal } from '../../dist/src/study/journal.js';
import { parseStudy } from '../../dist/src/study/load.js';
import { RedisQueue } from '../../dist/src/study/queue.js';
import { sweep } from '../../dist/src/study/sweep.js';
import { Threads } from '../../dist/src/study/threads.js';

const runs = 200;
const rounds = 3;
const model = 'bench';
const text = `
kernel: "6.12"
config: { DMA_NUMA_CMA: y }
machine: { nodes: 2, memory: 512M, cpus: 2 }
cmdline: cma=16M cma_pernuma=16M
devices: { nic: { kind: hns3, node: all, traffic: poisson, interval: 20us } }
stop: 60ms
`;
const study = parseStudy(
  `scenario:\n${text.replaceAll(/^/gm, '  ')}\nreplications: ${runs}\n`,
  'bench.yaml',
  { model },
);
const [scenario] = parseScenario(text, 'bench.yaml');

export async function run() {
  const directory = mkdtempSync(join(tmpdir(), 'cmasim-bench-'));
  const engines = new Map([
    ['one thread', new Threads({ jobs: 1 })],
    ['two threads', new Threads({ jobs: 2 })],
  ]);
  const redis = await startRedis(directory);
  if (redis) engines.set('Redis, one worker', redis.engine);
  else console.log('without redis-server: nothing is said of queues');
  const pids = [process.pid, ...(redis?.pids ?? [])];
  const best = new Map();
  const keep = (name, { wall, cpu }) => {
    const before = best.get(name) ?? { wall: Infinity, cpu: Infinity };
    const [w, c] = [wall / runs, cpu / runs];
    best.set(name, { wall: Math.min(before.wall, w), cpu: Math.min(before.cpu, c) });
  };
  // The first round starts threads and warms them up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const measured = [['in a loop', await measure(pids, loop)]];
    for (const [name, engine] of engines) {
      if (redis) await redis.forget();
      const journal = await Journal.open(join(directory, `${name} ${round}`));
      measured.push([name, await measure(pids, () => sweep({ study, journal, engine }))]);
      await journal.close();
    }
    if (round > 0) for (const [name, figures] of measured) keep(name, figures);
  }
  report(best);
  for (const engine of engines.values()) await engine.close();
  await redis?.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** On a machine with other work the CPU's time says what the wall clock does not. */
function report(best) {
  const columns = ['wall ms/run', 'CPU ms/run', 'CPU beyond the loop', 'times one thread'];
  console.log(`${''.padEnd(20)}${columns.map((title) => title.padStart(21)).join('')}`);
  const [loop, one] = [best.get('in a loop'), best.get('one thread')];
  for (const [name, { wall, cpu }] of best) {
    const cells = [wall, cpu, cpu - loop.cpu, one.wall / wall].map((value) => value.toFixed(2));
    console.log(`${name.padEnd(20)}${cells.map((cell) => cell.padStart(21)).join('')}`);
  }
}

/** Wall clock, and the CPU time of all threads of these processes, in ms. */
async function measure(pids, work) {
  const before = pids.map(cpuMs);
  const begun = performance.now();
  await work();
  const wall = performance.now() - begun;
  const cpu = pids.reduce((sum, pid, i) => sum + cpuMs(pid) - before[i], 0);
  return { wall, cpu };
}

function cpuMs(pid) {
  if (pid === process.pid) {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The simulation and nothing else. */
async function loop() {
  for (let seed = 1; seed <= runs; seed++) await runInline({ ...scenario, seed }, 0);
}

/** A server and a worker with one thread; undefined if there is no redis-server. */
async function startRedis(directory) {
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  const url = `redis://127.0.0.1:${port}`;
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
  const server = spawn('redis-server', own);
  const there = await new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.stdout?.on('data', (data) => {
      if (String(data).includes('Ready to accept')) resolve(true);
    });
  });
  if (!there) return undefined;
  const module = new URL('../../dist/src/study/queueWorker.js', import.meta.url);
  const options = 'jobs: 1, lostAfterMs: 30000';
  const code = `
    import { serveQueue } from '${module}';
    const { signal } = new AbortController();
    const onReady = () => console.log('ready');
    await serveQueue('${url}', { model: '${model}', ${options}, signal, onReady });`;
  const worker = spawn(process.execPath, ['--input-type=module', '-e', code]);
  await new Promise((resolve) => worker.stdout.once('data', resolve));
  const { Redis } = await import('ioredis');
  const client = new Redis(port);
  return {
    pids: [server.pid, worker.pid],
    engine: await RedisQueue.connect(url, { model }),
    forget: () => client.flushall(),
    stop: async () => {
      client.disconnect();
      worker.kill('SIGKILL');
      server.kill('SIGKILL');
    },
  };
}
