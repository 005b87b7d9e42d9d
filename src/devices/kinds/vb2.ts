/**
 * A camera or codec with videobuf2: frame buffers from REQBUFS to close, in one piece each.
 *
 * Models __vb2_queue_alloc() over videobuf2-dma-contig: every plane of every buffer is one coherent
 * allocation. A plane that is refused (`dma alloc of size %lu failed`) ends the loop; the user gets
 * as many buffers as there are, or none if they are fewer than the driver needs. Without an IOMMU a
 * plane above the largest block of the buddy can only come from CMA. Left out: imported buffers,
 * requests.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { counter, histogram } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import type { DeviceEnvironment, MemoryList } from '../memory.js';
import { type DeviceRow, defineDevice, type Field, type Numbers, words } from '../model.js';
import { flag, oneOf, whole } from '../parts/keys.js';
import {
  askFrom,
  asking,
  freeDown,
  freeing,
  sequenceActions,
  sequenceGuards,
  sequenceState,
} from '../parts/sequence.js';
import {
  ARRIVE,
  beginsBatch,
  checkTraffic,
  droppedBatches,
  finishes,
  trafficActions,
  trafficGuards,
  trafficKeys,
  trafficState,
  working,
} from '../parts/traffic.js';

/** Bits per pixel of each plane that is allocated on its own. */
const formats: Readonly<Record<string, readonly number[]>> = {
  nv12: [12],
  nv12m: [8, 4],
  yuyv: [16],
  rgb24: [24],
  rgba: [32],
  raw10: [10],
};
const formatNames = ['nv12', 'nv12m', 'yuyv', 'rgb24', 'rgba', 'raw10'] as const;
const BUFFERS_MAX = 64;

const config = checkTraffic(
  z.strictObject({
    width: whole(16, 16_384, 1920).describe('Pixels per line.'),
    height: whole(16, 16_384, 1080).describe('Lines.'),
    format: oneOf(formatNames, 'nv12').describe('Pixel format; nv12m has two planes per buffer.'),
    buffers: whole(1, BUFFERS_MAX, 4).describe('Buffers REQBUFS asks for.'),
    min_buffers: whole(1, BUFFERS_MAX, 2).describe('Fewest buffers the driver streams with.'),
    open: flag(true).describe('Whether a program asks for buffers as soon as it is probed.'),
    stream: flag(true).describe('Whether that program starts the stream at once.'),
    ...trafficKeys(33_333_333),
  }),
);
type Config = z.output<typeof config>;

const state = [
  'planes',
  'plane0',
  'plane1',
  // Buffers the program asked for (0: closed), and how many it has.
  'wantBuffers',
  'held',
  'removing',
  'buffer',
  ...sequenceState,
  ...trafficState,
] as const;
type CameraRow = DeviceRow<Field<typeof config, (typeof state)[number]>>;

const frameTime = histogram('frame_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the device writes one frame to its buffer.',
});
const shortBuffers = counter('buffers_short', {
  unit: '1',
  class: 'exact',
  help: 'Buffers a program asked for and did not get.',
});

const planeBytes = (row: CameraRow, plane: number): number =>
  plane === 0 ? row.plane0 : row.plane1;

const actions = {
  ...sequenceActions,
  ...trafficActions,
  beginBuffers: (_dma: DmaApi, row: CameraRow) => askFrom(row, 0, row.wantBuffers * row.planes),
  allocate: (dma: DmaApi, row: CameraRow) =>
    dma.alloc(row.cursor, planeBytes(row, row.cursor % row.planes)),
  /** Whole buffers count; planes of the one that was refused go back. */
  cutShort: (_dma: DmaApi, row: CameraRow) => {
    row.held = Math.floor(row.cursor / row.planes);
    freeDown(row, row.held * row.planes, row.cursor);
  },
  takeBuffers: (dma: DmaApi, row: CameraRow) => {
    if (row.held === 0) row.held = row.wantBuffers;
    if (row.held < row.wantBuffers) dma.record(shortBuffers, row.wantBuffers - row.held);
    row.wantBuffers = row.held;
    row.buffer = 0;
  },
  refuseBuffers: (dma: DmaApi, row: CameraRow) => {
    dma.record(shortBuffers, row.wantBuffers);
    row.wantBuffers = 0;
    row.stream = 0;
  },
  beginFreeBuffers: (_dma: DmaApi, row: CameraRow) => {
    freeDown(row, 0, BUFFERS_MAX * row.planes);
    row.held = 0;
  },
  noteBuffers: (_dma: DmaApi, row: CameraRow, n: Numbers) => {
    row.wantBuffers = Math.min(Math.max(0, n[0]), BUFFERS_MAX);
  },
  noteStream: (_dma: DmaApi, row: CameraRow) => {
    row.stream = 1;
  },
  noteStop: (_dma: DmaApi, row: CameraRow) => {
    row.stream = 0;
  },
  noteClose: (_dma: DmaApi, row: CameraRow) => {
    row.wantBuffers = 0;
    row.stream = 0;
  },
  noteRemoval: (_dma: DmaApi, row: CameraRow) => {
    row.removing = 1;
    row.wantBuffers = 0;
    row.stream = 0;
  },
  beginBatch: (dma: DmaApi, row: CameraRow) => {
    // A frame per buffer that is not being written; its first plane stands for the transfer.
    if (!beginsBatch(dma, row, row.held)) return;
    const bytes = row.plane0 + (row.planes > 1 ? row.plane1 : 0);
    dma.access(row.buffer * row.planes, bytes, 1);
    row.buffer = (row.buffer + 1) % row.held;
  },
  finishBatch: finishes(frameTime),
};

