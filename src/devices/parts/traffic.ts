/**
 * Traffic: when a device's batches begin, in one place for all devices. One event is one batch.
 *
 * `steady`, `poisson`, `burst` and `recorded` come whether or not the batch before has ended; a
 * batch that finds no room in the ring is dropped and counted. `closed` is a number of CPUs, each
 * of which waits for its batch and then, after the interval, begins the next. Left out: back
 * pressure on whoever sends.
 */
import type { z } from 'zod';
import { counter, histogram, type Statistic } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import { type DeviceRow, type Numbers, number } from '../model.js';
import { oneOf, time, times, whole } from './keys.js';

export const traffics = ['none', 'steady', 'poisson', 'burst', 'closed', 'recorded'] as const;
const NONE = 0;
const POISSON = traffics.indexOf('poisson');
const BURST = traffics.indexOf('burst');
const CLOSED = traffics.indexOf('closed');
const RECORDED = traffics.indexOf('recorded');

export const droppedBatches = counter('dropped_batches', {
  unit: '1',
  class: 'assumed',
  help: 'Batches that found no room in the ring, because those before them were still under way.',
});

export const descriptorFetch = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

/** The keys of a device's traffic; `interval` in ns is what it is unless given. */
export function trafficKeys(interval = 100_000) {
  return {
    traffic: oneOf(traffics, 'none').describe(
      'How batches come: evenly, at random, several at once, from CPUs that wait, as recorded.',
    ),
    interval: time(interval).describe(
      "Mean time between two batches; for closed, from the end of a CPU's batch to its next.",
    ),
    burst: whole(1, 65_536, 8).describe('Batches that come at once, for traffic: burst.'),
    cpus: whole(1, 4096, 1).describe('CPUs with one batch each under way, for traffic: closed.'),
    arrivals: times().describe(
      'Times from batch to batch, over and over again, for traffic: recorded.',
    ),
  };
}

/** What a schema with trafficKeys() must also hold: a recording lasts, a rate is finite. */
export function checkTraffic<T extends z.ZodType<TrafficConfig>>(config: T): T {
  const lasts = (c: TrafficConfig) =>
    c.traffic !== 'recorded' || c.arrivals.some((interval) => interval > 0);
  const rate = (c: TrafficConfig) =>
    c.interval > 0 || !['steady', 'poisson', 'burst'].includes(c.traffic);
  return config
    .refine(lasts, {
      path: ['arrivals'],
      message: 'no time over 0, expected some for traffic: recorded',
    })
    .refine(rate, { path: ['interval'], message: '0, expected a time over 0' });
}

export interface TrafficConfig {
  readonly traffic: (typeof traffics)[number];
  readonly interval: number;
  readonly burst: number;
  readonly cpus: number;
  readonly arrivals: readonly number[];
}

/** `turn`: position in a burst or a recording. `inflight`: batches under way. */
export const trafficState = ['turn', 'inflight'] as const;
type TrafficRow = DeviceRow<keyof TrafficConfig | (typeof trafficState)[number]>;

/** The event a device sends itself when a batch is due. */
export const ARRIVE = 'ARRIVE';

/** Time to the next batch, in ns. */
function gap(dma: DmaApi, row: TrafficRow): number {
  switch (row.traffic) {
    case POISSON:
      return dma.exponential(row.interval);
    case BURST:
      row.turn = (row.turn + 1) % row.burst;
      return row.turn === 0 ? row.interval * row.burst : 0;
    case RECORDED: {
      const length = dma.kept(row.arrivals, 0);
      const interval = dma.kept(row.arrivals, 1 + row.turn);
      row.turn = (row.turn + 1) % length;
      return interval;
    }
    default:
      return row.interval;
  }
}

/** Begins a batch if fewer than `room` are under way; one that must not begin is dropped. */
export function beginsBatch(dma: DmaApi, row: TrafficRow, room: number): boolean {
  if (row.inflight < room) {
    row.inflight++;
    return true;
  }
  dma.record(droppedBatches, 1);
  if (row.traffic === CLOSED) dma.after(Math.max(1, row.interval), ARRIVE);
  return false;
}

/** Words of every device that has traffic. */
export const trafficActions = {
  startTraffic: (dma: DmaApi, row: TrafficRow) => {
    row.turn = 0;
    row.inflight = 0;
    if (row.traffic === NONE) return;
    const first = row.traffic === BURST ? row.interval * row.burst : 0;
    if (row.traffic !== CLOSED) dma.after(first || gap(dma, row), ARRIVE);
    for (let cpu = 0; row.traffic === CLOSED && cpu < row.cpus; cpu++) dma.after(0, ARRIVE);
  },
  nextArrival: (dma: DmaApi, row: TrafficRow) => {
    if (row.traffic !== CLOSED) dma.after(gap(dma, row), ARRIVE);
  },
  nextOfCpu: (dma: DmaApi, row: TrafficRow) => {
    if (row.traffic === CLOSED) dma.after(row.interval, ARRIVE);
  },
  stopTraffic: (dma: DmaApi) => dma.cancel(),
};
/** `finishBatch` of a device: what the batch took goes into `time`. */
export const finishes = (time: Statistic) => (dma: DmaApi, row: TrafficRow, n: Numbers) => {
  row.inflight--;
  dma.record(time, n[number.accessed.elapsedNs]);
};
export const trafficGuards = {
  quiet: (_dma: DmaApi, row: TrafficRow) => row.inflight === 0,
};

/**
 * A device at work and on its way out of it: `mustStop` ends the traffic, and when the last batch
 * is done it goes to `stopped`. The device's own words: beginBatch, finishBatch, mustStop.
 * `besides`: events it hears in both states.
 */
export function working<Besides extends object>(stopped: string, besides: Besides = {} as Besides) {
  return {
    on: besides,
    initial: 'running',
    states: {
      running: {
        entry: 'startTraffic',
        exit: 'stopTraffic',
        always: { guard: 'mustStop', target: 'quiescing' },
        on: {
          ARRIVE: { actions: ['nextArrival', 'beginBatch'] },
          ACCESSED: { actions: ['finishBatch', 'nextOfCpu'] },
        },
      },
      quiescing: {
        always: { guard: 'quiet', target: stopped },
        on: { ACCESSED: { actions: 'finishBatch' } },
      },
    },
  } as const;
}
