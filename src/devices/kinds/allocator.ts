/**
 * A load generator: threads that allocate, hold and free, as a test module in the kernel does.
 *
 * Models callers of dma_alloc_coherent(), of cma_alloc() on one area (as
 * dma_alloc_from_contiguous() asks, its alignment capped by CONFIG_CMA_ALIGNMENT), and of
 * alloc_pages(). In a closed loop every thread waits for its answer, holds, frees, pauses and asks
 * again; otherwise requests come at random and a thread takes each. Left out: what the memory is
 * used for.
 */
import { z } from 'zod';
import { counter } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import { type DeviceRow, defineDevice, type Field, number } from '../model.js';
import { bytes, flag, oneOf, time, whole } from '../parts/keys.js';
import { sets } from '../parts/words.js';

const config = z.strictObject({
  mode: oneOf(['coherent', 'cma', 'pages'], 'coherent').describe(
    'dma_alloc_coherent(), cma_alloc() on its `area` or the default one, or alloc_pages().',
  ),
  threads: whole(1, 65_536, 1).describe('Threads: requests it has in hand at most.'),
  requests: whole(0, 2 ** 30, 1).describe('Requests of all threads together; 0 for no end.'),
  size: bytes(65_536).describe('Bytes of a request, or of the smallest.'),
  size_max: bytes(0).describe(
    'Bytes of the largest: sizes are any number of pages between the two.',
  ),
  arrivals: oneOf(['closed', 'poisson'], 'closed').describe(
    'closed: a thread asks again after `interval`; poisson: requests come at random, that far ' +
      'apart.',
  ),
  interval: time(0).describe(
    'Pause of a thread between two requests, or mean time between arrivals.',
  ),
  hold: time(0).describe('How long a block is held before it is freed.'),
  random: flag(false).describe('Whether hold and pause are exponential with that mean, or exact.'),
  release: flag(true).describe('Whether blocks are freed at all.'),
});
/** Position of `poisson` among the values of `arrivals`. */
const POISSON = 1;

const state = [
  'pagesMin',
  'pagesMax',
  'pageSize',
  // Requests still to be made, -1 without an end; threads at work and the arrivals; the next
  // handle.
  'left',
  'active',
  'cursor',
] as const;
type LoadRow = DeviceRow<Field<typeof config, (typeof state)[number]>>;

const turnedAway = counter('turned_away', {
  unit: '1',
  class: 'exact',
  help: 'Arrivals that found every thread at work, of arrivals: poisson.',
});

const span = (dma: DmaApi, row: LoadRow, mean: number): number =>
  row.random === 1 ? dma.exponential(mean) : mean;

function ask(dma: DmaApi, row: LoadRow, handle: number): void {
  const more = Math.floor(dma.uniform() * (row.pagesMax - row.pagesMin + 1));
  const pages = row.pagesMin + more;
  if (row.left > 0) row.left--;
  dma.alloc(handle, pages * row.pageSize);
}

/** An arrival: the next thread that has nothing in hand takes it. */
function arrive(dma: DmaApi, row: LoadRow): void {
  const { threads } = row;
  let tried = 0;
  while (tried < threads && !dma.isEmpty((row.cursor + tried) % threads)) tried++;
  if (tried === threads) {
    if (row.left > 0) row.left--;
    dma.record(turnedAway, 1);
    return;
  }
  const handle = (row.cursor + tried) % threads;
  row.cursor = (handle + 1) % threads;
  row.active++;
  ask(dma, row, handle);
}

/** A thread has its answer, or has freed: it goes on after its pause. */
function goOn(dma: DmaApi, row: LoadRow, handle: number): void {
  if (row.arrivals === POISSON) row.active--;
  else dma.after(span(dma, row, row.interval), 'TURN', handle);
}

export const allocator = defineDevice({
  kind: 'allocator',
  summary: 'threads that allocate and free: dma_alloc_coherent(), cma_alloc() or alloc_pages()',
  config,
  state,
  machine: {
    id: 'allocator',
    initial: 'idle',
    states: {
      idle: { on: { START: 'running' } },
      running: {
        entry: 'begin',
        on: {
          TURN: { actions: 'turn' },
          GRANTED: { actions: 'keep' },
          REFUSED: { actions: 'giveUp' },
          EXPIRED: { actions: 'expire' },
          FREED: { actions: 'rest' },
          STOP: { actions: 'stop' },
        },
        always: { guard: 'finished', target: 'done' },
      },
      done: { type: 'final' },
    },
  },
  actions: {
    begin(dma, row) {
      const chains = row.arrivals === POISSON ? 1 : row.threads;
      row.active = chains;
      for (let chain = 0; chain < chains; chain++) {
        dma.after(row.arrivals === POISSON ? dma.exponential(row.interval) : 0, 'TURN', chain);
      }
    },
    turn(dma, row, n) {
      const thread = n[0];
      if (row.left === 0) {
        row.active--;
        return;
      }
      if (row.arrivals === POISSON) {
        arrive(dma, row);
        dma.after(dma.exponential(row.interval), 'TURN');
        return;
      }
      ask(dma, row, row.release === 1 ? thread : row.cursor++);
    },
    keep(dma, row, n) {
      const handle = n[number.granted.handle];
      if (row.release === 1) dma.after(span(dma, row, row.hold), 'EXPIRED', handle);
      else goOn(dma, row, handle);
    },
    giveUp: (dma, row, n) => goOn(dma, row, n[number.refused.handle]),
    expire(dma, _row, n) {
      dma.free(n[0]);
    },
    rest: (dma, row, n) => goOn(dma, row, n[number.freed.handle]),
    stop: sets('left', 0),
  },
  guards: {
    finished: (_dma, row) => row.active === 0,
  },
  statistics: [turnedAway],
  timeline: { STOP: { help: 'No thread asks again.', numbers: [] } },
  own: ['TURN', 'EXPIRED'],
  behindIommu: false,
  memory: (c) => [
    {
      purpose: 'buffer',
      how: c.mode,
      bytes: Math.max(c.size, c.size_max),
      count: c.release ? c.threads : Math.max(1, c.requests),
    },
  ],
  configure(row, c, { pageSize }) {
    row.pageSize = pageSize;
    row.pagesMin = Math.max(1, Math.ceil(c.size / pageSize));
    row.pagesMax = Math.max(row.pagesMin, Math.floor(c.size_max / pageSize));
    row.left = c.requests === 0 ? -1 : c.requests;
  },
});
