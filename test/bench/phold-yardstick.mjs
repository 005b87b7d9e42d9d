/**
 * A yardstick, not an engine: PHOLD as a bare loop over a time wheel whose buckets are one window wide.
 *
 * A bucket is complete when its turn comes, because no delay is shorter than a window; its events are
 * sorted by offset with two passes of counting. Records are four words, as in other engines' yardsticks of
 * this load. No sources, no sequences, no ties, no fingerprint.
 * Threads exchange (window, offset, process) records through shared memory, with two barriers per window.
 */

import { parentPort, Worker, workerData } from 'node:worker_threads';

const LOOK = 100_000;
const BUCKETS = 128;
const MAIL = 1 << 18;
const NONE = 0x7fffffff;
const ROLE = 'phold-yardstick';

function fmix(z) {
  z ^= z >>> 16;
  z = Math.imul(z, 0x85ebca6b);
  z ^= z >>> 13;
  z = Math.imul(z, 0xc2b2ae35);
  return z ^ (z >>> 16);
}

const expq = Int32Array.from({ length: 4096 }, (_, i) =>
  Math.floor(-Math.log(1 - (i + 0.5) / 4096) * 900_000 + 0.5),
);

/** Waits until all threads are here: ctl[0] arrivals, ctl[1] generation. */
function barrier(ctl, threads, generation) {
  if (threads === 1) return;
  if (Atomics.add(ctl, 0, 1) === threads - 1) {
    Atomics.store(ctl, 0, 0);
    Atomics.store(ctl, 1, generation + 1);
    Atomics.notify(ctl, 1);
    return;
  }
  let spins = 0;
  while (Atomics.load(ctl, 1) === generation) {
    if (++spins > 300_000) Atomics.wait(ctl, 1, generation, 1);
  }
}

class Wheel {
  constructor() {
    this.buckets = Array.from({ length: BUCKETS }, () => new Int32Array(256));
    this.counts = new Int32Array(BUCKETS);
    this.low = new Int32Array(512);
    this.high = new Int32Array(512);
    this.grow(1024);
  }

  grow(n) {
    this.keys = new Int32Array(n);
    this.first = new Int32Array(n);
    this.order = new Int32Array(n);
  }

  push(bucket, offset, lp) {
    let a = this.buckets[bucket];
    const n = this.counts[bucket];
    if (n * 4 === a.length) {
      const larger = new Int32Array(a.length * 2);
      larger.set(a);
      this.buckets[bucket] = larger;
      a = larger;
    }
    const at = n * 4;
    a[at] = offset;
    a[at + 1] = lp;
    a[at + 2] = 0;
    a[at + 3] = 0;
    this.counts[bucket] = n + 1;
  }

  /** Order of a bucket's events by offset, in `order`. */
  sort(bucket) {
    const a = this.buckets[bucket];
    const n = this.counts[bucket];
    if (n > this.keys.length) this.grow(n * 2);
    const { keys, first, order, low, high } = this;
    if (n < 40) {
      for (let i = 0; i < n; i++) {
        const key = a[i * 4];
        let j = i;
        for (; j > 0 && keys[j - 1] > key; j--) {
          keys[j] = keys[j - 1];
          order[j] = order[j - 1];
        }
        keys[j] = key;
        order[j] = i;
      }
      return;
    }
    low.fill(0);
    high.fill(0);
    for (let i = 0; i < n; i++) {
      const key = a[i * 4];
      low[key & 511]++;
      high[key >>> 9]++;
    }
    for (let i = 0, l = 0, h = 0; i < 512; i++) {
      const inLow = low[i];
      const inHigh = high[i];
      low[i] = l;
      high[i] = h;
      l += inLow;
      h += inHigh;
    }
    for (let i = 0; i < n; i++) {
      const key = a[i * 4];
      const to = low[key & 511]++;
      keys[to] = key;
      first[to] = i;
    }
    for (let i = 0; i < n; i++) order[high[keys[i] >>> 9]++] = first[i];
  }
}

