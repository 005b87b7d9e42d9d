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
import { histogram } from '../sim/statistics.js';
import type { DmaApi } from './dma.js';
import {
  type DeviceEnvironment,
  type DeviceModel,
  defineDevice,
  type FootprintRow,
  type Numbers,
  type Row,
  words,
} from './model.js';
import {
  askFrom,
  asking,
  freeDown,
  freeing,
  sequenceActions,
  sequenceFields,
  sequenceGuards,
} from './sequence.js';
import {
  ARRIVE,
  beginsBatch,
  configureTraffic,
  droppedBatches,
  type TrafficConfig,
  trafficActions,
  trafficFields,
  trafficGuards,
  working,
} from './traffic.js';

/** What a driver says of its rings. Bytes are those of one allocation. */
export interface Netdev {
  readonly kind: string;
  readonly summary: string;
  /** Coherent allocations of the probe that are no rings. */
  readonly probe: readonly { readonly purpose: string; readonly bytes: number }[];
  /** Whether rings live from probe to removal, or from up to down. */
  readonly ringsFrom: 'probe' | 'up';
  /** In which order ethtool -G exchanges them. */
  readonly exchange: 'all at once' | 'transmit, then receive';
  /** Whether ethtool -L exists. */
  readonly channels: boolean;
  /** Rings are asked for on the node of their vector's CPU, then on the device's (ixgbe). */
  readonly onVectorNode: boolean;
  readonly txBytes: (descNum: number) => number;
  readonly rxBytes: (descNum: number) => number;
  /** Bytes of one receive descriptor, which is what a batch reads. */
  readonly rxDescBytes: number;
  readonly descNum: { readonly least: number; readonly most: number; readonly multiple: number };
}

/** What the schema of every ring NIC gives. */
export interface NetConfig extends TrafficConfig {
  readonly up: boolean;
  readonly batch: number;
}

const fields = [
  'queuesMax',
  'queues',
  'buffer',
  'batch',
  // Rings in use: descriptors, and the bank they lie in, a bit per phase of an exchange.
  'txNum',
  'rxNum',
  'banks',
  'phase',
  // What is asked for.
  'wants',
  'wantTx',
  'wantRx',
  'wantQueues',
  // The queue whose turn it is in traffic.
  'queue',
  ...sequenceFields,
  ...trafficFields,
] as const;
/** `origNode`: the device's own node while set_dev_node() is in force, for onVectorNode. */
type Field = (typeof fields)[number] | 'origNode';
type NetRow = Row<Field>;

const UP = 1;
const RESET = 2;
const RESIZE = 4;
const REMOVE = 8;
/** numa_node is as it was found. */
const KEPT = -2;

const descriptorFetch = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

const wants = (row: NetRow, what: number): boolean => (row.wants & what) !== 0;

/** ethtool -G: a multiple within the limits of the driver. */
export function ringSize({ least, most, multiple }: Netdev['descNum'], asked: number): number {
  const clamped = Math.min(Math.max(asked, least), most);
  return Math.min(Math.ceil(clamped / multiple) * multiple, most);
}

/** Handles of a bank: a TX ring per queue, an RX ring per queue, the buffers of each RX ring. */
const TX = 0;
const RX = 1;
const BUFFERS = 2;
const GROUPS = 3;

