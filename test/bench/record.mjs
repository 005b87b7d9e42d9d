/**
 * Records: what a view costs beside offsets that are written out.
 *
 * A chain of events as the engine has them: each reads a payload, changes three of its numbers (one of
 * them a few bits of a shared double), and posts it on. Once with views, once with offsets.
 */

import { PAYLOAD } from '../../dist/src/sim/pool.js';
import { bits, record } from '../../dist/src/wire/record.js';

const EVENTS = 4_000_000;
const ROUNDS = 7;
const SLOTS = 1024;

const View = record({ id: Number, size: Number, wait: Number, step: bits(8), walk: bits(12) });
const at = { id: 0, size: 1, wait: 2, packed: 3 };

/** Both get a payload and the place where the next one goes, as Behaviour.receive() does. */
class Views {
  from = new View();
  to = new View();

  receive(m, payload, next) {
    const from = this.from.on(m, payload);
    const to = this.to.on(m, next);
    to.id = from.id;
    to.size = from.size;
    to.wait = from.wait + 3;
    to.step = (from.step + 1) & 255;
    to.walk = from.walk;
  }
}

class Offsets {
  receive(m, payload, next) {
    const packed = m[payload + at.packed];
    const step = (packed + 1) & 255;
    const walk = (packed >>> 8) & 4095;
    m[next + at.id] = m[payload + at.id];
    m[next + at.size] = m[payload + at.size];
    m[next + at.wait] = m[payload + at.wait] + 3;
    m[next + at.packed] = (m[next + at.packed] & ~255) | step;
    m[next + at.packed] = (m[next + at.packed] & ~(4095 << 8)) | (walk << 8);
  }
}

/** Ns per event. */
function pass(behaviour) {
  const m = new Float64Array(SLOTS * PAYLOAD).fill(1);
  const begun = performance.now();
  for (let event = 0; event < EVENTS; event++) {
    const slot = event % SLOTS;
    behaviour.receive(m, slot * PAYLOAD, ((slot * 7 + 1) % SLOTS) * PAYLOAD);
  }
  return ((performance.now() - begun) / EVENTS) * 1e6;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

export async function run() {
  const [views, offsets] = [new Views(), new Offsets()];
  pass(views);
  pass(offsets);
  const ratios = [];
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [view, raw] = [pass(views), pass(offsets)];
    ratios.push(view / raw);
    times.push(view);
  }
  console.log(`an event through views: ${median(times).toFixed(1)} ns`);
  console.log(`views against offsets: ${median(ratios).toFixed(2)} of the time`);
}
