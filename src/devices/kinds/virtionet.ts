/**
 * virtio-net: virtqueues from probe to removal, which its driver halves when they do not fit.
 *
 * Models vring_create_virtqueue_split() with its halving down to a single page, vring_alloc_queue(),
 * vring_alloc_queue_packed(), and the order of virtnet_find_vqs(); the receive queues are filled when
 * the interface is opened. Without VIRTIO_F_ACCESS_PLATFORM rings are pages of the buddy. Left out:
 * indirect descriptors, packed rings that fall back to split ones, XDP.
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
import { flag, oneOf, whole } from '../parts/keys.js';
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

const config = checkTraffic(
  z.strictObject({
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
    ...trafficKeys(),
  }),
);
type Config = z.output<typeof config>;

const DESC_BYTES = 16;
/** Allocations of a packed ring: descriptors, driver's and device's event suppression. */
const PACKED_PARTS = 3;
const EVENT_BYTES = 4;

const fields = [
  ...lifeFields,
  'pairs',
  'rxNum',
  'txNum',
  'ctrlNum',
  'packed',
  'align',
  'platform',
  'pageSize',
  'batch',
  // Entries of the ring that is asked for, after halving; the queue whose turn it is in traffic.
  'num',
  'queue',
] as const;
type VirtioRow = Row<(typeof fields)[number]>;

/** vring_size(): descriptors and available ring, aligned, and the used ring behind them. */
export function vringSize(num: number, align: number): number {
  const available = DESC_BYTES * num + 2 * (3 + num);
  return Math.ceil(available / align) * align + 2 * 3 + 8 * num;
}

const parts = (row: { packed: number }): number => (row.packed === 1 ? PACKED_PARTS : 1);

/** Entries of virtqueue `queue` as the device offers them: rx0, tx0, rx1, …, control. */
function offered(row: VirtioRow, queue: number): number {
  if (queue === 2 * row.pairs) return row.ctrlNum;
  return queue % 2 === 0 ? row.rxNum : row.txNum;
}

const queueOf = (row: VirtioRow): number => Math.floor(row.cursor / parts(row));

function ringBytes(row: VirtioRow): number {
  if (row.packed === 0) return vringSize(row.num, row.align);
  return row.cursor % PACKED_PARTS === 0 ? row.num * DESC_BYTES : EVENT_BYTES;
}

/** The handle in turn is another queue's: its size is what the device offers. */
function takeSize(row: VirtioRow): void {
  if (row.cursor < row.probed) row.num = offered(row, queueOf(row));
}

const receive = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

const actions = {
  ...lifeActions,
  ...openActions,
  beginProbe: (dma: DmaApi, row: VirtioRow) => {
    lifeActions.beginProbe(dma, row);
    takeSize(row);
  },
  allocate: (dma: DmaApi, row: VirtioRow) => {
    // A page per receive descriptor, filled when the interface is opened.
    if (row.cursor >= row.probed) dma.allocPagesBulk(row.cursor, row.rxNum * row.pageSize);
    else if (row.platform === 1) dma.alloc(row.cursor, ringBytes(row));
    else dma.allocPages(row.cursor, ringBytes(row));
  },
  next: (_dma: DmaApi, row: VirtioRow) => {
    row.cursor++;
    takeSize(row);
  },
  halve: (_dma: DmaApi, row: VirtioRow) => {
    row.num /= 2;
  },
  beginBatch: (dma: DmaApi, row: VirtioRow) => {
    if (!beginsBatch(dma, row, Math.max(1, Math.floor(row.rxNum / row.batch)) * row.pairs)) return;
    dma.access(2 * row.queue * parts(row), row.batch * DESC_BYTES, 1);
    row.queue = (row.queue + 1) % row.pairs;
  },
  finishBatch: (dma: DmaApi, row: VirtioRow, n: Numbers) => {
    row.inflight--;
    dma.record(receive, n[2]);
  },
};

const guards = {
  ...lifeGuards,
  ...openGuards,
  /** Halving ends with the first ring that fits a page: the one attempt that may not fail. */
  canHalve: (_dma: DmaApi, row: VirtioRow) =>
    row.packed === 0 && row.num > 1 && vringSize(row.num, row.align) > row.pageSize,
};

export const machine = setup(words(actions, guards)).createMachine(
  lifeWithOpen('virtio-net', [
    { guard: 'canHalve', target: '#virtio-net.probing.asking', reenter: true, actions: 'halve' },
    '#virtio-net.unwinding',
  ] as const),
);

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const align = c.legacy ? 4096 : 64;
  const ring = (num: number) => (c.ring === 'split' ? vringSize(num, align) : num * DESC_BYTES);
  const queues: [string, number, number][] = [
    ['receive queue', ring(c.rx_queue_size), c.pairs],
    ['transmit queue', ring(c.tx_queue_size), c.pairs],
  ];
  if (c.ctrl_queue_size > 0) queues.push(['control queue', ring(c.ctrl_queue_size), 1]);
  const rings = queues.reduce((sum, [, , count]) => sum + count, 0);
  if (c.ring === 'packed') queues.push(['event suppression', EVENT_BYTES, 2 * rings]);
  return [
    ...queues.map(([purpose, bytes, count]) => {
      return { purpose, bytes, count, cma: c.access_platform && bytes > kernel.pageSize };
    }),
    {
      purpose: 'receive buffers',
      bytes: c.rx_queue_size * kernel.pageSize,
      count: c.pairs,
      cma: false,
    },
  ];
}

const rings = (c: Config): number => 2 * c.pairs + (c.ctrl_queue_size > 0 ? 1 : 0);

export const virtionet = defineDevice<Config, (typeof fields)[number]>({
  kind: 'virtio-net',
  summary: 'virtio-net: virtqueues from probe to removal, halved when they do not fit',
  config,
  fields,
  machine,
  actions,
  guards,
  delays: {},
  statistics: [receive, droppedBatches],
  timeline: openTimeline,
  own: [ARRIVE],
  handles: (c) => rings(c) * (c.ring === 'packed' ? PACKED_PARTS : 1) + c.pairs,
  footprint,
  configure(row, c, setting) {
    row.packed = c.ring === 'packed' ? 1 : 0;
    row.probed = rings(c) * parts(row);
    row.handles = row.probed + c.pairs;
    row.pairs = c.pairs;
    row.rxNum = c.rx_queue_size;
    row.txNum = c.tx_queue_size;
    row.ctrlNum = c.ctrl_queue_size;
    row.align = c.legacy ? 4096 : 64;
    row.platform = c.access_platform ? 1 : 0;
    row.pageSize = setting.pageSize;
    row.batch = c.batch;
    row.wants = c.up ? UP : 0;
    configureTraffic(row, c, setting);
  },
});
