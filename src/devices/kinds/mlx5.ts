/**
 * Mellanox mlx5: firmware pages, and queues whose buffers are single pages and never come from CMA.
 *
 * Models mlx5_satisfy_startup_pages(), which hands the firmware pages of the buddy, and
 * mlx5_frag_buf_alloc_node(): a work, completion or event queue is as many coherent allocations of a
 * page as it needs, each between two set_dev_node() (under policy v1 each takes a page of the node's
 * area). Channels come and go with the interface, one per CPU. Left out: striding receive queues,
 * doorbell pages shared by channels, XDP and further traffic classes.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { histogram } from '../../sim/statistics.js';
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
import {
  lifeActions,
  lifeFields,
  lifeGuards,
  lifeWithOpen,
  openActions,
  openGuards,
  openTimeline,
  UP,
} from '../parts/life.js';
import {
  ARRIVE,
  beginsBatch,
  checkTraffic,
  configureTraffic,
  droppedBatches,
  trafficKeys,
} from '../parts/traffic.js';

const EQE_BYTES = 64;
const CQE_BYTES = 64;
const SEND_WQE_BYTES = 64;
const RECEIVE_WQE_BYTES = 32;
const ICOSQ_ENTRIES = 64;
/** roundup_pow_of_two(entries + MLX5_NUM_SPARE_EQE). */
const COMPLETION_EQ_BYTES = 2048 * EQE_BYTES;
const ASYNC_EQ_BYTES = 8192 * EQE_BYTES;

const config = checkTraffic(
  z.strictObject({
    channels: whole(0, 256, 0).describe('Channels, a queue pair each; 0 for one per CPU.'),
    tx_entries: whole(64, 8192, 1024).describe('Entries of a send queue.'),
    rx_entries: whole(64, 8192, 1024).describe('Entries of a receive queue.'),
    fw_pages: size(64 * 2 ** 20).describe('Memory the firmware asks for; pages of the buddy.'),
    up: flag(true).describe('Whether the interface is opened once it is probed.'),
    batch: whole(1, 8192, 64).describe('Entries the NIC reads for one batch.'),
    ...trafficKeys(),
  }),
);
type Config = z.output<typeof config>;

const fields = [
  ...lifeFields,
  'pageSize',
  'fwBytes',
  'channels',
  'txNum',
  'rxNum',
  'batch',
  'queue',
  // The device's own node while set_dev_node() is in force, or KEPT.
  'origNode',
] as const;
type MlxRow = Row<(typeof fields)[number]>;
const KEPT = -2;

/** Bytes of the buffers of one channel, in the order in which they are made. */
function channelBuffers(txNum: number, rxNum: number): readonly [purpose: string, bytes: number][] {
  return [
    ['internal queue', ICOSQ_ENTRIES * SEND_WQE_BYTES],
    ['internal completion queue', ICOSQ_ENTRIES * CQE_BYTES],
    ['send queue', txNum * SEND_WQE_BYTES],
    ['send completion queue', txNum * CQE_BYTES],
    ['receive queue', rxNum * RECEIVE_WQE_BYTES],
    ['receive completion queue', rxNum * CQE_BYTES],
  ];
}

/** Pages of one channel; the last of its handles holds the receive buffers. */
function channelPages(txNum: number, rxNum: number, pageSize: number): number {
  const pages = channelBuffers(txNum, rxNum).map(([, bytes]) => Math.ceil(bytes / pageSize));
  return pages.reduce((sum, count) => sum + count, 0);
}

/** Handles of the probe: firmware pages, the command page, then event queues page by page. */
function probePages(channels: number, pageSize: number): number {
  const eqs = channels * Math.ceil(COMPLETION_EQ_BYTES / pageSize);
  return 2 + eqs + Math.ceil(ASYNC_EQ_BYTES / pageSize);
}

const fetchTime = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

/** mlx5_dma_zalloc_coherent_node(): a page on `node`, the device's own for a moment. */
function allocOnNode(dma: DmaApi, row: MlxRow, node: number): void {
  row.origNode = dma.devToNode();
  dma.setDevNode(node);
  dma.alloc(row.cursor, row.pageSize);
}

function restoreNode(dma: DmaApi, row: MlxRow): void {
  if (row.origNode !== KEPT) dma.setDevNode(row.origNode);
  row.origNode = KEPT;
}

