/**
 * A NIC with rings: what the drivers of hns3, igb, ixgbe and e1000e have in common, and a row of data
 * for what they have not.
 *
 * Models ndo_open, ndo_stop, ethtool -G and -L, reset and removal as memory sees them. Operations come
 * one after another, as under the rtnl lock: what is asked for meanwhile is noted and done next. New
 * rings are taken before the old ones are let go of, all at once or transmit before receive. Left out:
 * transmit buffers (mapped, not allocated), NAPI, interrupts.
 */
import { setup } from 'xstate';
import type { z } from 'zod';
import {
  type DeviceEnvironment,
  type DeviceModel,
  defineDevice,
  type FootprintRow,
  words,
} from '../model.js';
import {
  descriptorFetch,
  type Field,
  fields,
  GROUPS,
  KEPT,
  type Netdev,
  UP,
  vocabulary,
} from './rings.js';
import { asking, freeing } from './sequence.js';
import {
  ARRIVE,
  configureTraffic,
  droppedBatches,
  type TrafficConfig,
  working,
} from './traffic.js';

/** What the schema of every ring NIC gives. */
export interface NetConfig extends TrafficConfig {
  readonly up: boolean;
  readonly batch: number;
}

/** The chart of a driver: rings that live from the probe on are not touched by up and down. */
function chart(net: Netdev, { actions, guards }: ReturnType<typeof vocabulary>) {
  // Words that this driver does without are then not in its chart either.
  const nic = setup(words(actions as Required<typeof actions>, guards as Required<typeof guards>));
  const at = (state: string): string => `#${net.kind}.${state}`;
  const refused = (state: string) =>
    net.onVectorNode
      ? [{ guard: 'onOtherNode' as const, actions: 'useDeviceNode' as const }, at(state)]
      : at(state);
  const atProbe = net.ringsFrom === 'probe';
  const changes = [
    { guard: 'wantsReset', target: at('resetting') },
    { guard: 'wantsResize', target: at('resizing') },
  ] as const;
  return nic.createMachine({
    id: net.kind,
    initial: 'off',
    on: {
      UP: { actions: 'noteUp' },
      DOWN: { actions: 'noteDown' },
      RESIZE: { actions: 'noteSize' },
      ...(net.channels ? { CHANNELS: { actions: 'noteChannels' } } : {}),
      RESET: { actions: 'noteReset' },
      REMOVE: { actions: 'noteRemoval' },
    },
    states: {
      off: { on: { START: 'probing' } },
      probing: {
        entry: 'beginProbe',
        ...asking({ done: at('probed'), refused: refused('unwinding') }),
      },
      probed: { entry: 'useRings', always: 'down' },
      unwinding: { entry: 'beginFreeAll', ...freeing(at('failed')) },
      failed: {
        always: { guard: 'removing', target: 'removed' },
        on: { START: 'probing' },
      },
      down: {
        always: [
          { guard: 'removing', target: 'removing' },
          ...(atProbe ? changes : []),
          { guard: 'wantsUp', target: atProbe ? 'up' : 'raising' },
        ],
      },
      raising: {
        entry: 'beginRings',
        ...asking({ done: at('raised'), refused: refused('abandoning') }),
      },
      raised: { entry: 'useRings', always: [{ guard: 'wantsUp', target: 'up' }, stays(net)] },
      abandoning: {
        entry: ['giveUp', 'beginFreeRings'],
        ...freeing(at(atProbe ? 'unwinding' : 'down')),
      },
      up: working(at('stopped')),
      stopped: {
        always: [{ guard: 'mustGoDown', target: atProbe ? 'down' : 'lowering' }, ...changes, 'up'],
      },
      resetting: { entry: 'beginFreeRings', ...freeing(at('raising')) },
      ...exchanges(net, refused('undoing')),
      undoing: { entry: 'undoPhase', ...freeing(at('exchanged')) },
      exchanged: { always: [{ guard: 'wantsUp', target: 'up' }, stays(net)] },
      ...(atProbe ? {} : { lowering: { entry: 'beginFreeRings', ...freeing(at('down')) } }),
      removing: { entry: 'beginFreeAll', ...freeing(at('removed')) },
      removed: { type: 'final' },
    },
  });
}

