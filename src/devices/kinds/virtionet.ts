/**
 * virtio-net: virtqueues from probe to removal, which its driver halves when they do not fit.
 *
 * Models vring_create_virtqueue_split() with its halving down to a single page,
 * vring_alloc_queue(), vring_alloc_queue_packed(), and the order of virtnet_find_vqs(); the receive
 * queues are filled when the interface is opened. Without VIRTIO_F_ACCESS_PLATFORM rings are pages
 * of the buddy. Left out: indirect descriptors, packed rings that fall back to split ones, XDP.
 */
import type { z } from 'zod';
import type { Allocation } from '../memory.js';
import type { DeviceRow } from '../model.js';
import { flag, oneOf, whole } from '../parts/keys.js';
import { defineLifeDevice, lifeActions } from '../parts/life.js';
import { beginsBatch, descriptorFetch } from '../parts/traffic.js';

const keys = {
  pairs: whole(1, 256, 1).describe('Queue pairs the device offers; all get their rings.'),
  rx_queue_size: whole(2, 32_768, 256).describe('Descriptors of a receive queue; a power of 2.'),
  tx_queue_size: whole(2, 32_768, 256).describe('Descriptors of a transmit queue; a power of 2.'),
  ctrl_queue_size: whole(0, 1024, 64).describe(
    'Descriptors of the control queue; 0 for a device without one.',
  ),
  ring: oneOf(['split', 'packed'], 'split').describe('Layout of the rings.'),
  legacy: flag(false).describe(
    'Whether parts of a split ring are aligned to 4096 bytes, as before virtio 1.0, or to 64.',
  ),
  access_platform: flag(true).describe(
    'VIRTIO_F_ACCESS_PLATFORM: rings by the DMA API; otherwise pages of the buddy.',
  ),
  up: flag(true).describe('Whether the interface is opened once it is probed.'),
  batch: whole(1, 32_768, 64).describe('Descriptors the device reads for one batch.'),
};
type Config = z.output<z.ZodObject<typeof keys>>;

const DESC_BYTES = 16;
/** Allocations of a packed ring: descriptors, driver's and device's event suppression. */
const PACKED_PARTS = 3;
const EVENT_BYTES = 4;
/** Position of `packed` among the values of `ring`. */
const PACKED = 1;

/** `num`: entries of the ring that is asked for, after halving. */
type VirtioRow = DeviceRow<keyof typeof keys | 'probed' | 'cursor' | 'num'>;

/** vring_size(): descriptors and available ring, aligned, and the used ring behind them. */
export function vringSize(num: number, align: number): number {
  const available = DESC_BYTES * num + 2 * (3 + num);
  return Math.ceil(available / align) * align + 2 * 3 + 8 * num;
}

/** Where the used ring of a split ring begins. */
const alignOf = (row: VirtioRow): number => (row.legacy === 1 ? 4096 : 64);
const parts = (row: VirtioRow): number => (row.ring === PACKED ? PACKED_PARTS : 1);

/** Entries of virtqueue `queue` as the device offers them: rx0, tx0, rx1, …, control. */
function offered(row: VirtioRow, queue: number): number {
  if (queue === 2 * row.pairs) return row.ctrl_queue_size;
  return queue % 2 === 0 ? row.rx_queue_size : row.tx_queue_size;
}

const queueOf = (row: VirtioRow): number => Math.floor(row.cursor / parts(row));

function ringBytes(row: VirtioRow): number {
  if (row.ring !== PACKED) return vringSize(row.num, alignOf(row));
  return row.cursor % PACKED_PARTS === 0 ? row.num * DESC_BYTES : EVENT_BYTES;
}

/** The handle in turn is another queue's: its size is what the device offers. */
function takeSize(row: VirtioRow): void {
  if (row.cursor < row.probed) row.num = offered(row, queueOf(row));
}

/** Allocations of one virtqueue of `num` entries. */
function ringOf(c: Config, purpose: string, num: number): readonly Allocation[] {
  const how = c.access_platform ? 'coherent' : 'pages';
  if (c.ring === 'split') return [{ purpose, how, bytes: vringSize(num, c.legacy ? 4096 : 64) }];
  return [
    { purpose, how, bytes: num * DESC_BYTES },
    { purpose: 'event suppression', how, bytes: EVENT_BYTES, count: 2 },
  ];
}

export const virtionet = defineLifeDevice({
  kind: 'virtio-net',
  summary: 'virtio-net: virtqueues from probe to removal, halved when they do not fit',
  opens: true,
  keys,
  state: ['pageSize', 'num', 'queue'],
  refused: [
    { guard: 'canHalve', target: '#virtio-net.probing.asking', reenter: true, actions: 'halve' },
    '#virtio-net.unwinding',
  ],
  actions: {
    beginProbe(dma, row) {
      lifeActions.beginProbe(dma, row);
      takeSize(row);
    },
    allocate(dma, row) {
      if (row.cursor >= row.probed) dma.alloc(row.cursor);
      else dma.alloc(row.cursor, ringBytes(row));
    },
    next(_dma, row) {
      row.cursor++;
      takeSize(row);
    },
    halve(_dma, row) {
      row.num /= 2;
    },
    beginBatch(dma, row) {
      const room = Math.max(1, Math.floor(row.rx_queue_size / row.batch)) * row.pairs;
      if (!beginsBatch(dma, row, room)) return;
      dma.access(2 * row.queue * parts(row), row.batch * DESC_BYTES, 1);
      row.queue = (row.queue + 1) % row.pairs;
    },
  },
  guards: {
    /** Halving ends with the first ring that fits a page: the one attempt that may not fail. */
    canHalve: (_dma, row) =>
      row.ring !== PACKED && row.num > 1 && vringSize(row.num, alignOf(row)) > row.pageSize,
  },
  took: descriptorFetch,
  memory(c, { pageSize }) {
    return [
      {
        times: c.pairs,
        each: [
          ...ringOf(c, 'receive queue', c.rx_queue_size),
          ...ringOf(c, 'transmit queue', c.tx_queue_size),
        ],
      },
      ...(c.ctrl_queue_size > 0 ? ringOf(c, 'control queue', c.ctrl_queue_size) : []),
      // A page per receive descriptor, filled when the interface is opened.
      {
        purpose: 'receive buffers',
        how: 'bulk',
        bytes: c.rx_queue_size * pageSize,
        count: c.pairs,
        open: true,
      },
    ];
  },
  configure(row, _c, { pageSize }) {
    row.pageSize = pageSize;
  },
});
