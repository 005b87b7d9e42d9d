/**
 * The words of a NIC with rings: what its driver's actions and guards do to a row.
 *
 * Handles lie in two banks, so that ethtool -G can take new rings before it lets go of the old ones; an
 * exchange has one phase or two. The chart that uses the words is in netdev.ts. Left out: what is not
 * memory.
 */
import { histogram } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import type { Numbers, Row } from '../model.js';
import { askFrom, freeDown, sequenceActions, sequenceFields, sequenceGuards } from './sequence.js';
import { beginsBatch, trafficActions, trafficFields, trafficGuards } from './traffic.js';

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

export const fields = [
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
export type Field = (typeof fields)[number] | 'origNode';
type NetRow = Row<Field>;

export const UP = 1;
const RESET = 2;
const RESIZE = 4;
const REMOVE = 8;
/** numa_node is as it was found. */
export const KEPT = -2;

export const descriptorFetch = histogram('descriptor_fetch_ns', {
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
export const GROUPS = 3;

/** The words of a driver: what its actions and guards do to a row. */
export function vocabulary(net: Netdev) {
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
    if (handle < probe) return net.probe[handle].bytes;
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
      row.wantTx = ringSize(net.descNum, n[0]);
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
      dma.record(descriptorFetch, n[2]);
    },
  };
  const noteChannels = (_dma: DmaApi, row: NetRow, n: Numbers) => {
    row.wantQueues = Math.min(Math.max(1, n[0]), row.queuesMax);
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
