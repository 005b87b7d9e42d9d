/**
 * HiSilicon hns3, a NIC in passthrough: command queues, rings, page pools, traffic, and what
 * ethtool does.
 *
 * Models hclge_comm_cmd_queue_init(), hns3_alloc_ring_memory(), hns3_alloc_page_pool(), and
 * hns3_set_ringparam(), which takes new rings before it lets go of the old ones. Its operations
 * come one after another, as under the rtnl lock: what is asked for meanwhile is noted and done
 * next. Left out: tx_spare buffers (translated domains only), single pages of a pool (it is asked
 * for in blocks), transmit completion. hns3 itself keeps its rings from probe to removal; here they
 * come with `up` and go with `down`, as in most drivers, so that a timeline can show it.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { histogram } from '../sim/statistics.js';
import type { DmaApi } from './dma.js';
import { flag, oneOf, size, time, whole } from './keys.js';
import {
  type DeviceEnvironment,
  defineDevice,
  type FootprintRow,
  type Numbers,
  type Row,
  words,
} from './model.js';

const DESC_BYTES = 32;
const CMDQ_DESC_NUM = 1024;
const DESC_NUM_MIN = 72;
const DESC_NUM_MAX = 32_760;
const DESC_NUM_MULTIPLE = 8;

const config = z.strictObject({
  queues: whole(1, 1024, 16).describe('Queue pairs; hip08 has 16 per function.'),
  desc_num: whole(DESC_NUM_MIN, DESC_NUM_MAX, 1024).describe('Descriptors per ring.'),
  desc_num_max: whole(DESC_NUM_MIN, DESC_NUM_MAX, 4096).describe(
    'Most descriptors a RESIZE may ask for; it decides how much room the simulator keeps.',
  ),
  rx_buffer: size(2048).describe(
    'Bytes of one receive buffer; rings of them come from page pools.',
  ),
  up: flag(true).describe('Whether the interface is brought up once it is probed.'),
  traffic: oneOf(['none', 'steady', 'poisson', 'burst'], 'none').describe(
    'How batches of descriptors arrive: evenly, at random, or several at once.',
  ),
  interval: time(100_000).describe('Mean time between two batches.'),
  batch: whole(1, DESC_NUM_MAX, 256).describe('Descriptors the NIC reads for one batch.'),
  burst: whole(1, 65_536, 8).describe('Batches that come at once, for traffic: burst.'),
});
type Config = z.output<typeof config>;
const traffics = ['none', 'steady', 'poisson', 'burst'] as const;

const fields = [
  'queues',
  'descNum',
  'descNumMax',
  'rxBuffer',
  'blockBytes',
  'traffic',
  'interval',
  'batch',
  'burst',
  // Where it stands: rings in use lie in `bank`, those being asked for in `target`.
  'bank',
  'target',
  'askedDescNum',
  'cursor',
  'stop',
  'queue',
  'left',
  'issuedNs',
  // What was asked for and not done yet.
  'wantUp',
  'wantReset',
  'wantDescNum',
  'removing',
] as const;
type NicRow = Row<(typeof fields)[number]>;

/** Handles: the command queues CSQ and CRQ, then two banks of rings and pools. */
const RINGS = 2;
/** Part of a queue's handles: 0 is its TX ring, those from 2 on its page pool. */
const RX = 1;

const descriptorFetch = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

/** Blocks a page pool may be made of: none is larger than the largest block of the buddy. */
const poolBlocks = (descNumMax: number, rxBuffer: number, blockBytes: number): number =>
  Math.ceil((descNumMax * rxBuffer) / blockBytes);
/** Handles per queue: TX ring, RX ring, blocks of the pool. */
const perQueue = (row: NicRow): number =>
  2 + poolBlocks(row.descNumMax, row.rxBuffer, row.blockBytes);
/** First handle of a bank; bank 2 is behind the last. */
const bankStart = (row: NicRow, bank: number): number => RINGS + bank * row.queues * perQueue(row);

/** Bytes of what lies in `handle`, for rings of `row.askedDescNum`; 0 if it is not needed. */
function sizeOf(row: NicRow, handle: number): number {
  if (handle < RINGS) return CMDQ_DESC_NUM * DESC_BYTES;
  const part = (handle - RINGS) % perQueue(row);
  if (part <= RX) return row.askedDescNum * DESC_BYTES;
  const before = (part - 2) * row.blockBytes;
  return Math.min(row.blockBytes, Math.max(0, row.askedDescNum * row.rxBuffer - before));
}

function skipUnneeded(row: NicRow): void {
  while (row.cursor < row.stop && sizeOf(row, row.cursor) === 0) row.cursor++;
}

/** Handles of a bank are to be freed, the last first. */
function freeBank(row: NicRow, bank: number): void {
  row.stop = bankStart(row, bank);
  row.cursor = bankStart(row, bank + 1) - 1;
}

function askFor(row: NicRow, bank: number, descNum: number): void {
  row.target = bank;
  row.askedDescNum = descNum;
  row.cursor = bankStart(row, bank);
  row.stop = bankStart(row, bank + 1);
}

