/**
 * PHOLD in integers: processes that send each other events, the usual measure of an event engine.
 *
 * The model goes through Loop.post and Behaviour.receive like any other; order, sequence numbers and
 * fingerprint are on. Beside it runs phold-yardstick.mjs, a bare loop that does the same work in as many
 * threads. Both must arrive at the check values.
 */

import { ShardPool } from '../../dist/src/run/shards.js';
import { Yardstick } from './phold-yardstick.mjs';

/** Shortest delay, and with it the width of a window, in ticks. */
export const LOOKAHEAD = 100_000;
const MEAN = 900_000;

/** Delays beyond the lookahead, exponential, for a draw of 12 bits. */
export const delays = Int32Array.from({ length: 4096 }, (_, i) =>
  Math.floor(-Math.log(1 - (i + 0.5) / 4096) * MEAN + 0.5),
);

/** @param {number} z */
export function fmix(z) {
  z ^= z >>> 16;
  z = Math.imul(z, 0x85ebca6b);
  z ^= z >>> 13;
  z = Math.imul(z, 0xc2b2ae35);
  return z ^ (z >>> 16);
}

/**
 * @typedef {{ n: number, k: number, remote: number, t: number, seed: number }} Plan
 * n processes, k events each at the start, share of remote events, end in mean delays.
 */

/** @type {Record<string, { plan: Plan, events: number, checksum: string }>} */
export const cells = {
  A: { plan: plan(1024, 1, 2929.688), events: 2997741, checksum: '8825df6f' },
  B: { plan: plan(1024, 16, 305.18), events: 4997534, checksum: '882148fe' },
  C: { plan: plan(16384, 1, 61.035), events: 998443, checksum: '95da9da7' },
  D: { plan: plan(16384, 16, 19.073), events: 4973382, checksum: '4e9a2697' },
};

/** @returns {Plan} */
function plan(/** @type {number} */ n, /** @type {number} */ k, /** @type {number} */ t) {
  return { n, k, t, remote: 0.5, seed: 1 };
}

/** @param {Plan} p */
export const endOf = (p) => Math.floor(p.t * 1e6 + 0.5);

/** All processes of one shard. */
class Processes {
  /** @param {Plan} p */
  constructor(p) {
    this.states = Int32Array.from({ length: p.n }, (_, lp) =>
      fmix((Math.imul(lp, 0x9e3779b9) + p.seed) | 0),
    );
    this.hashes = new Int32Array(p.n);
    this.mask = p.n - 1;
    this.threshold = Math.floor(p.remote * 2 ** 32);
  }

  /** @param {import('../../src/sim/loop.js').Loop} loop */
  receive(loop) {
    const lp = loop.actor;
    this.hashes[lp] = (Math.imul(this.hashes[lp], 31) + (loop.now | 0)) | 0;
    let state = (this.states[lp] + 0x9e3779b9) | 0;
    let dest = lp;
    if (fmix(state) >>> 0 < this.threshold) {
      state = (state + 0x9e3779b9) | 0;
      dest = fmix(state) & this.mask;
    }
    state = (state + 0x9e3779b9) | 0;
    this.states[lp] = state;
    loop.post(dest, LOOKAHEAD + delays[fmix(state) >>> 20], 0);
  }

  /** @param {import('../../src/sim/loop.js').Loop} loop @param {number} lp */
  begin(loop, lp) {
    this.states[lp] = (this.states[lp] + 0x9e3779b9) | 0;
    loop.actor = lp;
    loop.post(lp, LOOKAHEAD + delays[fmix(this.states[lp]) >>> 20], 0);
  }
}

/** @type {import('../../src/sim/model.js').BuildShard} */
export default function build(plan, shard) {
  const p = /** @type {Plan} */ (plan);
  const processes = new Processes(p);
  return {
    actors: p.n,
    groupOf: Int32Array.from({ length: p.n }, (_, lp) => lp),
    behaviourOf: new Uint8Array(p.n),
    behaviours: [processes],
    start(loop) {
      for (let lp = 0; lp < p.n; lp++) {
        if (!shard.owns(lp)) continue;
        for (let k = 0; k < p.k; k++) processes.begin(loop, lp);
      }
    },
    finish() {
      let sum = 0;
      for (let lp = 0; lp < p.n; lp++) {
        if (shard.owns(lp)) sum += fmix(processes.hashes[lp] ^ Math.imul(lp, 0x9e3779b9));
      }
      return sum | 0;
    },
  };
}

/** What runShards() needs to run a cell. @param {Plan} p */
export function phold(p) {
  return {
    module: import.meta.url,
    plan: p,
    groups: { weights: new Float64Array(p.n).fill(1), lookahead: LOOKAHEAD },
    until: endOf(p),
  };
}

/** @param {unknown[]} sums */
export function checksum(sums) {
  const sum = sums.reduce((/** @type {number} */ a, b) => (a + Number(b)) | 0, 0);
  return (sum >>> 0).toString(16).padStart(8, '0');
}

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const ROUNDS = 5;
const COLUMNS = ['js 1', 'engine 1', 'js 2', 'engine 2', 'auto'];

/** Millions of events per second of one cell, per column. @param {typeof cells[string]} cell */
async function measure(cell, /** @type {ShardPool} */ pool, /** @type {Yardstick} */ yardstick) {
  /** @type {Record<string, number[]>} */
  const rates = Object.fromEntries(COLUMNS.map((column) => [column, []]));
  const fingerprints = new Set();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const column of COLUMNS) {
      const [who, count] = column.split(' ');
      const shards = who === 'auto' ? 'auto' : Number(count);
      const outcome =
        who === 'js'
          ? await yardstick.run(cell.plan, Number(count))
          : await pool.run({ ...phold(cell.plan), shards });
      const sum = checksum(outcome.results);
      if (outcome.events !== cell.events || sum !== cell.checksum) {
        throw new Error(
          `${column}: ${outcome.events} events, checksum ${sum}: expected ${cell.events}, ${cell.checksum}`,
        );
      }
      if ('fingerprint' in outcome) fingerprints.add(outcome.fingerprint);
      // The first round warms the threads up.
      if (round > 0) rates[column].push(outcome.events / outcome.loopMs / 1e3);
    }
  }
  if (fingerprints.size !== 1) throw new Error(`fingerprints differ: ${[...fingerprints]}`);
  return { rates, fingerprint: [...fingerprints][0] };
}

/** Prints a table of all cells. */
export async function run() {
  const pool = new ShardPool();
  const yardstick = new Yardstick();
  console.log('M events/s, medians of interleaved rounds; js = bare loop of the same work');
  console.log(
    `cell  checksum  ${COLUMNS.map((c) => c.padStart(9)).join('')}  1/js  gain js  gain  auto/1`,
  );
  for (const [name, cell] of Object.entries(cells)) {
    const { rates, fingerprint } = await measure(cell, pool, yardstick);
    const m = Object.fromEntries(COLUMNS.map((c) => [c, median(rates[c])]));
    const ratio = (/** @type {string} */ a, /** @type {string} */ b) =>
      median(rates[a].map((rate, i) => rate / rates[b][i])).toFixed(2);
    console.log(
      `${name}     ${cell.checksum}  ${COLUMNS.map((c) => m[c].toFixed(2).padStart(9)).join('')}` +
        `  ${ratio('engine 1', 'js 1')}     ${ratio('js 2', 'js 1')}  ${ratio('engine 2', 'engine 1')}` +
        `    ${ratio('auto', 'engine 1')}  ${fingerprint}`,
    );
  }
  await Promise.all([pool.close(), yardstick.close()]);
}
