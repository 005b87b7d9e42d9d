/**
 * NVMe over PCI: admin queue, host memory buffer, I/O queues, and PRP lists page by page.
 *
 * Models nvme_alloc_queue(), nvme_dbbuf_dma_alloc(), nvme_alloc_host_mem() with its chunks, which are
 * halved from the largest block of the buddy down to what the controller takes, and the dma_pool of
 * PRP lists, which grows by a page with GFP_ATOMIC. The controller works without a host memory buffer;
 * without its I/O queues the probe fails. Left out: resets (queues and buffer stay), polled queues,
 * controller memory, dma_alloc_noncontiguous() of 6.13.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { GFP_ATOMIC } from '../../mm/gfp.js';
import { counter, histogram } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import {
  type DeviceEnvironment,
  defineDevice,
  type FootprintRow,
  type Numbers,
  type Row,
  words,
} from '../model.js';
import { flag, size, whole } from '../parts/keys.js';
import { lifeActions, lifeFields, lifeGuards } from '../parts/life.js';
import { askFrom, asking, freeDown, freeing } from '../parts/sequence.js';
import {
  ARRIVE,
  beginsBatch,
  checkTraffic,
  configureTraffic,
  droppedBatches,
  trafficKeys,
  working,
} from '../parts/traffic.js';

const SQE_BYTES = 64;
const CQE_BYTES = 16;
const ADMIN_DEPTH = 32;
const HMB_DESC_BYTES = 16;
/** Pages of PRP lists the pool may grow to. */
const PRP_PAGES_MAX = 32;

const config = checkTraffic(
  z.strictObject({
    queues: whole(1, 65_535, 128).describe('I/O queue pairs the controller offers.'),
    queue_depth: whole(2, 65_535, 1024).describe('io_queue_depth: entries of an I/O queue.'),
    dbbuf: flag(false).describe(
      'Whether the controller has shadow doorbells, as emulated ones do.',
    ),
    hmb: size(0).describe('HMPRE: preferred host memory buffer; none unless given.'),
    hmb_min: size(0).describe('HMMIN: least that is of any use to the controller.'),
    hmb_chunk_min: size(0).describe('HMMINDS: smallest chunk; two pages at least.'),
    hmb_chunks: whole(0, 65_535, 0).describe('HMMAXD: most chunks; 0 for any number.'),
    hmb_limit: size(128 * 2 ** 20).describe('max_host_mem_size_mb: most the driver gives.'),
    prp_lists: flag(false).describe('Whether a batch is one command large enough for a PRP list.'),
    batch: whole(1, 65_535, 16).describe('Commands of one batch.'),
    ...trafficKeys(),
  }),
);
type Config = z.output<typeof config>;

const fields = [
  ...lifeFields,
  'depth',
  'queues',
  'dbbuf',
  'pageSize',
  'hmb',
  'hmbMin',
  'hmbDescs',
  // Chunk size now and the least; bytes and chunks granted so far.
  'chunk',
  'chunkMin',
  'hmbSize',
  'chunks',
  'prp',
  'prpPages',
  'prpAsked',
  'batch',
  'queue',
] as const;
type NvmeRow = Row<(typeof fields)[number]>;

/** Handles: admin CQ and SQ, two doorbell pages, I/O queues, PRP lists, the list of chunks, chunks. */
const DBBUF = 2;
const IO = 4;
const prpHandle = (row: NvmeRow): number => IO + 2 * row.queues;
const listHandle = (row: NvmeRow): number => prpHandle(row) + PRP_PAGES_MAX;
const chunkHandle = (row: NvmeRow): number => listHandle(row) + 1;

const hmbRefused = counter('hmb_refused', {
  unit: '1',
  class: 'exact',
  help: 'Host memory buffers of which not even the least could be had.',
});
const hmbBytes = counter('hmb_bytes', {
  unit: 'bytes',
  class: 'exact',
  help: 'Host memory given to controllers.',
});
const fetchTime = histogram('command_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the controller reads one batch of commands from its submission queue.',
});

/** Bytes of a queue or of the shadow doorbells. */
function sizeOf(row: NvmeRow, handle: number): number {
  if (handle < DBBUF) return ADMIN_DEPTH * (handle === 0 ? CQE_BYTES : SQE_BYTES);
  // nvme_dbbuf_size(): a pair of 4-byte doorbells per queue pair, the admin queue among them.
  if (handle < IO) return (row.queues + 1) * 8;
  return row.depth * ((handle - IO) % 2 === 0 ? CQE_BYTES : SQE_BYTES);
}