/** hns3_set_ringparam(): a multiple of 8 within the limits. */
export function ringSize(asked: number, most: number): number {
  const clamped = Math.min(Math.max(asked, DESC_NUM_MIN), most);
  return Math.min(Math.ceil(clamped / DESC_NUM_MULTIPLE) * DESC_NUM_MULTIPLE, DESC_NUM_MAX);
}

const actions = {
  beginProbe: (_dma: DmaApi, row: NicRow) => {
    row.cursor = 0;
    row.stop = RINGS;
  },
  beginRings: (_dma: DmaApi, row: NicRow) => {
    askFor(row, row.bank, row.wantDescNum);
    row.wantReset = 0;
  },
  beginResize: (_dma: DmaApi, row: NicRow) => askFor(row, 1 - row.bank, row.wantDescNum),
  allocate: (dma: DmaApi, row: NicRow) => {
    const bytes = sizeOf(row, row.cursor);
    const part = (row.cursor - RINGS) % perQueue(row);
    if (row.cursor < RINGS || part <= RX) dma.alloc(row.cursor, bytes);
    else dma.allocPages(row.cursor, bytes);
  },
  next: (_dma: DmaApi, row: NicRow) => {
    row.cursor++;
    skipUnneeded(row);
  },
  useTarget: (_dma: DmaApi, row: NicRow) => {
    row.bank = row.target;
    row.descNum = row.askedDescNum;
    row.queue = 0;
    row.left = row.burst;
  },
  beginFreeRings: (_dma: DmaApi, row: NicRow) => freeBank(row, row.bank),
  /** The bank that is not in use: the old rings after a resize, the new ones after a refusal. */
  beginFreeOther: (_dma: DmaApi, row: NicRow) => freeBank(row, 1 - row.bank),
  beginFreeAll: (_dma: DmaApi, row: NicRow) => {
    row.stop = 0;
    row.cursor = bankStart(row, 2) - 1;
  },
  freeNext: (dma: DmaApi, row: NicRow) => {
    while (row.cursor >= row.stop && !dma.free(row.cursor)) row.cursor--;
  },
  /** ifup that failed, or a resize: the user is told, and nobody tries again. */
  giveUp: (_dma: DmaApi, row: NicRow) => {
    row.wantUp = 0;
  },
  keepSize: (_dma: DmaApi, row: NicRow) => {
    row.wantDescNum = row.descNum;
  },
  noteUp: (_dma: DmaApi, row: NicRow) => {
    row.wantUp = 1;
  },
  noteDown: (_dma: DmaApi, row: NicRow) => {
    row.wantUp = 0;
  },
  noteReset: (_dma: DmaApi, row: NicRow) => {
    row.wantReset = 1;
  },
  noteSize: (_dma: DmaApi, row: NicRow, n: Numbers) => {
    row.wantDescNum = ringSize(n[0]!, row.descNumMax);
  },
  noteRemoval: (_dma: DmaApi, row: NicRow) => {
    row.removing = 1;
  },
  fetchDescriptors: (dma: DmaApi, row: NicRow) => {
    const ring = bankStart(row, row.bank) + row.queue * perQueue(row) + RX;
    row.issuedNs = dma.now();
    dma.access(ring, Math.min(row.batch, row.descNum) * DESC_BYTES, 1);
  },
  finishBatch: (dma: DmaApi, row: NicRow) => {
    dma.record(descriptorFetch, dma.now() - row.issuedNs);
    row.queue = (row.queue + 1) % row.queues;
    row.left = row.left > 1 ? row.left - 1 : row.burst;
  },
};

const guards = {
  hasMore: (_dma: DmaApi, row: NicRow) => row.cursor < row.stop,
  allFreed: (_dma: DmaApi, row: NicRow) => row.cursor < row.stop,
  removing: (_dma: DmaApi, row: NicRow) => row.removing === 1,
  wantsUp: (_dma: DmaApi, row: NicRow) => row.wantUp === 1,
  mustGoDown: (_dma: DmaApi, row: NicRow) => row.wantUp === 0 || row.removing === 1,
  wantsReset: (_dma: DmaApi, row: NicRow) => row.wantReset === 1,
  wantsResize: (_dma: DmaApi, row: NicRow) => row.wantDescNum !== row.descNum,
  hasTraffic: (_dma: DmaApi, row: NicRow) => row.traffic !== 0,
};

const delays = {
  gap: (dma: DmaApi, row: NicRow) => {
    const traffic = traffics[row.traffic];
    if (traffic === 'poisson') return dma.exponential(row.interval);
    if (traffic === 'burst') return row.left < row.burst ? 0 : row.interval * row.burst;
    return row.interval;
  },
};

const nic = setup(words(actions, guards, delays));

/** Asks for what lies from cursor to stop, one after another. */
const asking = (states: { readonly done: string; readonly refused: string }) =>
  nic.createStateConfig({
    initial: 'asking',
    states: {
      asking: {
        entry: 'allocate',
        on: { GRANTED: { target: 'deciding', actions: 'next' }, REFUSED: states.refused },
      },
      deciding: { always: [{ guard: 'hasMore', target: 'asking' }, states.done] },
    },
  });