/** The words of a driver: what its actions and guards do to a row. */
function vocabulary(net: Netdev) {
  const probe = net.probe.length;
  const split = net.exchange === 'transmit, then receive';
  const phases = split ? 2 : 1;
  const bankOf = (row: NetRow, phase: number): number => (row.banks >> phase) & 1;
  /** First handle of a phase's groups; phase `phases` is the end of the bank. */
  const first = (row: NetRow, bank: number, phase: number): number => {
    const group = phase === 0 ? TX : phase === phases ? GROUPS : RX;
    return probe + (bank * GROUPS + group) * row.queuesMax;
  };
  const groupOf = (row: NetRow, handle: number): number =>
    Math.floor((handle - probe) / row.queuesMax) % GROUPS;
  const sizeOf = (row: NetRow, handle: number): number => {
    if (handle < probe) return net.probe[handle]!.bytes;
    if ((handle - probe) % row.queuesMax >= row.wantQueues) return 0;
    const group = groupOf(row, handle);
    if (group === TX) return net.txBytes(row.wantTx);
    return group === RX ? net.rxBytes(row.wantRx) : row.wantRx * row.buffer;
  };
  const skip = (row: NetRow): void => {
    while (row.cursor < row.stop && sizeOf(row, row.cursor) === 0) row.cursor++;
  };
  const ask = (row: NetRow, from: number, end: number): void => {
    askFrom(row, from, end);
    skip(row);
  };
  const useTarget = (row: NetRow): void => {
    row.txNum = row.wantTx;
    row.rxNum = row.wantRx;
    row.queues = row.wantQueues;
    row.queue = 0;
  };
  const vectorNode = (dma: DmaApi, row: NetRow): number =>
    row.wantQueues > 1 ? dma.localSpread((row.cursor - probe) % row.queuesMax) : dma.devToNode();
  const restoreNode = (dma: DmaApi, row: NetRow): void => {
    if (!net.onVectorNode || row.origNode === KEPT) return;
    dma.setDevNode(row.origNode);
    row.origNode = KEPT;
  };

  const actions = {
    ...trafficActions,
    freeNext: sequenceActions.freeNext,
    beginProbe: (_dma: DmaApi, row: NetRow) =>
      ask(row, 0, net.ringsFrom === 'probe' ? first(row, 0, phases) : probe),
    beginRings: (_dma: DmaApi, row: NetRow) => {
      row.wants &= ~(RESET | RESIZE);
      row.banks = 0;
      ask(row, first(row, 0, 0), first(row, 0, phases));
    },
    allocate: (dma: DmaApi, row: NetRow) => {
      const bytes = sizeOf(row, row.cursor);
      const isRing = row.cursor >= probe && groupOf(row, row.cursor) !== BUFFERS;
      if (row.cursor >= probe && !isRing) {
        dma.allocPagesBulk(row.cursor, bytes);
        return;
      }
      if (net.onVectorNode && isRing) {
        const node = vectorNode(dma, row);
        row.origNode = dma.devToNode();
        dma.setDevNode(node);
      }
      dma.alloc(row.cursor, bytes);
    },
    next: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      row.cursor++;
      skip(row);
    },
    useRings: (_dma: DmaApi, row: NetRow) => useTarget(row),
    beginFreeRings: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      freeDown(row, probe, first(row, 1, phases));
    },
    beginFreeAll: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      freeDown(row, 0, first(row, 1, phases));
    },
    beginExchange: (_dma: DmaApi, row: NetRow) => {
      row.wants &= ~RESIZE;
      row.phase = 0;
    },
    askPhase: (_dma: DmaApi, row: NetRow) => {
      const bank = 1 - bankOf(row, row.phase);
      ask(row, first(row, bank, row.phase), first(row, bank, row.phase + 1));
    },
    /** The new rings of a phase are those in use; the old ones are let go of. */
    endPhase: (_dma: DmaApi, row: NetRow) => {
      const old = bankOf(row, row.phase);
      row.banks ^= 1 << row.phase;
      if (row.phase === 0) row.txNum = row.wantTx;
      if (row.phase === phases - 1) row.rxNum = row.wantRx;
      freeDown(row, first(row, old, row.phase), first(row, old, row.phase + 1));
      row.phase++;
    },
    /** Refused: what the phase was given goes back, and the sizes stay. */
    undoPhase: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      const bank = 1 - bankOf(row, row.phase);
      freeDown(row, first(row, bank, row.phase), first(row, bank, row.phase + 1));
      row.wantTx = row.txNum;
      row.wantRx = row.rxNum;
    },
    /** ifup that failed: the user is told, and nobody tries again. */
    giveUp: (_dma: DmaApi, row: NetRow) => {
      row.wants &= ~UP;
    },
    noteUp: (_dma: DmaApi, row: NetRow) => {
      row.wants |= UP;
    },
    noteDown: (_dma: DmaApi, row: NetRow) => {
      row.wants &= ~UP;
    },
    noteReset: (_dma: DmaApi, row: NetRow) => {
      row.wants |= RESET;
    },
    noteSize: (_dma: DmaApi, row: NetRow, n: Numbers) => {
      row.wantTx = ringSize(net.descNum, n[0]!);
      row.wantRx = row.wantTx;
      row.wants |= RESIZE;
    },
    noteRemoval: (_dma: DmaApi, row: NetRow) => {
      row.wants |= REMOVE;
    },
    beginBatch: (dma: DmaApi, row: NetRow) => {
      const batch = Math.min(row.batch, row.rxNum);
      if (!beginsBatch(dma, row, Math.floor(row.rxNum / batch) * row.queues)) return;
      const ring = first(row, bankOf(row, phases - 1), 0) + RX * row.queuesMax + row.queue;
      row.queue = (row.queue + 1) % row.queues;
      dma.access(ring, batch * net.rxDescBytes, 1);
    },
    finishBatch: (dma: DmaApi, row: NetRow, n: Numbers) => {
      row.inflight--;
      dma.record(descriptorFetch, n[2]!);
    },
  };
  const noteChannels = (_dma: DmaApi, row: NetRow, n: Numbers) => {
    row.wantQueues = Math.min(Math.max(1, n[0]!), row.queuesMax);
    row.wants |= RESET;
  };
  /** dma_alloc_coherent() on the vector's node failed: once more on the device's own. */
  const useDeviceNode = (dma: DmaApi, row: NetRow) => {
    restoreNode(dma, row);
    dma.alloc(row.cursor, sizeOf(row, row.cursor));
  };
  const guards = {
    ...trafficGuards,
    ...sequenceGuards,
    removing: (_dma: DmaApi, row: NetRow) => wants(row, REMOVE),
    wantsUp: (_dma: DmaApi, row: NetRow) => wants(row, UP),
    mustGoDown: (_dma: DmaApi, row: NetRow) => !wants(row, UP) || wants(row, REMOVE),
    mustStop: (_dma: DmaApi, row: NetRow) => !wants(row, UP) || wants(row, RESET | RESIZE | REMOVE),
    wantsReset: (_dma: DmaApi, row: NetRow) => wants(row, RESET),
    wantsResize: (_dma: DmaApi, row: NetRow) => wants(row, RESIZE),
  };
  const onOtherNode = (_dma: DmaApi, row: NetRow) => row.origNode !== KEPT;
  return {
    actions: {
      ...actions,
      ...(net.channels ? { noteChannels } : {}),
      ...(net.onVectorNode ? { useDeviceNode } : {}),
    },
    guards: { ...guards, ...(net.onVectorNode ? { onOtherNode } : {}) },
  };
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