/** Entries of the list for chunks of this size. */
function entriesOf(row: NvmeRow): number {
  const needed = Math.ceil(row.hmb / row.chunk);
  return row.hmbDescs > 0 ? Math.min(row.hmbDescs, needed) : needed;
}

const { noteReset: _, ...lifeWords } = lifeActions;
const actions = {
  ...lifeWords,
  beginProbe: (_dma: DmaApi, row: NvmeRow) => askFrom(row, 0, row.dbbuf === 1 ? IO : DBBUF),
  beginQueues: (dma: DmaApi, row: NvmeRow) => {
    dma.record(hmbBytes, row.hmbSize);
    askFrom(row, IO, prpHandle(row));
  },
  allocate: (dma: DmaApi, row: NvmeRow) => dma.alloc(row.cursor, sizeOf(row, row.cursor)),
  allocateList: (dma: DmaApi, row: NvmeRow) => {
    row.hmbSize = 0;
    row.chunks = 0;
    dma.alloc(listHandle(row), entriesOf(row) * HMB_DESC_BYTES);
  },
  allocateChunk: (dma: DmaApi, row: NvmeRow) =>
    dma.alloc(chunkHandle(row) + row.chunks, Math.min(row.chunk, row.hmb - row.hmbSize)),
  countChunk: (_dma: DmaApi, row: NvmeRow) => {
    row.hmbSize += Math.min(row.chunk, row.hmb - row.hmbSize);
    row.chunks++;
  },
  returnChunks: (_dma: DmaApi, row: NvmeRow) =>
    freeDown(row, listHandle(row), chunkHandle(row) + row.chunks),
  halveChunk: (_dma: DmaApi, row: NvmeRow) => {
    row.chunk /= 2;
    row.hmbSize = 0;
    row.chunks = 0;
  },
  giveUpHmb: (dma: DmaApi) => dma.record(hmbRefused, 1),
  beginBatch: (dma: DmaApi, row: NvmeRow) => {
    if (!beginsBatch(dma, row, Math.max(1, Math.floor(row.depth / row.batch)) * row.queues)) return;
    const isShort = row.prp === 1 && row.inflight > row.prpPages + row.prpAsked;
    if (isShort && row.prpPages + row.prpAsked < PRP_PAGES_MAX) {
      dma.alloc(prpHandle(row) + row.prpPages + row.prpAsked, 4096, GFP_ATOMIC);
      row.prpAsked++;
    }
    dma.access(IO + 2 * row.queue + 1, row.batch * SQE_BYTES, 1);
    row.queue = (row.queue + 1) % row.queues;
  },
  finishBatch: (dma: DmaApi, row: NvmeRow, n: Numbers) => {
    row.inflight--;
    dma.record(fetchTime, n[2]);
  },
  poolGrew: (_dma: DmaApi, row: NvmeRow) => {
    row.prpAsked--;
    row.prpPages++;
  },
  poolDidNot: (_dma: DmaApi, row: NvmeRow) => {
    row.prpAsked--;
  },
};

const guards = {
  ...lifeGuards,
  quiet: (_dma: DmaApi, row: NvmeRow) => row.inflight === 0 && row.prpAsked === 0,
  wantsHmb: (_dma: DmaApi, row: NvmeRow) => row.hmb > 0 && row.hmbMin <= row.hmb,
  moreChunks: (_dma: DmaApi, row: NvmeRow) => row.hmbSize < row.hmb && row.chunks < entriesOf(row),
  enoughChunks: (_dma: DmaApi, row: NvmeRow) => row.hmbSize > 0 && row.hmbSize >= row.hmbMin,
  canShrink: (_dma: DmaApi, row: NvmeRow) => row.chunk >= row.chunkMin,
};

const nvmeChart = setup(words(actions, guards));
const buffering = nvmeChart.createStateConfig({
  initial: 'listing',
  states: {
    listing: {
      entry: 'allocateList',
      on: { GRANTED: 'filling', REFUSED: 'halving' },
    },
    filling: {
      entry: 'allocateChunk',
      on: { GRANTED: { target: 'weighing', actions: 'countChunk' }, REFUSED: 'settling' },
    },
    weighing: { always: [{ guard: 'moreChunks', target: 'filling' }, 'settling'] },
    settling: {
      always: [{ guard: 'enoughChunks', target: '#nvme.queueing' }, 'returning'],
    },
    returning: { entry: 'returnChunks', ...freeing('#nvme.buffering.halving') },
    halving: {
      entry: 'halveChunk',
      always: [{ guard: 'canShrink', target: 'listing' }, '#nvme.unbuffered'],
    },
  },
});