const guards = {
  ...sequenceGuards,
  ...trafficGuards,
  removing: (_dma: DmaApi, row: CameraRow) => row.removing === 1,
  wantsBuffers: (_dma: DmaApi, row: CameraRow) => row.wantBuffers > 0,
  wantsOthers: (_dma: DmaApi, row: CameraRow) => row.wantBuffers !== row.held,
  wantsStream: (_dma: DmaApi, row: CameraRow) => row.stream === 1,
  mustStop: (_dma: DmaApi, row: CameraRow) => row.stream === 0,
  enough: (_dma: DmaApi, row: CameraRow) => row.held >= row.min_buffers,
};

const machine = setup(words(actions, guards)).createMachine({
  id: 'vb2',
  initial: 'off',
  on: {
    REQBUFS: { actions: 'noteBuffers' },
    STREAMON: { actions: 'noteStream' },
    STREAMOFF: { actions: 'noteStop' },
    CLOSE: { actions: 'noteClose' },
    REMOVE: { actions: 'noteRemoval' },
  },
  states: {
    off: { on: { START: 'closed' } },
    closed: {
      always: [
        { guard: 'removing', target: 'removed' },
        { guard: 'wantsBuffers', target: 'requesting' },
      ],
    },
    requesting: {
      entry: 'beginBuffers',
      ...asking({ done: '#vb2.requested', refused: '#vb2.short' }),
    },
    short: { entry: 'cutShort', ...freeing('#vb2.weighing') },
    weighing: { always: [{ guard: 'enough', target: 'requested' }, 'refusing'] },
    refusing: { entry: 'refuseBuffers', always: 'releasing' },
    requested: { entry: 'takeBuffers', always: 'ready' },
    ready: {
      always: [
        { guard: 'wantsOthers', target: 'releasing' },
        { guard: 'wantsStream', target: 'streaming' },
      ],
    },
    streaming: working('#vb2.ready'),
    releasing: { entry: 'beginFreeBuffers', ...freeing('#vb2.closed') },
    removed: { type: 'final' },
  },
});

function planesOf(c: Config): readonly number[] {
  return formats[c.format].map((bits) => Math.ceil((c.width * c.height * bits) / 8));
}

function memory(c: Config, { pageSize }: DeviceEnvironment): MemoryList {
  const planes = planesOf(c).map((plane, i) => {
    return { purpose: `plane ${i} of a frame`, bytes: Math.ceil(plane / pageSize) * pageSize };
  });
  return [
    { times: c.buffers, each: planes },
    { purpose: 'more buffers', bytes: 0, count: (BUFFERS_MAX - c.buffers) * planes.length },
  ];
}

export const vb2 = defineDevice({
  kind: 'vb2',
  summary: 'Camera or codec (videobuf2): frame buffers in one piece, from REQBUFS to close',
  config,
  state,
  machine,
  actions,
  guards,
  statistics: [frameTime, shortBuffers, droppedBatches],
  timeline: {
    REQBUFS: { help: 'VIDIOC_REQBUFS: that many buffers; 0 frees them.', numbers: ['buffers'] },
    STREAMON: { help: 'Starts the stream, once there are buffers.', numbers: [] },
    STREAMOFF: { help: 'Stops the stream; the buffers stay.', numbers: [] },
    CLOSE: { help: 'The program closes the device: the buffers are freed.', numbers: [] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  own: [ARRIVE],
  memory,
  configure(row, c) {
    const planes = planesOf(c);
    row.planes = planes.length;
    row.plane0 = planes[0];
    row.plane1 = planes[1] ?? 0;
    row.min_buffers = Math.min(c.min_buffers, c.buffers);
    row.wantBuffers = c.open ? c.buffers : 0;
    row.stream = c.open && c.stream ? 1 : 0;
  },
});
