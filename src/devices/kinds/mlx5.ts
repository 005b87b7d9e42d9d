/**
 * Mellanox mlx5: firmware pages, and queues whose buffers are single pages and never come from CMA.
 *
 * Models mlx5_satisfy_startup_pages(), which hands the firmware pages of the buddy, and
 * mlx5_frag_buf_alloc_node(): a work, completion or event queue is as many coherent allocations of
 * a page as it needs, each between two set_dev_node() (under policy v1 each takes a page of the
 * node's area). Channels come and go with the interface, one per CPU. Left out: striding receive
 * queues, doorbell pages shared by channels, XDP and further traffic classes.
 */
import type { DmaApi } from '../dmaApi.js';
import type { DeviceEnvironment } from '../memory.js';
import type { DeviceRow } from '../model.js';
import { bytes, flag, whole } from '../parts/keys.js';
import { defineLifeDevice, lifeActions, openActions } from '../parts/life.js';
import { beginsBatch, descriptorFetch } from '../parts/traffic.js';

const EQE_BYTES = 64;
const CQE_BYTES = 64;
const SEND_WQE_BYTES = 64;
const RECEIVE_WQE_BYTES = 32;
const ICOSQ_ENTRIES = 64;
/** roundup_pow_of_two(entries + MLX5_NUM_SPARE_EQE). */
const COMPLETION_EQ_BYTES = 2048 * EQE_BYTES;
const ASYNC_EQ_BYTES = 8192 * EQE_BYTES;

/** `origNode`: the device's own node while set_dev_node() is in force, or KEPT. */
type MlxRow = DeviceRow<'cursor' | 'origNode'>;
const KEPT = -2;
/** Handle behind the firmware pages and the command page. */
const EVENT_QUEUES = 2;

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

/** mlx5_dma_zalloc_coherent_node(): a page on `node`, the device's own for a moment. */
function allocOnNode(dma: DmaApi, row: MlxRow, node: number): void {
  row.origNode = dma.devToNode();
  dma.setDevNode(node);
  dma.alloc(row.cursor);
}

function restoreNode(dma: DmaApi, row: MlxRow): void {
  if (row.origNode !== KEPT) dma.setDevNode(row.origNode);
  row.origNode = KEPT;
}

const channelsOf = (c: { channels: number }, kernel: DeviceEnvironment): number =>
  c.channels || Math.min(256, kernel.cpus);

export const mlx5 = defineLifeDevice({
  kind: 'mlx5',
  summary: 'Mellanox mlx5 NIC: queues of single pages on the nodes of their CPUs, never CMA',
  opens: true,
  keys: {
    channels: whole(0, 256, 0).describe('Channels, a queue pair each; 0 for one per CPU.'),
    tx_entries: whole(64, 8192, 1024).describe('Entries of a send queue.'),
    rx_entries: whole(64, 8192, 1024).describe('Entries of a receive queue.'),
    fw_pages: bytes(64 * 2 ** 20).describe('Memory the firmware asks for; pages of the buddy.'),
    up: flag(true).describe('Whether the interface is opened once it is probed.'),
    batch: whole(1, 8192, 64).describe('Entries the NIC reads for one batch.'),
  },
  state: ['perChannel', 'queue', 'origNode'],
  actions: {
    allocate(dma, row) {
      const { cursor, perChannel } = row;
      const place = cursor - row.probed;
      if (cursor < EVENT_QUEUES) dma.alloc(cursor);
      else if (place < 0) allocOnNode(dma, row, dma.devToNode());
      // The last of a channel is its receive buffers.
      else if (place % perChannel === perChannel - 1) dma.alloc(cursor);
      else allocOnNode(dma, row, dma.localSpread(Math.floor(place / perChannel)));
    },
    next(dma, row) {
      restoreNode(dma, row);
      row.cursor++;
    },
    beginFreeAll(dma, row) {
      restoreNode(dma, row);
      lifeActions.beginFreeAll(dma, row);
    },
    beginClose(dma, row) {
      restoreNode(dma, row);
      openActions.beginClose(dma, row);
    },
    beginBatch(dma, row) {
      const room = Math.max(1, Math.floor(row.rx_entries / row.batch)) * row.channels;
      if (!beginsBatch(dma, row, room)) return;
      dma.access(row.probed + row.queue * row.perChannel, row.batch * RECEIVE_WQE_BYTES, 1);
      row.queue = (row.queue + 1) % row.channels;
    },
  },
  took: descriptorFetch,
  memory(c, kernel) {
    const { pageSize } = kernel;
    const channels = channelsOf(c, kernel);
    const pages = (bytes: number): number => Math.ceil(bytes / pageSize);
    return [
      { purpose: 'firmware pages', how: 'bulk', bytes: c.fw_pages },
      { purpose: 'command page', bytes: 4096 },
      {
        purpose: 'event queues',
        bytes: pageSize,
        count: pages(COMPLETION_EQ_BYTES) * channels + pages(ASYNC_EQ_BYTES),
      },
      {
        times: channels,
        each: [
          ...channelBuffers(c.tx_entries, c.rx_entries).map(([purpose, bytes]) => {
            return { purpose, bytes: pageSize, count: pages(bytes), open: true };
          }),
          { purpose: 'receive buffers', how: 'bulk', bytes: c.rx_entries * pageSize },
        ],
      },
    ];
  },
  configure(row, c, kernel) {
    row.channels = channelsOf(c, kernel);
    row.perChannel = (row.handles - row.probed) / row.channels;
    row.origNode = KEPT;
  },
});
