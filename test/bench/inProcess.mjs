/**
 * `node inProcess.mjs TREE WHAT …`: one benchmark in this process, on the modules of a built tree.
 *
 * Models and scripts of benchmarks are the tree's own (TREE/test/bench), so that they fit what it calls them
 * with.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { small } from './cases.mjs';

const [tree, what, ...words] = process.argv.slice(2);

/** Where a module lies, in this tree and in older ones. */
const places = {
  shards: ['dist/src/run/shards.js', 'dist/src/actors/shards.js'],
  index: ['dist/src/index.js'],
  phold: ['test/bench/phold.mjs'],
  bitmap: ['test/bench/bitmap.mjs'],
};

const load = (/** @type {keyof typeof places} */ name) => {
  const file = places[name].map((place) => join(tree, place)).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`${tree}: expected one of ${places[name].join(', ')}`);
  return import(pathToFileURL(file).href);
};

/** Only the loop counts: neither threads that start nor modules that load. */
async function timed(work) {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const wallMs = await work();
  const { user, system } = process.cpuUsage(cpu);
  globalThis.measured = {
    wallMs: wallMs ?? performance.now() - wall,
    cpuMs: (user + system) / 1e3,
  };
}

const works = {
  async phold() {
    const [name, threads] = words;
    const { cells, phold, checksum } = await load('phold');
    const { ShardPool } = await load('shards');
    const cell = cells[name];
    const pool = new ShardPool();
    await timed(async () => {
      const outcome = await pool.run({ ...phold(cell.plan), shards: Number(threads) });
      const sum = checksum(outcome.results);
      if (sum !== cell.checksum) throw new Error(`${sum}: expected ${cell.checksum}`);
      return outcome.loopMs;
    });
    await pool.close();
  },
  async shortRuns() {
    const { parseScenario, simulate } = await load('index');
    const [scenario] = parseScenario(small, 'short.yaml');
    const options = { shards: 1, inline: true };
    await timed(async () => {
      for (let seed = 1; seed <= 60; seed++) await simulate({ ...scenario, seed }, options);
    });
  },
  async bitmap() {
    const { script } = await load('bitmap');
    await timed(() => {
      script({ pages: 4096, occupancy: 50, pairs: 600_000 });
      script({ pages: 262_144, occupancy: 90, pairs: 20_000 });
    });
  },
};

await works[what]();
