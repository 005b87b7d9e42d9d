/**
 * A NIC with rings: what the drivers of hns3, igb, ixgbe and e1000e have in common, and a row of
 * data for what they have not.
 *
 * Models ndo_open, ndo_stop, ethtool -G and -L, reset and removal as memory sees them. Operations
 * come one after another, as under the rtnl lock: what is asked for meanwhile is noted and done
 * next. New rings are taken before the old ones are let go of, all at once or transmit before
 * receive. Left out: transmit buffers (mapped, not allocated), NAPI, interrupts.
 */
import type { z } from 'zod';
import type { DeviceEnvironment, MemoryList } from '../memory.js';
import type { DeviceModel } from '../model.js';
import { flag, whole } from './keys.js';
import { KEPT, type Netdev, type RingState, ringState, vocabulary } from './rings.js';
import { asking, freeing } from './sequence.js';
import { descriptorFetch, working } from './traffic.js';
import { defineTrafficDevice } from './trafficDevice.js';

/** The chart of a driver: rings that live from the probe on are not touched by up and down. */
function chart(net: Netdev) {
  const at = (state: string): string => `#${net.kind}.${state}`;
  const refused = (state: string) =>
    net.onVectorNode ? [{ guard: 'onOtherNode', actions: 'useDeviceNode' }, at(state)] : at(state);
  const atProbe = net.ringsFrom === 'probe';
  const changes = [
    { guard: 'wantsReset', target: at('resetting') },
    { guard: 'wantsResize', target: at('resizing') },
  ];
  return {
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
  };
}

/** States of ethtool -G: each phase takes its new rings, then frees its old ones. */
function exchanges<Refused>(net: Netdev, refused: Refused) {
  const at = (state: string): string => `#${net.kind}.resizing.${state}`;
  const taking = (state: string) => ({
    entry: 'askPhase',
    ...asking({ done: at(state), refused }),
  });
  const freed = (done: string) => ({ entry: 'endPhase', ...freeing(done) });
  const done = `#${net.kind}.exchanged`;
  const resizing = { entry: 'beginExchange', initial: 'exchanging' };
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

/** The rings of a driver, and as many handles again for those that ethtool -G takes before. */
function memory(net: Netdev, c: Record<string, unknown>, kernel: DeviceEnvironment): MemoryList {
  const count = net.queues(c, kernel);
  const rxNum = net.rxNum(c, kernel);
  const rings = [
    { purpose: 'TX ring', bytes: net.txBytes(net.txNum(c, kernel)), count },
    { purpose: 'RX ring', bytes: net.rxBytes(rxNum), count },
    { purpose: 'RX buffers', how: 'bulk', bytes: rxNum * net.buffer(c, kernel), count },
  ] as const;
  return [...(net.probe ?? []), ...rings, ...rings.map((ring) => ({ ...ring, bytes: 0 }))];
}

/** A NIC's model from what its driver says. */
export function defineNetdev<Keys extends z.ZodRawShape>(driver: Netdev<Keys>): DeviceModel {
  const net: Netdev = driver;
  const { CHANNELS, ...others } = timeline;
  const state: readonly RingState[] = net.onVectorNode ? [...ringState, 'origNode'] : ringState;
  const common = {
    up: flag(true).describe('Whether the interface is brought up once it is probed.'),
    batch: whole(1, net.descNum.most, net.batch).describe(
      'Descriptors the NIC reads for one batch.',
    ),
  };
  const keys: typeof common = { ...net.keys, ...common };
  return defineTrafficDevice({
    kind: net.kind,
    summary: net.summary,
    keys,
    unread: Object.keys(net.keys),
    state,
    machine: chart(net),
    ...vocabulary(net),
    took: descriptorFetch,
    timeline: net.channels ? { ...others, CHANNELS } : others,
    memory: (c, kernel) => memory(net, c, kernel),
    configure(row, c, kernel) {
      row.queues = net.queues(c, kernel);
      row.queuesMax = row.queues;
      row.wantTx = net.txNum(c, kernel);
      row.wantRx = net.rxNum(c, kernel);
      row.buffer = net.buffer(c, kernel);
      if (net.onVectorNode) row.origNode = KEPT;
    },
  });
}