/** States of ethtool -G: each phase takes its new rings, then frees its old ones. */
function exchanges<Refused>(net: Netdev, refused: Refused) {
  const at = (state: string): string => `#${net.kind}.resizing.${state}`;
  const taking = (state: string) => ({
    entry: 'askPhase' as const,
    ...asking({ done: at(state), refused }),
  });
  const freed = (done: string) => ({ entry: 'endPhase' as const, ...freeing(done) });
  const done = `#${net.kind}.exchanged`;
  const resizing = { entry: 'beginExchange' as const, initial: 'exchanging' };
  if (net.exchange === 'all at once') {
    const states = { exchanging: taking('releasing'), releasing: freed(done) };
    return { resizing: { ...resizing, states } };
  }
  const states = {
    exchanging: taking('releasing'),
    releasing: freed(at('receiving')),
    receiving: taking('finishing'),
    finishing: freed(done),
  };
  return { resizing: { ...resizing, states } };
}

/** Where rings that are not wanted up go. */
function stays(net: Netdev): string {
  return net.ringsFrom === 'probe' ? 'down' : 'lowering';
}

const timeline = {
  UP: { help: 'Brings the interface up.', numbers: [] },
  DOWN: { help: 'Takes the interface down.', numbers: [] },
  RESIZE: {
    help: 'ethtool -G: new rings are allocated, then the old ones freed.',
    numbers: ['descriptors'],
  },
  CHANNELS: {
    help: 'ethtool -L: all rings are freed, then as many queues are allocated.',
    numbers: ['queues'],
  },
  RESET: { help: 'A reset: all rings are freed and allocated again.', numbers: [] },
  REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
};

/** How a driver's own keys are read where the scenario leaves the choice to it. */
export interface NetDefaults<C> {
  queues(c: C, kernel: DeviceEnvironment): number;
  txNum(c: C, kernel: DeviceEnvironment): number;
  rxNum(c: C, kernel: DeviceEnvironment): number;
  /** Bytes behind one receive descriptor. */
  buffer(c: C, kernel: DeviceEnvironment): number;
}

/** A NIC's model from what its driver says. */
export function defineNetdev<C extends NetConfig>(
  net: Netdev,
  config: z.ZodType<C>,
  choose: NetDefaults<C>,
): DeviceModel {
  const { actions, guards } = vocabulary(net);
  const { CHANNELS, ...others } = timeline;
  return defineDevice<C, Field>({
    kind: net.kind,
    summary: net.summary,
    config,
    fields: net.onVectorNode ? [...fields, 'origNode'] : fields,
    machine: chart(net, { actions, guards }),
    actions,
    guards,
    delays: {},
    statistics: [descriptorFetch, droppedBatches],
    timeline: net.channels ? { ...others, CHANNELS } : others,
    own: [ARRIVE],
    handles: (c, kernel) => net.probe.length + GROUPS * choose.queues(c, kernel),
    spareHandles: (c, kernel) => GROUPS * choose.queues(c, kernel),
    footprint(c, kernel): FootprintRow[] {
      const count = choose.queues(c, kernel);
      const tx = net.txBytes(choose.txNum(c, kernel));
      const rx = net.rxBytes(choose.rxNum(c, kernel));
      const buffers = choose.rxNum(c, kernel) * choose.buffer(c, kernel);
      const mayBeCma = (bytes: number) => bytes > kernel.pageSize;
      return [
        ...net.probe.map((row) => ({ ...row, count: 1, cma: mayBeCma(row.bytes) })),
        { purpose: 'TX ring', bytes: tx, count, cma: mayBeCma(tx) },
        { purpose: 'RX ring', bytes: rx, count, cma: mayBeCma(rx) },
        { purpose: 'RX buffers', bytes: buffers, count, cma: false },
      ];
    },
    configure(row, c, setting) {
      row.queuesMax = choose.queues(c, setting);
      row.wantQueues = row.queuesMax;
      row.wantTx = choose.txNum(c, setting);
      row.wantRx = choose.rxNum(c, setting);
      row.buffer = choose.buffer(c, setting);
      row.batch = c.batch;
      row.wants = c.up ? UP : 0;
      if (net.onVectorNode) row.origNode = KEPT;
      configureTraffic(row, c, setting);
    },
  });
}