const actions = {
  ...lifeActions,
  ...openActions,
  allocate: (dma: DmaApi, row: MlxRow) => {
    const { cursor } = row;
    if (cursor === 0) dma.allocPagesBulk(0, row.fwBytes);
    else if (cursor === 1) dma.alloc(1, Math.min(4096, row.pageSize));
    else if (cursor < row.probed) allocOnNode(dma, row, dma.devToNode());
    else {
      const perChannel = channelPages(row.txNum, row.rxNum, row.pageSize) + 1;
      const channel = Math.floor((cursor - row.probed) / perChannel);
      const isLast = (cursor - row.probed) % perChannel === perChannel - 1;
      if (isLast) dma.allocPagesBulk(cursor, row.rxNum * row.pageSize);
      else allocOnNode(dma, row, dma.localSpread(channel));
    }
  },
  next: (dma: DmaApi, row: MlxRow) => {
    restoreNode(dma, row);
    row.cursor++;
  },
  beginFreeAll: (dma: DmaApi, row: MlxRow) => {
    restoreNode(dma, row);
    lifeActions.beginFreeAll(dma, row);
  },
  beginClose: (dma: DmaApi, row: MlxRow) => {
    restoreNode(dma, row);
    openActions.beginClose(dma, row);
  },
  beginBatch: (dma: DmaApi, row: MlxRow) => {
    const room = Math.max(1, Math.floor(row.rxNum / row.batch)) * row.channels;
    if (!beginsBatch(dma, row, room)) return;
    const perChannel = channelPages(row.txNum, row.rxNum, row.pageSize) + 1;
    dma.access(row.probed + row.queue * perChannel, row.batch * RECEIVE_WQE_BYTES, 1);
    row.queue = (row.queue + 1) % row.channels;
  },
  finishBatch: (dma: DmaApi, row: MlxRow, n: Numbers) => {
    row.inflight--;
    dma.record(fetchTime, n[2]);
  },
};
const guards = { ...lifeGuards, ...openGuards };

export const machine = setup(words(actions, guards)).createMachine(
  lifeWithOpen('mlx5', '#mlx5.unwinding'),
);

const channelsOf = (c: Config, kernel: DeviceEnvironment): number =>
  c.channels || Math.min(256, kernel.cpus);

function handlesOf(c: Config, kernel: DeviceEnvironment): number {
  const channels = channelsOf(c, kernel);
  const perChannel = channelPages(c.tx_entries, c.rx_entries, kernel.pageSize) + 1;
  return probePages(channels, kernel.pageSize) + channels * perChannel;
}

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const { pageSize } = kernel;
  const channels = channelsOf(c, kernel);
  const pages = (bytes: number, count: number) => Math.ceil(bytes / pageSize) * count;
  const single = (purpose: string, count: number): FootprintRow => {
    return { purpose, bytes: pageSize, count, cma: false };
  };
  return [
    { purpose: 'firmware pages', bytes: c.fw_pages, count: 1, cma: false },
    { purpose: 'command page', bytes: 4096, count: 1, cma: false },
    single('event queues', pages(COMPLETION_EQ_BYTES, channels) + pages(ASYNC_EQ_BYTES, 1)),
    ...channelBuffers(c.tx_entries, c.rx_entries).map(([purpose, bytes]) =>
      single(purpose, pages(bytes, channels)),
    ),
    { purpose: 'receive buffers', bytes: c.rx_entries * pageSize, count: channels, cma: false },
  ];
}

export const mlx5 = defineDevice<Config, (typeof fields)[number]>({
  kind: 'mlx5',
  summary: 'Mellanox mlx5 NIC: queues of single pages on the nodes of their CPUs, never CMA',
  config,
  fields,
  machine,
  actions,
  guards,
  delays: {},
  statistics: [fetchTime, droppedBatches],
  timeline: openTimeline,
  own: [ARRIVE],
  handles: handlesOf,
  footprint,
  configure(row, c, setting) {
    row.channels = channelsOf(c, setting);
    row.probed = probePages(row.channels, setting.pageSize);
    row.handles = handlesOf(c, setting);
    row.pageSize = setting.pageSize;
    row.fwBytes = c.fw_pages;
    row.txNum = c.tx_entries;
    row.rxNum = c.rx_entries;
    row.batch = c.batch;
    row.wants = c.up ? UP : 0;
    row.origNode = KEPT;
    configureTraffic(row, c, setting);
  },
});
