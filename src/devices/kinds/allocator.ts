/**
 * A load generator: threads that allocate, hold and free, as a test module in the kernel does.
 *
 * Models callers of dma_alloc_coherent(), of cma_alloc() on one area (as dma_alloc_from_contiguous() asks, its
 * alignment capped by CONFIG_CMA_ALIGNMENT), and of alloc_pages(). In a closed loop every thread waits for its
 * answer, holds, frees, pauses and asks again; otherwise requests come at random and a thread takes each.
 * Left out: what the memory is used for.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { counter } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import {
  type DeviceEnvironment,
  defineDevice,
  type FootprintRow,
  type Numbers,
  number,
  type Row,
  words,
} from '../model.js';
import { flag, oneOf, size, time, whole } from '../parts/keys.js';

const config = z.strictObject({
  mode: oneOf(['coherent', 'cma', 'pages'], 'coherent').describe(
    'dma_alloc_coherent(), cma_alloc() on its `area` or the default one, or alloc_pages().',
  ),
  threads: whole(1, 65_536, 1).describe('Threads: requests it has in hand at most.'),
  requests: whole(0, 2 ** 30, 1).describe('Requests of all threads together; 0 for no end.'),
  size: size(65_536).describe('Bytes of a request, or of the smallest.'),
  size_max: size(0).describe(
    'Bytes of the largest: sizes are any number of pages between the two.',
  ),
  arrivals: oneOf(['closed', 'poisson'], 'closed').describe(
    'closed: a thread asks again after `interval`; poisson: requests come at random, that far apart.',
  ),
  interval: time(0).describe(
    'Pause of a thread between two requests, or mean time between arrivals.',
  ),
  hold: time(0).describe('How long a block is held before it is freed.'),
  random: flag(false).describe('Whether hold and pause are exponential with that mean, or exact.'),
  release: flag(true).describe('Whether blocks are freed at all.'),
});
type Config = z.output<typeof config>;
const modes = ['coherent', 'cma', 'pages'] as const;

const fields = [
  'mode',
  'threads',
  'pagesMin',
  'pagesMax',
  'pageSize',
  'alignMax',
  'poisson',
  'interval',
  'hold',
  'random',
  'release',
  // Requests still to be made, -1 without an end; threads at work and the arrivals; the next handle.
  'left',
  'active',
  'cursor',
] as const;
type LoadRow = Row<(typeof fields)[number]>;

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
  if (row.mode === 1) {
    dma.cmaAlloc(handle, pages, Math.min(Math.ceil(Math.log2(pages)), row.alignMax));
  } else if (row.mode === 2) dma.allocPages(handle, pages * row.pageSize);
  else dma.alloc(handle, pages * row.pageSize);
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
  if (row.poisson === 1) row.active--;
  else dma.after(span(dma, row, row.interval), 'TURN', handle);
}

const actions = {
  begin: (dma: DmaApi, row: LoadRow) => {
    const chains = row.poisson === 1 ? 1 : row.threads;
    row.active = chains;
    for (let chain = 0; chain < chains; chain++) {
      dma.after(row.poisson === 1 ? dma.exponential(row.interval) : 0, 'TURN', chain);
    }
  },
  turn: (dma: DmaApi, row: LoadRow, n: Numbers) => {
    const thread = n[0];
    if (row.left === 0) {
      row.active--;
      return;
    }
    if (row.poisson === 1) {
      arrive(dma, row);
      dma.after(dma.exponential(row.interval), 'TURN');
      return;
    }
    ask(dma, row, row.release === 1 ? thread : row.cursor++);
  },
  keep: (dma: DmaApi, row: LoadRow, n: Numbers) => {
    const handle = n[number.granted.handle];
    if (row.release === 1) dma.after(span(dma, row, row.hold), 'EXPIRED', handle);
    else goOn(dma, row, handle);
  },
  giveUp: (dma: DmaApi, row: LoadRow, n: Numbers) => goOn(dma, row, n[number.refused.handle]),
  expire: (dma: DmaApi, _row: LoadRow, n: Numbers) => {
    dma.free(n[0]);
  },
  rest: (dma: DmaApi, row: LoadRow, n: Numbers) => goOn(dma, row, n[number.freed.handle]),
  stop: (_dma: DmaApi, row: LoadRow) => {
    row.left = 0;
  },
};

const guards = {
  finished: (_dma: DmaApi, row: LoadRow) => row.active === 0,
};

export const machine = setup(words(actions, guards)).createMachine({
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
});

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const bytes = Math.max(c.size, c.size_max);
  const count = c.release ? c.threads : c.requests;
  return [{ purpose: 'buffer', bytes, count, cma: c.mode !== 'pages' && bytes > kernel.pageSize }];
}

export const allocator = defineDevice<Config, (typeof fields)[number]>({
  kind: 'allocator',
  summary: 'threads that allocate and free: dma_alloc_coherent(), cma_alloc() or alloc_pages()',
  config,
  fields,
  machine,
  actions,
  guards,
  delays: {},
  statistics: [turnedAway],
  timeline: { STOP: { help: 'No thread asks again.', numbers: [] } },
  own: ['TURN', 'EXPIRED'],
  behindIommu: false,
  handles: (c) => (c.release ? c.threads : Math.max(1, c.requests)),
  footprint,
  configure(row, c, kernel) {
    row.mode = modes.indexOf(c.mode);
    row.threads = c.threads;
    row.pageSize = kernel.pageSize;
    row.pagesMin = Math.max(1, Math.ceil(c.size / kernel.pageSize));
    row.pagesMax = Math.max(row.pagesMin, Math.floor(c.size_max / kernel.pageSize));
    row.alignMax = kernel.cmaAlignment;
    row.poisson = c.arrivals === 'poisson' ? 1 : 0;
    row.interval = c.interval;
    row.hold = c.hold;
    row.random = c.random ? 1 : 0;
    row.release = c.release ? 1 : 0;
    row.left = c.requests === 0 ? -1 : c.requests;
  },
});
