/**
 * Two built trees compared: every benchmark alternately in both, in fresh processes.
 *
 * A ratio is the other tree's time by this tree's, of two processes that ran one after the other: above 1 this
 * tree is faster. Of the ratios the median and the quartiles are printed, of wall clock and of CPU time; on a
 * machine with other work the second says more.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cases } from './cases.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const probe = new URL('probe.mjs', import.meta.url).href;

/** One process of a case: ms of wall clock and of CPU. */
function once(one, tree, folder) {
  const args = ['--import', probe, ...one.args(tree, folder)];
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    let [told, said] = ['', ''];
    child.stdio[2].on('data', (data) => (said += data));
    child.stdio[3].on('data', (data) => (told += data));
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) done(JSON.parse(told));
      else fail(new Error(`${tree}: ${args.slice(2).join(' ')}: exit ${code}: ${said.trim()}`));
    });
  });
}

function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

/** Runs a case in both trees, `rounds` times, taking turns at going first. */
async function compare(one, trees, rounds) {
  const busy = one.beside ? spawn(process.execPath, ['-e', 'for (;;);']) : undefined;
  const ratios = { wallMs: [], cpuMs: [] };
  const mine = [];
  const loads = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const times = [];
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const folder = mkdtempSync(join(tmpdir(), 'cmasim-bench-'));
        loads.push(loadavg()[0]);
        times[which] = await once(one, trees[which], folder);
        rmSync(folder, { recursive: true });
      }
      for (const key of ['wallMs', 'cpuMs']) ratios[key].push(times[1][key] / times[0][key]);
      mine.push(times[0].cpuMs);
    }
  } finally {
    busy?.kill();
  }
  return { ratios, mine, loads };
}

const spread = (values) => {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share).toFixed(3));
  return `${middle}  ${low}-${high}`.padStart(19);
};

/** Prints one table. @param {string} other @param {{ rounds: number, names: string[] }} options */
export async function runAgainst(other, { rounds, names }) {
  const trees = [root, resolve(other)];
  const chosen = [...cases].filter(
    ([name]) => names.length === 0 || names.some((word) => name.includes(word)),
  );
  const [{ model }] = cpus();
  console.log(`this tree against ${trees[1]}: time there by time here, median and quartiles`);
  console.log(`of ${rounds} rounds; node ${process.version}, ${cpus().length} x ${model.trim()}\n`);
  const titles = ['wall clock'.padStart(19), 'CPU'.padStart(19), ' CPU ms here', '  load'];
  console.log('benchmark'.padEnd(18) + titles.join(''));
  for (const [name, one] of chosen) {
    const { ratios, mine, loads } = await compare(one, trees, rounds);
    const load = loads.reduce((sum, value) => sum + value, 0) / loads.length;
    const cells = [
      spread(ratios.wallMs),
      spread(ratios.cpuMs),
      quantile(mine, 0.5).toFixed(0).padStart(13),
      load.toFixed(1).padStart(6),
    ];
    console.log(name.padEnd(18) + cells.join(''));
  }
}
