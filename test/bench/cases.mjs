/**
 * Benchmarks that two built trees can both run, each in a process of its own.
 *
 * Most go through the command line, which outlives any folder; the others find their modules by a table of
 * places. What is measured is the whole process, unless a case says otherwise in `globalThis.measured`.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const here = (/** @type {string} */ name) => join(repository, name);

/**
 * @typedef {object} Case
 * @property {(tree: string, folder: string) => string[]} args what node is given; `folder` is the process's own
 * @property {boolean} [beside] a busy loop runs beside it
 */

/** Scenario of short runs and sweeps: two nodes, two NICs. */
export const small = `kernel: "6.12"
config: { DMA_NUMA_CMA: y }
machine: { nodes: 2, memory: 512M, cpus: 2 }
cmdline: cma=16M cma_pernuma=16M
devices: { nic: { kind: hns3, node: all, traffic: poisson, interval: 20us } }
stop: 60ms
`;

const cli =
  (/** @type {string[]} */ ...words) =>
  (/** @type {string} */ tree) => [join(tree, 'dist/src/cli/main.js'), ...words];

const inProcess =
  (/** @type {string[]} */ ...words) =>
  (/** @type {string} */ tree) => [here('test/bench/inProcess.mjs'), tree, ...words];

/** Writes the input of a case once and gives its path. @param {string} name @param {() => string} make */
function input(folder, name, make) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  if (!existsSync(file)) writeFileSync(file, make());
  return file;
}

const unzipped = (/** @type {string} */ name) =>
  gunzipSync(readFileSync(here(`test/kernel/traces/${name}`))).toString();

/** The lines of a recording twelve times: 27 MB. */
function longTrace() {
  const text = unzipped('x86-7.2-life/lifecycle.trace.gz');
  const head = text.match(/^(#.*\n)*/)?.[0] ?? '';
  return head + text.slice(head.length).repeat(12);
}

/** The samples of a recording a hundred times: 20 MB. */
function longJson() {
  const document = JSON.parse(unzipped('x86-7.2-direct/second-boot/perf-data-convert.json.gz'));
  const samples = Array.from({ length: 100 }, () => document.samples).flat();
  return JSON.stringify({ ...document, samples }, null, '\t');
}

function sweep(tree, folder) {
  const study = input(folder, 'study.yaml', () => {
    return `scenario:\n${small.replaceAll(/^/gm, '  ')}\nreplications: 150\n`;
  });
  return cli('sweep', study, '-o', join(folder, 'results'), '--jobs', '2')(tree);
}

/** @type {Map<string, Case>} */
export const cases = new Map();
for (const beside of [false, true]) {
  for (const cell of ['A', 'B', 'C', 'D']) {
    for (const threads of ['1', '2']) {
      const name = `phold-${cell}-${threads}${beside ? '-beside' : ''}`;
      cases.set(name, { args: inProcess('phold', cell, threads), beside });
    }
  }
}
const add = (/** @type {string} */ name, /** @type {Case['args']} */ args) =>
  cases.set(name, { args });
const rack = here('scenarios/rack-1024.yaml');
add('rack', cli('run', rack, '--set', 'stop=4ms', '--shards', '1'));
add('server-busy', cli('run', here('scenarios/server-busy.yaml'), '--shards', '1'));
add('start-up', cli('kernels'));
add('short-runs', inProcess('shortRuns'));
add('replay', cli('replay', '--check', here('test/kernel/oracle')));
add('read-ftrace', (tree, folder) => cli('trace', input(folder, 'long.trace', longTrace))(tree));
add('read-json', (tree, folder) => cli('trace', input(folder, 'long.json', longJson))(tree));
add('bitmap', inProcess('bitmap'));
add('sweep', sweep);
