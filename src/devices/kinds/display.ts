/**
 * A display controller without memory of its own: dumb buffers of the DRM GEM DMA helper, page
 * flips.
 *
 * Models drm_gem_dma_dumb_create(), one coherent allocation per buffer, and atomic commits that
 * take the new buffers before the old ones are let go of. One batch is one frame that is scanned
 * out. Left out: planes and cursors, fbdev emulation, imported buffers.
 */
import { histogram } from '../../sim/statistics.js';
import { flag, oneOf, whole } from '../parts/keys.js';
import { askFrom, asking, freeDown, freeing } from '../parts/sequence.js';
import { beginsBatch, working } from '../parts/traffic.js';
import { defineTrafficDevice } from '../parts/trafficDevice.js';
import { isOn, sets } from '../parts/words.js';

const MODE = 1;
const REMOVE = 2;

/** Bytes per pixel of xrgb8888 and rgb565, in the order of `format`. */
const bytesPerPixel = [4, 2] as const;

const scanOut = histogram('scan_out_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the controller reads one frame.',
});

const machine = {
  id: 'display',
  initial: 'unprobed',
  on: {
    MODESET: { actions: 'noteMode' },
    OFF: { actions: 'noteOff' },
    REMOVE: { actions: 'noteRemoval' },
  },
  states: {
    unprobed: { on: { START: 'off' } },
    off: {
      always: [
        { guard: 'removing', target: 'removed' },
        { guard: 'wantsOn', target: 'setting' },
      ],
    },
    setting: {
      entry: 'beginMode',
      ...asking({ done: '#display.flipping', refused: '#display.undoing' }),
    },
    flipping: { entry: ['flip', 'beginFreeOther'], ...freeing('#display.on') },
    undoing: { entry: ['beginFreeOther', 'keepMode'], ...freeing('#display.undone') },
    undone: { always: [{ guard: 'showsMode', target: 'on' }, 'off'] },
    on: working('#display.pausing'),
    pausing: { always: [{ guard: 'wantsMode', target: 'setting' }, 'blanking'] },
    blanking: { entry: 'beginFreeAll', ...freeing('#display.off') },
    removed: { type: 'final' },
  },
};

export const display = defineTrafficDevice({
  kind: 'display',
  summary: 'Display controller (DRM GEM DMA): dumb buffers in one piece, page flips',
  keys: {
    width: whole(16, 16_384, 1920).describe('Pixels per line.'),
    height: whole(16, 16_384, 1080).describe('Lines.'),
    format: oneOf(['xrgb8888', 'rgb565'], 'xrgb8888').describe('Pixel format.'),
    buffers: whole(1, 8, 2).describe('Buffers that are flipped between.'),
    on: flag(true).describe('Whether a program sets the mode as soon as it is probed.'),
  },
  interval: 16_666_667,
  state: ['bytes', 'wantBytes', 'bank', 'wants', 'shown'],
  machine,
  actions: {
    /** New buffers lie in the bank that is not shown. */
    beginMode(_dma, row) {
      row.wants &= ~MODE;
      askFrom(row, (1 - row.bank) * row.buffers, (2 - row.bank) * row.buffers);
    },
    allocate: (dma, row) => dma.alloc(row.cursor, row.wantBytes),
    flip(_dma, row) {
      row.bank = 1 - row.bank;
      row.bytes = row.wantBytes;
      row.shown = 0;
    },
    beginFreeOther: (_dma, row) =>
      freeDown(row, (1 - row.bank) * row.buffers, (2 - row.bank) * row.buffers),
    keepMode(_dma, row) {
      row.wantBytes = row.bytes || row.wantBytes;
      if (row.bytes === 0) row.on = 0;
    },
    beginFreeAll(_dma, row) {
      row.bytes = 0;
      freeDown(row, 0, 2 * row.buffers);
    },
    noteMode(_dma, row, n) {
      row.wantBytes = Math.max(1, n[0] * n[1]) * bytesPerPixel[row.format];
      row.on = 1;
      row.wants |= MODE;
    },
    noteOff: sets('on', 0),
    noteRemoval(_dma, row) {
      row.on = 0;
      row.wants = REMOVE;
    },
    beginBatch(dma, row) {
      if (!beginsBatch(dma, row, 1)) return;
      dma.access(row.bank * row.buffers + row.shown, row.bytes, 1);
      row.shown = (row.shown + 1) % row.buffers;
    },
  },
  guards: {
    removing: (_dma, row) => (row.wants & REMOVE) !== 0,
    wantsOn: isOn('on'),
    wantsMode: (_dma, row) => row.on === 1 && (row.wants & MODE) !== 0,
    showsMode: (_dma, row) => row.bytes > 0,
    mustStop: (_dma, row) => row.on === 0 || (row.wants & MODE) !== 0,
  },
  took: scanOut,
  timeline: {
    MODESET: {
      help: 'A mode of that many pixels: new buffers, then the old ones are freed.',
      numbers: ['width', 'height'],
    },
    OFF: { help: 'Switches the output off and frees its buffers.', numbers: [] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  memory: (c, { pageSize }) => {
    const frame = c.width * c.height * (c.format === 'rgb565' ? 2 : 4);
    const bytes = Math.ceil(frame / pageSize) * pageSize;
    return [
      { purpose: 'dumb buffer', bytes, count: c.buffers },
      { purpose: 'buffers of the next mode', bytes: 0, count: c.buffers },
    ];
  },
  configure(row) {
    row.wantBytes = row.width * row.height * bytesPerPixel[row.format];
    // The first mode lands in bank 0.
    row.bank = 1;
  },
});