/** Frees what is held from cursor down to stop, one after another. */
const freeing = (done: string) =>
  nic.createStateConfig({
    initial: 'freeing',
    states: {
      freeing: {
        entry: 'freeNext',
        always: { guard: 'allFreed', target: done },
        on: { FREED: { target: 'freeing', reenter: true } },
      },
    },
  });

export const machine = nic.createMachine({
  id: 'hns3',
  initial: 'off',
  on: {
    UP: { actions: 'noteUp' },
    DOWN: { actions: 'noteDown' },
    RESIZE: { actions: 'noteSize' },
    RESET: { actions: 'noteReset' },
    REMOVE: { actions: 'noteRemoval' },
  },
  states: {
    off: { on: { START: 'probing' } },
    probing: {
      entry: 'beginProbe',
      ...asking({ done: '#hns3.down', refused: '#hns3.unwinding' }),
    },
    unwinding: { entry: 'beginFreeAll', ...freeing('#hns3.failed') },
    failed: {
      always: { guard: 'removing', target: 'removed' },
      on: { START: 'probing' },
    },
    down: {
      always: [
        { guard: 'removing', target: 'removing' },
        { guard: 'wantsUp', target: 'raising' },
      ],
    },
    raising: {
      entry: 'beginRings',
      ...asking({ done: '#hns3.raised', refused: '#hns3.abandoning' }),
    },
    raised: { entry: 'useTarget', always: 'up' },
    abandoning: { entry: ['giveUp', 'beginFreeRings'], ...freeing('#hns3.down') },
    up: {
      initial: 'idle',
      states: {
        idle: {
          initial: 'resting',
          always: [
            { guard: 'mustGoDown', target: '#hns3.lowering' },
            { guard: 'wantsReset', target: '#hns3.resetting' },
            { guard: 'wantsResize', target: '#hns3.resizing' },
          ],
          states: {
            resting: { always: { guard: 'hasTraffic', target: 'pausing' } },
            pausing: { after: { gap: '#hns3.up.fetching' } },
          },
        },
        fetching: {
          entry: 'fetchDescriptors',
          on: { ACCESSED: { target: 'idle', actions: 'finishBatch' } },
        },
      },
    },
    resetting: { entry: 'beginFreeRings', ...freeing('#hns3.raising') },
    resizing: {
      entry: 'beginResize',
      ...asking({ done: '#hns3.releasing', refused: '#hns3.undoing' }),
    },
    releasing: { entry: ['useTarget', 'beginFreeOther'], ...freeing('#hns3.up') },
    undoing: { entry: ['keepSize', 'beginFreeOther'], ...freeing('#hns3.up') },
    lowering: { entry: 'beginFreeRings', ...freeing('#hns3.down') },
    removing: { entry: 'beginFreeAll', ...freeing('#hns3.removed') },
    removed: { type: 'final' },
  },
});

/** Largest block of the buddy in bytes. */
const blockBytes = (kernel: DeviceEnvironment): number =>
  kernel.pageSize * 2 ** kernel.maxPageOrder;
const largestRing = (c: Config): number => Math.max(c.desc_num, c.desc_num_max);

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const ring = c.desc_num * DESC_BYTES;
  const pool = c.desc_num * c.rx_buffer;
  const cmdq = CMDQ_DESC_NUM * DESC_BYTES;
  return [
    { purpose: 'command queue', bytes: cmdq, count: 2, cma: cmdq > kernel.pageSize },
    { purpose: 'TX ring', bytes: ring, count: c.queues, cma: ring > kernel.pageSize },
    { purpose: 'RX ring', bytes: ring, count: c.queues, cma: ring > kernel.pageSize },
    { purpose: 'RX page pool', bytes: pool, count: c.queues, cma: false },
  ];
}

export const hns3 = defineDevice<Config, (typeof fields)[number]>({
  kind: 'hns3',
  summary: 'HiSilicon hns3 NIC in passthrough: command queues, rings, page pools, traffic',
  config,
  fields,
  machine,
  actions,
  guards,
  delays,
  statistics: [descriptorFetch],
  timeline: {
    UP: { help: 'Brings the interface up: rings and page pools are allocated.', numbers: [] },
    DOWN: { help: 'Takes the interface down: rings and page pools are freed.', numbers: [] },
    RESIZE: {
      help: 'ethtool -G: new rings are allocated, then the old ones freed.',
      numbers: ['descriptors'],
    },
    RESET: { help: 'A reset: all rings are freed and allocated again.', numbers: [] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  handles: (c, kernel) =>
    RINGS + 2 * c.queues * (2 + poolBlocks(largestRing(c), c.rx_buffer, blockBytes(kernel))),
  footprint,
  configure(row, c, kernel) {
    row.queues = c.queues;
    row.descNumMax = largestRing(c);
    row.rxBuffer = c.rx_buffer;
    row.blockBytes = blockBytes(kernel);
    row.traffic = traffics.indexOf(c.traffic);
    row.interval = c.interval;
    row.batch = c.batch;
    row.burst = c.burst;
    row.wantDescNum = c.desc_num;
    row.wantUp = c.up ? 1 : 0;
  },
});