export function simulate({ plan, thread, threads, control, mail }) {
  const { n, k, remote, t, seed } = plan;
  const end = Math.floor(t * 1e6 + 0.5);
  const endWindow = Math.floor(end / LOOK);
  const endOffset = end % LOOK;
  const per = n / threads;
  const shift = Math.log2(per);
  const mask = n - 1;
  const threshold = Math.floor(remote * 2 ** 32);
  const states = new Int32Array(n);
  const hashes = new Int32Array(n);
  const wheel = new Wheel();
  const ctl = new Int32Array(control);
  const boxes = mail.map((buffer) => new Int32Array(buffer));
  let events = 0;
  for (let lp = thread * per; lp < (thread + 1) * per; lp++) {
    states[lp] = fmix((Math.imul(lp, 0x9e3779b9) + seed) | 0);
    for (let i = 0; i < k; i++) {
      states[lp] = (states[lp] + 0x9e3779b9) | 0;
      const at = LOOK + expq[fmix(states[lp]) >>> 20];
      if (at < end) wheel.push(((at / LOOK) | 0) % BUCKETS, at % LOOK, lp);
    }
  }

  function fire(window, bucket) {
    wheel.sort(bucket);
    const a = wheel.buckets[bucket];
    const count = wheel.counts[bucket];
    const order = wheel.order;
    for (let i = 0; i < count; i++) {
      const p = order[i] * 4;
      const offset = a[p];
      const lp = a[p + 1];
      hashes[lp] = (Math.imul(hashes[lp], 31) + ((window * LOOK + offset) | 0)) | 0;
      let state = (states[lp] + 0x9e3779b9) | 0;
      let dest = lp;
      if (fmix(state) >>> 0 < threshold) {
        state = (state + 0x9e3779b9) | 0;
        dest = fmix(state) & mask;
      }
      state = (state + 0x9e3779b9) | 0;
      states[lp] = state;
      const next = offset + LOOK + expq[fmix(state) >>> 20];
      const ahead = (next / LOOK) | 0;
      const to = window + ahead;
      const into = next - ahead * LOOK;
      if (to > endWindow || (to === endWindow && into >= endOffset)) continue;
      const there = dest >>> shift;
      if (threads === 1 || there === thread) wheel.push(to & (BUCKETS - 1), into, dest);
      else {
        const box = boxes[thread * threads + there];
        const at = 1 + box[0]++ * 3;
        box[at] = to;
        box[at + 1] = into;
        box[at + 2] = dest;
      }
    }
    events += count;
    wheel.counts[bucket] = 0;
  }

  let generation = 0;
  barrier(ctl, threads, generation++);
  const from = performance.now();
  for (let window = 0; ; window++) {
    for (let other = 0; other < threads; other++) {
      if (other === thread) continue;
      const box = boxes[other * threads + thread];
      const stop = 1 + box[0] * 3;
      for (let at = 1; at < stop; at += 3) {
        wheel.push(box[at] & (BUCKETS - 1), box[at + 1], box[at + 2]);
      }
      box[0] = 0;
    }
    let next = NONE;
    for (let w = window; w < window + BUCKETS && next === NONE; w++) {
      if (wheel.counts[w & (BUCKETS - 1)] > 0) next = w;
    }
    if (threads > 1) {
      Atomics.store(ctl, 32 + 32 * thread, next);
      barrier(ctl, threads, generation++);
      for (let other = 0; other < threads; other++) {
        next = Math.min(next, Atomics.load(ctl, 32 + 32 * other));
      }
    }
    if (next === NONE) break;
    window = next;
    if (wheel.counts[window & (BUCKETS - 1)] > 0) fire(window, window & (BUCKETS - 1));
    barrier(ctl, threads, generation++);
  }
  const loopMs = performance.now() - from;
  let sum = 0;
  for (let lp = thread * per; lp < (thread + 1) * per; lp++) {
    sum = (sum + fmix(hashes[lp] ^ Math.imul(lp, 0x9e3779b9))) | 0;
  }
  return { events, sum, loopMs };
}

/** Threads that stay warm between runs. */
export class Yardstick {
  constructor() {
    this.workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: ROLE }));
  }

  /** Runs a plan of phold.mjs on 1 or 2 threads. */
  async run(plan, threads) {
    const control = new SharedArrayBuffer(1024);
    const mail = Array.from(
      { length: threads * threads },
      () => new SharedArrayBuffer(threads === 1 ? 16 : 12 * MAIL + 16),
    );
    const parts = await Promise.all(
      this.workers.slice(0, threads).map(
        (worker, thread) =>
          new Promise((resolve, reject) => {
            worker.once('message', resolve);
            worker.removeAllListeners('error').once('error', reject);
            worker.postMessage({ plan, thread, threads, control, mail });
          }),
      ),
    );
    return {
      results: parts.map((part) => part.sum),
      events: parts.reduce((total, part) => total + part.events, 0),
      loopMs: Math.max(...parts.map((part) => part.loopMs)),
    };
  }

  async close() {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

// The engine's threads load this file too, with the model; they are not for this.
if (workerData === ROLE) {
  parentPort?.on('message', (task) => parentPort?.postMessage(simulate(task)));
}
