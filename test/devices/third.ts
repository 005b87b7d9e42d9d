/**
 * A third device, as a user would add it: this file and one entry in a list.
 *
 * A camera: one buffer at start, frames at an interval, each frame a touch of the buffer.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import type { DmaApi } from '#cmasim/devices/dmaApi.js';
import { type DeviceRow, defineDevice, type Field, words } from '#cmasim/devices/model.js';
import { time, whole } from '#cmasim/devices/parts/keys.js';
import { histogram } from '#cmasim/sim/statistics.js';

const config = z.strictObject({
  frame: whole(1, 2 ** 30, 3_110_400).describe('Bytes of one frame.'),
  every: time(1_000).describe('Time from one frame to the next.'),
});
const state = ['begunNs'] as const;
type CameraRow = DeviceRow<Field<typeof config, (typeof state)[number]>>;

const frameTime = histogram('frame_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which a frame is touched.',
});

const actions = {
  allocate: (dma: DmaApi) => dma.alloc(0),
  touch: (dma: DmaApi, row: CameraRow) => {
    row.begunNs = dma.now();
    dma.access(0, 64, 1);
  },
  record: (dma: DmaApi, row: CameraRow) => dma.record(frameTime, dma.now() - row.begunNs),
  release: (dma: DmaApi) => {
    dma.free(0);
  },
  plan: (dma: DmaApi, row: CameraRow) => dma.after(row.every, 'FRAME'),
  forget: (dma: DmaApi) => dma.cancel(),
};

export const camera = defineDevice({
  kind: 'camera',
  summary: 'A camera with one frame buffer',
  config,
  state,
  machine: setup(words(actions)).createMachine({
    id: 'camera',
    initial: 'off',
    states: {
      off: { on: { START: 'opening' } },
      opening: { entry: 'allocate', on: { GRANTED: 'streaming', REFUSED: 'failed' } },
      streaming: {
        entry: 'plan',
        exit: 'forget',
        on: {
          FRAME: { actions: 'touch' },
          ACCESSED: { actions: ['record', 'plan'] },
          CLOSE: { target: 'closing', actions: 'release' },
        },
      },
      closing: { on: { FREED: 'off' } },
      failed: {},
    },
  }),
  actions,
  own: ['FRAME'],
  statistics: [frameTime],
  timeline: { CLOSE: { help: 'Closes the stream.', numbers: [] } },
  memory: (c) => [{ purpose: 'frame', bytes: c.frame }],
});
