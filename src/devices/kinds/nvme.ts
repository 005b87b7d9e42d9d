/**
 * NVMe over PCI: admin queue, host memory buffer, I/O queues, and PRP lists page by page.
 *
 * Models nvme_alloc_queue(), nvme_dbbuf_dma_alloc(), nvme_alloc_host_mem() with its chunks, which
 * are halved from the largest block of the buddy down to what the controller takes, and the
 * dma_pool of PRP lists, which grows by a page with GFP_ATOMIC. The controller works without a host
 * memory buffer; without its I/O queues the probe fails. Left out: resets (queues and buffer stay),
 * polled queues, controller memory, dma_alloc_noncontiguous() of 6.13.
 */
import type { z } from 'zod';
import { counter, histogram } from '../../sim/statistics.js';
import type { DeviceEnvironment } from '../memory.js';
import type { DeviceRow } from '../model.js';
import { bytes, flag, whole } from '../parts/keys.js';
import { endings, lifeActions, lifeGuards, ownState } from '../parts/life.js';
import { askFrom, asking, freeDown, freeing } from '../parts/sequence.js';
import { beginsBatch, working } from '../parts/traffic.js';
import { defineTrafficDevice } from '../parts/trafficDevice.js';

const SQE_BYTES = 64;
const CQE_BYTES = 16;
const ADMIN_DEPTH = 32;
const HMB_DESC_BYTES = 16;
/** Pages of PRP lists the pool may grow to. */
const PRP_PAGES_MAX = 32;

const keys = {
  queues: whole(1, 65_535, 128).describe('I/O queue pairs the controller offers.'),
  queue_depth: whole(2, 65_535, 1024).describe('io_queue_depth: entries of an I/O queue.'),
  dbbuf: flag(false).describe('Whether the controller has shadow doorbells, as emulated ones do.'),
  hmb: bytes(0).describe('HMPRE: preferred host memory buffer; none unless given.'),
  hmb_min: bytes(0).describe('HMMIN: least that is of any use to the controller.'),
  hmb_chunk_min: bytes(0).describe('HMMINDS: smallest chunk; two pages at least.'),
  hmb_chunks: whole(0, 65_535, 0).describe('HMMAXD: most chunks; 0 for any number.'),
  hmb_limit: bytes(128 * 2 ** 20).describe('max_host_mem_size_mb: most the driver gives.'),
  prp_lists: flag(false).describe('Whether a batch is one command large enough for a PRP list.'),
  batch: whole(1, 65_535, 16).describe('Commands of one batch.'),
};
type Config = z.output<z.ZodObject<typeof keys>>;

/** `chunk`: size of a chunk now; `hmbSize` and `chunks`: bytes and chunks granted so far. */
const state = [
  ...ownState,
  'chunk',
  'chunkMin',
  'hmbSize',
  'chunks',
  'prpPages',
  'prpAsked',
  'queue',
] as const;
type NvmeRow = DeviceRow<keyof typeof keys | (typeof state)[number]>;

/**
 * Handles of the doorbells, the first I/O queue, the PRP lists, the list of chunks, the first
 * chunk.
 */
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

/** Entries of the list for chunks of this size. */
function entriesOf(row: NvmeRow): number {
  const needed = Math.ceil(row.hmb / row.chunk);
  return row.hmb_chunks > 0 ? Math.min(row.hmb_chunks, needed) : needed;
}

const buffering = {
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
};

const machine = {
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
    ...endings('nvme'),
  },
};

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

const { noteReset: _, ...lifeWords } = lifeActions;