export const machine = nvmeChart.createMachine({
  id: 'nvme',
  initial: 'off',
  on: { REMOVE: { actions: 'noteRemoval' } },
  states: {
    off: { on: { START: 'probing' } },
    probing: {
      entry: 'beginProbe',
      ...asking({ done: '#nvme.enabled', refused: '#nvme.unwinding' }),
    },
    enabled: { always: [{ guard: 'wantsHmb', target: 'buffering' }, 'queueing'] },
    buffering,
    unbuffered: { entry: 'giveUpHmb', always: 'queueing' },
    queueing: {
      entry: 'beginQueues',
      ...asking({ done: '#nvme.up', refused: '#nvme.unwinding' }),
    },
    up: working('#nvme.removing', {
      GRANTED: { actions: 'poolGrew' },
      REFUSED: { actions: 'poolDidNot' },
    } as const),
    unwinding: { entry: 'beginFreeAll', ...freeing('#nvme.failed') },
    failed: { always: { guard: 'removing', target: 'removed' }, on: { START: 'probing' } },
    removing: { entry: 'beginFreeAll', ...freeing('#nvme.removed') },
    removed: { type: 'final' },
  },
});

const queuesOf = (c: Config, kernel: DeviceEnvironment): number => Math.min(c.queues, kernel.cpus);
const hmbOf = (c: Config): number => Math.min(c.hmb, c.hmb_limit);
const chunkMinOf = (c: Config, kernel: DeviceEnvironment): number =>
  Math.max(c.hmb_chunk_min, 2 * kernel.pageSize);
/** The first chunks asked for: the largest block of the buddy, or all at once. */
const chunkOf = (c: Config, kernel: DeviceEnvironment): number =>
  Math.min(hmbOf(c), kernel.pageSize * 2 ** kernel.maxPageOrder);

/** Chunks of the smallest size that is tried. */
function chunksMax(c: Config, kernel: DeviceEnvironment): number {
  if (hmbOf(c) === 0) return 0;
  const halvings = Math.max(0, Math.floor(Math.log2(chunkOf(c, kernel) / chunkMinOf(c, kernel))));
  const most = Math.ceil(hmbOf(c) / (chunkOf(c, kernel) / 2 ** halvings));
  return c.hmb_chunks > 0 ? Math.min(c.hmb_chunks, most) : most;
}

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const queues = queuesOf(c, kernel);
  const chunk = chunkOf(c, kernel);
  const rows: [string, number, number][] = [
    ['admin completion queue', ADMIN_DEPTH * CQE_BYTES, 1],
    ['admin submission queue', ADMIN_DEPTH * SQE_BYTES, 1],
    ['shadow doorbells', (queues + 1) * 8, c.dbbuf ? 2 : 0],
    ['I/O completion queue', c.queue_depth * CQE_BYTES, queues],
    ['I/O submission queue', c.queue_depth * SQE_BYTES, queues],
    ['host memory chunk', chunk, chunk > 0 ? Math.ceil(hmbOf(c) / chunk) : 0],
    ['list of chunks', chunk > 0 ? Math.ceil(hmbOf(c) / chunk) * 16 : 0, chunk > 0 ? 1 : 0],
    ['PRP lists, at most', 4096, c.prp_lists ? PRP_PAGES_MAX : 0],
  ];
  return rows
    .filter(([, , count]) => count > 0)
    .map(([purpose, bytes, count]) => ({ purpose, bytes, count, cma: bytes > kernel.pageSize }));
}

export const nvme = defineDevice<Config, (typeof fields)[number]>({
  kind: 'nvme',
  summary: 'NVMe drive: queues per CPU, host memory buffer in chunks, PRP lists',
  config,
  fields,
  machine,
  actions,
  guards,
  delays: {},
  statistics: [fetchTime, hmbBytes, hmbRefused, droppedBatches],
  timeline: { REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] } },
  own: [ARRIVE],
  handles: (c, kernel) => IO + 2 * queuesOf(c, kernel),
  spareHandles: (c, kernel) => PRP_PAGES_MAX + 1 + chunksMax(c, kernel),
  footprint,
  configure(row, c, setting) {
    row.depth = c.queue_depth;
    row.queues = queuesOf(c, setting);
    row.dbbuf = c.dbbuf ? 1 : 0;
    row.pageSize = setting.pageSize;
    row.hmb = hmbOf(c);
    row.hmbMin = c.hmb_min;
    row.hmbDescs = c.hmb_chunks;
    row.chunk = chunkOf(c, setting);
    row.chunkMin = chunkMinOf(c, setting);
    row.prp = c.prp_lists ? 1 : 0;
    row.batch = c.batch;
    row.handles = chunkHandle(row) + chunksMax(c, setting);
    configureTraffic(row, c, setting);
  },
});
