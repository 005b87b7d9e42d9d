/**
 * A device model of one's own: a data recorder that fills two large buffers in turn.
 *
 * scenarios/own-device.yaml names this file; docs/devices.md explains it line by line.
 */
export default function recorder({
  setup,
  z,
  keys,
  defineDevice,
  words,
  histogram,
  sequence,
  traffic,
}) {
  const config = traffic.checkTraffic(
    z.strictObject({
      buffer: keys.bytes(2 * 2 ** 20).describe('Bytes of each of the two buffers.'),
      block: keys.bytes(65_536).describe('Bytes that one batch writes.'),
      ...traffic.trafficKeys(50_000),
    }),
  );
  const state = ['half', 'removing', ...sequence.sequenceState, ...traffic.trafficState];
  const blockTime = histogram('block_ns', {
    unit: 'ns',
    class: 'assumed',
    help: 'Time in which the recorder writes one block.',
  });
  const actions = {
    ...sequence.sequenceActions,
    ...traffic.trafficActions,
    beginProbe: (_dma, row) => sequence.askFrom(row, 0, 2),
    allocate: (dma, row) => dma.alloc(row.cursor, row.buffer),
    /** The driver asks for half as much when a buffer does not fit, as long as it is a page. */
    halve: (_dma, row) => {
      row.buffer /= 2;
    },
    beginFree: (_dma, row) => sequence.freeDown(row, 0, 2),
    noteRemoval: (_dma, row) => {
      row.removing = 1;
    },
    beginBatch: (dma, row) => {
      if (!traffic.beginsBatch(dma, row, 4)) return;
      dma.access(row.half, row.block, 1);
      row.half = 1 - row.half;
    },
    finishBatch: traffic.finishes(blockTime),
  };
  const guards = {
    ...sequence.sequenceGuards,
    ...traffic.trafficGuards,
    canHalve: (_dma, row) => row.buffer >= 8192,
    mustStop: (_dma, row) => row.removing === 1,
  };
  const machine = setup(words(actions, guards)).createMachine({
    id: 'recorder',
    initial: 'off',
    on: { REMOVE: { actions: 'noteRemoval' } },
    states: {
      off: { on: { START: 'probing' } },
      probing: {
        entry: 'beginProbe',
        ...sequence.asking({
          done: '#recorder.up',
          refused: [
            {
              guard: 'canHalve',
              target: '#recorder.probing.asking',
              reenter: true,
              actions: 'halve',
            },
            '#recorder.failed',
          ],
        }),
      },
      failed: { entry: 'beginFree', ...sequence.freeing('#recorder.removed') },
      up: traffic.working('#recorder.removing'),
      removing: { entry: 'beginFree', ...sequence.freeing('#recorder.removed') },
      removed: { type: 'final' },
    },
  });
  return defineDevice({
    kind: 'recorder',
    summary: 'Data recorder: two large buffers, filled in turn',
    config,
    state,
    machine,
    actions,
    guards,
    statistics: [blockTime, traffic.droppedBatches],
    timeline: { REMOVE: { help: 'Unbinds the driver: both buffers are freed.', numbers: [] } },
    own: [traffic.ARRIVE],
    memory: (c) => [{ purpose: 'buffer', bytes: c.buffer, count: 2 }],
  });
}