export const nvme = defineTrafficDevice({
  kind: 'nvme',
  summary: 'NVMe drive: queues per CPU, host memory buffer in chunks, PRP lists',
  keys,
  state,
  machine,
  actions: {
    ...lifeWords,
    beginProbe: (_dma, row) => askFrom(row, 0, row.dbbuf === 1 ? IO : DBBUF),
    beginQueues(dma, row) {
      dma.record(hmbBytes, row.hmbSize);
      askFrom(row, IO, prpHandle(row));
    },
    allocateList(dma, row) {
      row.hmbSize = 0;
      row.chunks = 0;
      dma.alloc(listHandle(row), entriesOf(row) * HMB_DESC_BYTES);
    },
    allocateChunk: (dma, row) =>
      dma.alloc(chunkHandle(row) + row.chunks, Math.min(row.chunk, row.hmb - row.hmbSize)),
    countChunk(_dma, row) {
      row.hmbSize += Math.min(row.chunk, row.hmb - row.hmbSize);
      row.chunks++;
    },
    returnChunks: (_dma, row) => freeDown(row, listHandle(row), chunkHandle(row) + row.chunks),
    halveChunk(_dma, row) {
      row.chunk /= 2;
      row.hmbSize = 0;
      row.chunks = 0;
    },
    giveUpHmb: (dma) => dma.record(hmbRefused, 1),
    beginBatch(dma, row) {
      const room = Math.max(1, Math.floor(row.queue_depth / row.batch)) * row.queues;
      if (!beginsBatch(dma, row, room)) return;
      const isShort = row.prp_lists === 1 && row.inflight > row.prpPages + row.prpAsked;
      if (isShort && row.prpPages + row.prpAsked < PRP_PAGES_MAX) {
        dma.alloc(prpHandle(row) + row.prpPages + row.prpAsked);
        row.prpAsked++;
      }
      dma.access(IO + 2 * row.queue + 1, row.batch * SQE_BYTES, 1);
      row.queue = (row.queue + 1) % row.queues;
    },
    poolGrew(_dma, row) {
      row.prpAsked--;
      row.prpPages++;
    },
    poolDidNot(_dma, row) {
      row.prpAsked--;
    },
  },
  guards: {
    ...lifeGuards,
    quiet: (_dma, row) => row.inflight === 0 && row.prpAsked === 0,
    wantsHmb: (_dma, row) => row.hmb > 0 && row.hmb_min <= row.hmb,
    moreChunks: (_dma, row) => row.hmbSize < row.hmb && row.chunks < entriesOf(row),
    enoughChunks: (_dma, row) => row.hmbSize > 0 && row.hmbSize >= row.hmb_min,
    canShrink: (_dma, row) => row.chunk >= row.chunkMin,
  },
  took: fetchTime,
  statistics: [hmbBytes, hmbRefused],
  timeline: { REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] } },
  memory(c, kernel) {
    const queues = queuesOf(c, kernel);
    const hmb = hmbOf(c);
    const chunk = chunkOf(c, kernel);
    const chunks = chunk > 0 ? Math.ceil(hmb / chunk) : 0;
    return [
      { purpose: 'admin completion queue', bytes: ADMIN_DEPTH * CQE_BYTES },
      { purpose: 'admin submission queue', bytes: ADMIN_DEPTH * SQE_BYTES },
      // nvme_dbbuf_size(): a pair of 4-byte doorbells per queue pair, the admin queue among them.
      { purpose: 'shadow doorbells', bytes: c.dbbuf ? (queues + 1) * 8 : 0, count: 2 },
      {
        times: queues,
        each: [
          { purpose: 'I/O completion queue', bytes: c.queue_depth * CQE_BYTES },
          { purpose: 'I/O submission queue', bytes: c.queue_depth * SQE_BYTES },
        ],
      },
      {
        purpose: 'PRP lists, at most',
        how: 'atomic',
        bytes: c.prp_lists ? 4096 : 0,
        count: PRP_PAGES_MAX,
      },
      { purpose: 'list of chunks', bytes: chunks * HMB_DESC_BYTES },
      { purpose: 'host memory chunk', bytes: chunk, count: chunks },
      { purpose: 'smaller chunks', bytes: 0, count: Math.max(0, chunksMax(c, kernel) - chunks) },
    ];
  },
  configure(row, c, kernel) {
    row.queues = queuesOf(c, kernel);
    row.hmb = hmbOf(c);
    row.chunk = chunkOf(c, kernel);
    row.chunkMin = chunkMinOf(c, kernel);
  },
});
