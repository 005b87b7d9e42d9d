/**
 * A camera or codec with videobuf2: frame buffers from REQBUFS to close, in one piece each.
 *
 * Models __vb2_queue_alloc() over videobuf2-dma-contig: every plane of every buffer is one coherent
 * allocation. A plane that is refused (`dma alloc of size %lu failed`) ends the loop; the user gets
 * as many buffers as there are, or none if they are fewer than the driver needs. Without an IOMMU a
 * plane above the largest block of the buddy can only come from CMA. Left out: imported buffers,
 * requests.
 */
import { counter, histogram } from '../../sim/statistics.js';
import type { DeviceRow } from '../model.js';
import { flag, oneOf, whole } from '../parts/keys.js';
import { askFrom, asking, freeDown, freeing } from '../parts/sequence.js';
import { beginsBatch, working } from '../parts/traffic.js';
import { defineTrafficDevice } from '../parts/trafficDevice.js';
import { isOn, sets } from '../parts/words.js';

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

/** Bytes of each plane of a frame. */
function planesOf(c: { width: number; height: number; format: string }): readonly number[] {
  return formats[c.format].map((bits) => Math.ceil((c.width * c.height * bits) / 8));
}

/** The program has no buffers and no stream. */
function close(row: DeviceRow<'wantBuffers' | 'stream'>): void {
  row.wantBuffers = 0;
  row.stream = 0;
}

const machine = {
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
};

export const vb2 = defineTrafficDevice({
  kind: 'vb2',
  summary: 'Camera or codec (videobuf2): frame buffers in one piece, from REQBUFS to close',
  keys: {
    width: whole(16, 16_384, 1920).describe('Pixels per line.'),
    height: whole(16, 16_384, 1080).describe('Lines.'),
    format: oneOf(formatNames, 'nv12').describe('Pixel format; nv12m has two planes per buffer.'),
    buffers: whole(1, BUFFERS_MAX, 4).describe('Buffers REQBUFS asks for.'),
    min_buffers: whole(1, BUFFERS_MAX, 2).describe('Fewest buffers the driver streams with.'),
    open: flag(true).describe('Whether a program asks for buffers as soon as it is probed.'),
    stream: flag(true).describe('Whether that program starts the stream at once.'),
  },
  interval: 33_333_333,
  // wantBuffers: buffers the program asked for (0: closed); held: how many it has.
  state: ['planes', 'plane0', 'plane1', 'wantBuffers', 'held', 'removing', 'buffer'],
  machine,
  actions: {
    beginBuffers: (_dma, row) => askFrom(row, 0, row.wantBuffers * row.planes),
    allocate: (dma, row) =>
      dma.alloc(row.cursor, row.cursor % row.planes === 0 ? row.plane0 : row.plane1),
    /** Whole buffers count; planes of the one that was refused go back. */
    cutShort(_dma, row) {
      row.held = Math.floor(row.cursor / row.planes);
      freeDown(row, row.held * row.planes, row.cursor);
    },
    takeBuffers(dma, row) {
      if (row.held === 0) row.held = row.wantBuffers;
      if (row.held < row.wantBuffers) dma.record(shortBuffers, row.wantBuffers - row.held);
      row.wantBuffers = row.held;
      row.buffer = 0;
    },
    refuseBuffers(dma, row) {
      dma.record(shortBuffers, row.wantBuffers);
      close(row);
    },
    beginFreeBuffers(_dma, row) {
      freeDown(row, 0, BUFFERS_MAX * row.planes);
      row.held = 0;
    },
    noteBuffers(_dma, row, n) {
      row.wantBuffers = Math.min(Math.max(0, n[0]), BUFFERS_MAX);
    },
    noteStream: sets('stream', 1),
    noteStop: sets('stream', 0),
    noteClose: (_dma, row) => close(row),
    noteRemoval(_dma, row) {
      row.removing = 1;
      close(row);
    },
    beginBatch(dma, row) {
      // A frame per buffer that is not being written; its first plane stands for the transfer.
      if (!beginsBatch(dma, row, row.held)) return;
      const bytes = row.plane0 + (row.planes > 1 ? row.plane1 : 0);
      dma.access(row.buffer * row.planes, bytes, 1);
      row.buffer = (row.buffer + 1) % row.held;
    },
  },
  guards: {
    removing: isOn('removing'),
    wantsBuffers: (_dma, row) => row.wantBuffers > 0,
    wantsOthers: (_dma, row) => row.wantBuffers !== row.held,
    wantsStream: isOn('stream'),
    mustStop: (_dma, row) => row.stream === 0,
    enough: (_dma, row) => row.held >= row.min_buffers,
  },
  took: frameTime,
  statistics: [shortBuffers],
  timeline: {
    REQBUFS: { help: 'VIDIOC_REQBUFS: that many buffers; 0 frees them.', numbers: ['buffers'] },
    STREAMON: { help: 'Starts the stream, once there are buffers.', numbers: [] },
    STREAMOFF: { help: 'Stops the stream; the buffers stay.', numbers: [] },
    CLOSE: { help: 'The program closes the device: the buffers are freed.', numbers: [] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  memory(c, { pageSize }) {
    const planes = planesOf(c).map((plane, i) => {
      return { purpose: `plane ${i} of a frame`, bytes: Math.ceil(plane / pageSize) * pageSize };
    });
    return [
      { times: c.buffers, each: planes },
      { purpose: 'more buffers', bytes: 0, count: (BUFFERS_MAX - c.buffers) * planes.length },
    ];
  },
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
