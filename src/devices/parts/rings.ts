/**
 * The words of a NIC with rings: what its driver's actions and guards do to a row.
 *
 * Handles lie in two banks, so that ethtool -G can take new rings before it lets go of the old
 * ones; an exchange has one phase or two. The chart that uses the words is in netdev.ts. Left out:
 * what is not memory.
 */
import type { z } from 'zod';
import type { DmaApi } from '../dmaApi.js';
import type { Allocation, DeviceEnvironment } from '../memory.js';
import type { DeviceRow, Numbers } from '../model.js';
import { lifeGuards, lifeNotes, openGuards, openNotes, REMOVE, RESET } from './life.js';
import { askFrom, freeDown } from './sequence.js';
import { beginsBatch } from './traffic.js';
import type { CommonField } from './trafficDevice.js';

/** What a driver says of its rings. Bytes are those of one allocation. */
export interface Netdev<Keys extends z.ZodRawShape = z.ZodRawShape> {
  readonly kind: string;
  readonly summary: string;
  /** Coherent allocations of the probe that are no rings; none unless given. */
  readonly probe?: readonly Allocation[];
  /** Whether rings live from probe to removal, or from up to down. */
  readonly ringsFrom: 'probe' | 'up';
  /** In which order ethtool -G exchanges them. */
  readonly exchange: 'all at once' | 'transmit, then receive';
  /** Whether ethtool -L exists; unless given it does not. */
  readonly channels?: boolean;
  /** Rings are asked for on the node of their vector's CPU, then on the device's (ixgbe). */
  readonly onVectorNode?: boolean;
  readonly txBytes: (descNum: number) => number;
  readonly rxBytes: (descNum: number) => number;
  /** Bytes of one receive descriptor, which is what a batch reads. */
  readonly rxDescBytes: number;
  readonly descNum: { readonly least: number; readonly most: number; readonly multiple: number };
  /** Descriptors of a batch unless the scenario says. */
  readonly batch: number;
  /** The driver's own keys, and how it reads them where the scenario leaves the choice to it. */
  readonly keys: Keys;
  queues(c: z.output<z.ZodObject<Keys>>, kernel: DeviceEnvironment): number;
  txNum(c: z.output<z.ZodObject<Keys>>, kernel: DeviceEnvironment): number;
  rxNum(c: z.output<z.ZodObject<Keys>>, kernel: DeviceEnvironment): number;
  /** Bytes behind one receive descriptor. */
  buffer(c: z.output<z.ZodObject<Keys>>, kernel: DeviceEnvironment): number;
}

export const ringState = [
  'queuesMax',
  'buffer',
  // Rings in use: queues, descriptors, and the bank they lie in, a bit per phase of an exchange.
  'inUse',
  'txNum',
  'rxNum',
  'banks',
  'phase',
  // What is asked for.
  'wants',
  'wantTx',
  'wantRx',
  'queues',
  // The queue whose turn it is in traffic.
  'queue',
] as const;
/** `origNode`: the device's own node while set_dev_node() is in force, for onVectorNode. */
export type RingState = (typeof ringState)[number] | 'origNode';
type NetRow = DeviceRow<RingState | CommonField | 'up' | 'batch'>;

/** Among what the row's `wants` says besides RESET and REMOVE. */
const RESIZE = 4;
/** numa_node is as it was found. */
export const KEPT = -2;

const wants = (row: NetRow, what: number): boolean => (row.wants & what) !== 0;
/** Bank of a phase's rings in use; the other one is free. */
const bankOf = (row: NetRow, phase: number): number => (row.banks >> phase) & 1;

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
export function vocabulary(net: Netdev) {
  const probes = net.probe ?? [];
  const probe = probes.length;
  const split = net.exchange === 'transmit, then receive';
  const phases = split ? 2 : 1;
  /** First handle of a phase's groups; phase `phases` is the end of the bank. */
  const first = (row: NetRow, bank: number, phase: number): number => {
    const group = phase === 0 ? TX : phase === phases ? GROUPS : RX;
    return probe + (bank * GROUPS + group) * row.queuesMax;
  };
  const groupOf = (row: NetRow, handle: number): number =>
    Math.floor((handle - probe) / row.queuesMax) % GROUPS;
  const sizeOf = (row: NetRow, handle: number): number => {
    if (handle < probe) return probes[handle].bytes;
    if ((handle - probe) % row.queuesMax >= row.queues) return 0;
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
  /** Frees the handles of the phase in `bank`. */
  const freePhase = (row: NetRow, bank: number): void =>
    freeDown(row, first(row, bank, row.phase), first(row, bank, row.phase + 1));
  const vectorNode = (dma: DmaApi, row: NetRow): number =>
    row.queues > 1 ? dma.localSpread((row.cursor - probe) % row.queuesMax) : dma.devToNode();
  const restoreNode = (dma: DmaApi, row: NetRow): void => {
    if (!net.onVectorNode || row.origNode === KEPT) return;
    dma.setDevNode(row.origNode);
    row.origNode = KEPT;
  };

  const actions = {
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
      if (net.onVectorNode && isRing) {
        row.origNode = dma.devToNode();
        dma.setDevNode(vectorNode(dma, row));
      }
      dma.alloc(row.cursor, bytes);
    },
    next: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      row.cursor++;
      skip(row);
    },
    useRings: (_dma: DmaApi, row: NetRow) => {
      row.txNum = row.wantTx;
      row.rxNum = row.wantRx;
      row.inUse = row.queues;
      row.queue = 0;
    },
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
      freePhase(row, old);
      row.phase++;
    },
    /** Refused: what the phase was given goes back, and the sizes stay. */
    undoPhase: (dma: DmaApi, row: NetRow) => {
      restoreNode(dma, row);
      freePhase(row, 1 - bankOf(row, row.phase));
      row.wantTx = row.txNum;
      row.wantRx = row.rxNum;
    },
    ...openNotes,
    ...lifeNotes,
    noteSize: (_dma: DmaApi, row: NetRow, n: Numbers) => {
      row.wantTx = ringSize(net.descNum, n[0]);
      row.wantRx = row.wantTx;
      row.wants |= RESIZE;
    },
    beginBatch: (dma: DmaApi, row: NetRow) => {
      const batch = Math.min(row.batch, row.rxNum);
      if (!beginsBatch(dma, row, Math.floor(row.rxNum / batch) * row.inUse)) return;
      const ring = first(row, bankOf(row, phases - 1), 0) + RX * row.queuesMax + row.queue;
      row.queue = (row.queue + 1) % row.inUse;
      dma.access(ring, batch * net.rxDescBytes, 1);
    },
  };
  const noteChannels = (_dma: DmaApi, row: NetRow, n: Numbers) => {
    row.queues = Math.min(Math.max(1, n[0]), row.queuesMax);
    row.wants |= RESET;
  };
  /** dma_alloc_coherent() on the vector's node failed: once more on the device's own. */
  const useDeviceNode = (dma: DmaApi, row: NetRow) => {
    restoreNode(dma, row);
    dma.alloc(row.cursor, sizeOf(row, row.cursor));
  };
  const guards = {
    ...openGuards,
    removing: lifeGuards.removing,
    mustGoDown: (_dma: DmaApi, row: NetRow) => row.up === 0 || wants(row, REMOVE),
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
