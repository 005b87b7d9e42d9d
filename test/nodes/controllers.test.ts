import { expect, test } from 'vitest';
import { costModel } from '#cmasim/mm/alloc/cost.js';
import { Bytes, Nid } from '#cmasim/mm/units.js';
import { Controllers } from '#cmasim/nodes/controllers.js';
import type { Wiring } from '#cmasim/nodes/wiring.js';
import { Loop } from '#cmasim/sim/loop.js';
import { Stream } from '#cmasim/sim/random.js';
import { ACCESS, ACCESSED, Access, Accessed } from '#cmasim/wire/messages.js';
import { batchMeans, interval, meanWaitMD1 } from '../harness.js';

const WAY = 60;
const machine = {
  bandwidth: [40.96, 40.96],
  linkBandwidth: [20.48, 20.48],
  latency: [
    [100, 160],
    [160, 100],
  ],
  onDie: 60,
};

interface Asked {
  readonly at: number;
  readonly bytes: number;
  /** Node that asks; memory is node 0's. */
  readonly from: 0 | 1;
  /** Half trips home; 1 unless given. */
  readonly back?: number;
}

interface Answer {
  readonly queued: number;
  /** When it arrived. */
  readonly at: number;
}

/** What each access waited, in ns. */
function waits(
  list: readonly Asked[],
  costs: Record<string, number> = {},
  flow?: { bytes: number; ns: number },
): number[] {
  return answers(list, costs, flow).map(({ queued }) => queued);
}

/** What each access waited and when its answer came. Actors 0 and 1 are the nodes, 2 and 3 ask from them. */
function answers(
  list: readonly Asked[],
  costs: Record<string, number> = {},
  flow?: { bytes: number; ns: number },
): Answer[] {
  const place = Int32Array.from([0, 1, 0, 1]);
  const model = costModel(costs, { pageSize: 4096 });
  const latency = { oneWay: (a: number, b: number) => (a === b ? 0 : WAY) };
  const wiring = { place, nidOf: [0, 1], costs: model, latency } as unknown as Wiring;
  const controllers = new Controllers(wiring, machine);
  if (flow) controllers.flow(0, 0, flow.bytes, flow.ns);
  const answered: Answer[] = [];
  const loop = new Loop({
    actors: 4,
    groupOf: place,
    behaviourOf: new Uint8Array(4),
    behaviours: [
      {
        receive(on, type, m, at) {
          const { tag, queued } = new Accessed().on(m, at);
          if (type === ACCESS) controllers.access(on, new Access().on(m, at));
          else if (type === ACCESSED) answered[tag] = { queued, at: on.now };
        },
      },
    ],
  });
  loop.start({
    start(first) {
      list.forEach(({ at, bytes, from, back = 1 }, tag) => {
        first.actor = 2 + from;
        const access = new Access().post(first, 0, at, ACCESS);
        access.tag = tag;
        access.bytes = Bytes(bytes);
        access.back = back;
        access.from = Nid(from);
        access.replyTo = 2 + from;
      });
    },
  });
  loop.run();
  return answered;
}

/** `count` accesses of 4 KiB, 100 ns each on a controller, at random. */
function poissonArrivals(count: number, load: number, from: 0 | 1 = 0): Asked[] {
  const stream = new Stream([9, 8, 7, 6]);
  let now = 0;
  return Array.from({ length: count }, () => {
    now += stream.exponential(100 / load);
    return { at: Math.round(now), bytes: 4096, from };
  });
}

test.each([0.3, 0.6, 0.8])('one controller with Poisson arrivals of load %d is M/D/1', (load) => {
  const all = waits(poissonArrivals(150_000, load), { load_slope: 0 });
  const { low, high } = interval(batchMeans(all, 20));
  expect(low).toBeLessThan(meanWaitMD1(load, 100));
  expect(high).toBeGreaterThan(meanWaitMD1(load, 100));
});

test('latency grows with the load as L0 (1 + a u / (1 - u)) on top of the queue', () => {
  // Evenly spaced accesses never queue: what is left is the growth.
  for (const load of [0.25, 0.5, 0.8]) {
    const even = Array.from({ length: 20_000 }, (_, i): Asked => {
      return { at: Math.ceil((i * 100) / load), bytes: 4096, from: 0 };
    });
    const settled = waits(even, { load_slope: 0.2, load_window: 10_000 }).slice(1000);
    const mean = settled.reduce((sum, wait) => sum + wait, 0) / settled.length;
    const grown = (100 * 0.2 * load) / (1 - load);
    expect(Math.abs(mean - grown)).toBeLessThan(0.06 * grown + 0.5);
  }
});

test('a lone access waits for nobody', () => {
  expect(waits([{ at: 0, bytes: 64, from: 0 }])).toEqual([0]);
});

test('an access from afar queues at the links and at the controller', () => {
  const two = (from: 0 | 1): Asked[] => [0, 0].map((at) => ({ at, bytes: 4096, from }));
  expect(waits(two(0), { load_slope: 0 })).toEqual([0, 100]);
  // The links are half as fast.
  expect(waits(two(1), { load_slope: 0 })).toEqual([0, 300]);
});

test('a local access waits for a remote one that came before it', () => {
  const mixed: Asked[] = [
    { at: 0, bytes: 4096, from: 1 },
    { at: 10, bytes: 4096, from: 0 },
  ];
  expect(waits(mixed, { load_slope: 0 })).toEqual([0, 90]);
});

test('a copy that takes half of the bandwidth leaves the other half, while it lasts', () => {
  const late: Asked[] = [0, 0, 5000, 5000].map((at) => ({ at, bytes: 4096, from: 0 }));
  const half = { bytes: 4000 * 20.48, ns: 4000 };
  expect(waits(late, { load_slope: 0 }, half)).toEqual([0, 200, 0, 100]);
});

test('a local access crosses the die there and back; one from afar has paid its way here', () => {
  const took = (from: 0 | 1, back: number) =>
    answers([{ at: 1000, bytes: 64, from, back }])[0].at - 1000;
  const halfDie = machine.onDie / 2;
  expect([took(0, 0), took(0, 1), took(0, 3)]).toEqual([halfDie, 2 * halfDie, 4 * halfDie]);
  expect([took(1, 0), took(1, 1), took(1, 3)]).toEqual([0, WAY, 3 * WAY]);
});
