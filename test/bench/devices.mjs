/**
 * One event of a NIC: the lowered machine against `actor.send` of XState, on the same chart and
 * functions.
 *
 * The event is half a batch of traffic of hns3 (two levels, guards, `always`, two actions): a batch
 * that is due, then the answer to the access it caused.
 */

import { createActor } from 'xstate';
import { configureRow } from '../../dist/src/devices/chart/row.js';
import { Fleet } from '../../dist/src/devices/host/fleet.js';
import { hns3 } from '../../dist/src/devices/kinds/hns3.js';
import { memoryOf } from '../../dist/src/devices/memory.js';

const environment = { pageSize: 4096, maxPageOrder: 10, cmaAlignment: 8, dmaCma: true, cpus: 4 };
const START = 0;
const GRANTED = 1;
const ACCESSED = 4;

let now = 0;
let accesses = 0;
const dma = {
  now: () => now,
  alloc() {},
  bytes: () => 4096,
  free: () => true,
  holds: () => true,
  nodeOf: () => 0,
  access() {
    accesses++;
  },
  after() {},
  cancel() {},
  record() {},
  uniform: () => 0.5,
  exponential: (mean) => mean,
};

const config = hns3.config.parse({ queues: 1, traffic: 'steady' });
const memory = memoryOf(hns3, config, environment);
const from = { config, environment, memory, keep: () => 0 };

/** Devices brought up, ready for traffic. */
function lowered(count) {
  const kind = new Fleet({ model: hns3, count, dma, interpreted: false, setTimer() {} });
  for (let device = 0; device < count; device++) {
    kind.row.base = device * kind.stride;
    configureRow(hns3, kind.row, from);
    kind.machine.start();
    kind.machine.send(START);
    for (let grants = 0; grants < 5; grants++) kind.machine.send(GRANTED);
  }
  return kind;
}

function runLowered(kind, count, batches) {
  const { machine, row, stride } = kind;
  const arrive = kind.eventIndex.get('ARRIVE');
  for (let batch = 0; batch < batches; batch++) {
    now += 100;
    row.base = (batch % count) * stride;
    machine.send(arrive);
    machine.send(ACCESSED);
  }
}

/** The same through createActor alone: no adapter but the binding of names to functions. */
function actors(count) {
  const list = [];
  const row = Object.fromEntries(hns3.fields.map((field) => [field, 0]));
  const numbers = new Float64Array(8);
  const bind = (fns) =>
    Object.fromEntries(
      Object.entries(fns).map(([name, fn]) => [name, () => fn(dma, row, numbers)]),
    );
  const machine = hns3.machine.provide({
    actions: bind(hns3.actions),
    guards: bind(hns3.guards),
    delays: bind(hns3.delays),
  });
  for (let device = 0; device < count; device++) {
    configureRow(hns3, row, from);
    const actor = createActor(machine).start();
    actor.send({ type: 'START' });
    for (let grants = 0; grants < 5; grants++) actor.send({ type: 'GRANTED' });
    list.push(actor);
  }
  return list;
}

function runActors(list, batches) {
  const arrive = { type: 'ARRIVE' };
  const accessed = { type: 'ACCESSED' };
  for (let batch = 0; batch < batches; batch++) {
    now += 100;
    const actor = list[batch % list.length];
    actor.send(arrive);
    actor.send(accessed);
  }
}

/** Best of three, in ns per event; two events per batch. */
function time(batches, work) {
  work(Math.ceil(batches / 10));
  let best = Infinity;
  for (let round = 0; round < 3; round++) {
    const before = accesses;
    const start = process.hrtime.bigint();
    work(batches);
    const elapsed = Number(process.hrtime.bigint() - start);
    if (accesses - before !== batches)
      throw new Error(`${accesses - before} of ${batches} batches`);
    best = Math.min(best, elapsed / (2 * batches));
  }
  return best;
}

export function run() {
  console.log('devices    lowered ns/event    actor.send ns/event    ratio');
  for (const count of [1, 1024, 16_384]) {
    const kind = lowered(count);
    const fast = time(1_000_000, (batches) => runLowered(kind, count, batches));
    const slow =
      count > 1024
        ? undefined
        : ((list) => time(20_000, (batches) => runActors(list, batches)))(actors(count));
    const columns = [
      String(count).padStart(7),
      fast.toFixed(0).padStart(19),
      (slow?.toFixed(0) ?? '-').padStart(22),
      (slow === undefined ? '-' : `${(slow / fast).toFixed(0)}x`).padStart(8),
    ];
    console.log(columns.join(' '));
  }
  const bytes = 8 * lowered(1).stride;
  console.log(`a row of hns3 is ${bytes} bytes`);
}
