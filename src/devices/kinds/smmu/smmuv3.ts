/**
 * ARM SMMUv3: its queues and tables at probe, and the commands it consumes afterwards.
 *
 * Models arm-smmu-v3.c: arm_smmu_init_one_queue() with its halving, arm_smmu_init_strtab_linear()
 * and _2lvl(), the L2 tables and context descriptors of its masters, devres on failure and removal;
 * and the SMMU itself, which fetches the queue line by line, executes in order, and completes
 * CMD_SYNC by MSI or by event. The CPUs that issue are devices of their own (smmuCpu.ts). Left out:
 * commands that overlap with the fetch of those behind them, page tables, event and PRI traffic.
 */
import type { DmaApi } from '../../dmaApi.js';
import {
  CompanionError,
  type CompanionPlace,
  type DeviceRow,
  defineDevice,
  type Field,
} from '../../model.js';
import { freeDown, sequenceActions, sequenceGuards, sequenceState } from '../../parts/sequence.js';
import { isOn, sets } from '../../parts/words.js';
import { cpuConfig, smmuCpu } from './smmuCpu.js';
import * as memory from './smmuMemory.js';
import { CMD_BYTES, type Config } from './smmuMemory.js';

const LINE_BYTES = 64;
const LINE_CMDS = LINE_BYTES / CMD_BYTES;
/** The word the SMMU writes over a CMD_SYNC to say that it is done. */
const MSI_BYTES = 4;
/** What lies in a slot of the queue; a CMD_SYNC is SYNC and the number of its CPU. */
const EMPTY = 0;
const TLBI = 1;
const SYNC = 2;
/** Tag of the MSI, as its CPU sees it. */
const MSI = 1;

/** Position of `sev` among the values of `completion`. */
const SEV = 1;

const state = [
  'handles',
  'pageSize',
  ...sequenceState,
  // Bytes of the handle that is asked for: of a queue, as it was asked for last.
  'bytes',
  // Positions in the command queue count commands and do not wrap.
  'entries',
  'prod',
  'cons',
  'fetched',
  'stopped',
  'removing',
] as const;
type SmmuRow = DeviceRow<Field<typeof memory.config, (typeof state)[number]>>;

/** Handles of the command queue, and behind the three queues. */
const CMDQ = 0;
const STRTAB = 3;

/** The next handle that this SMMU uses, from `handle` on. */
function settleOn(dma: DmaApi, row: SmmuRow, handle: number): void {
  row.cursor = handle;
  while (row.cursor < row.handles && dma.bytes(row.cursor) === 0) row.cursor++;
  if (row.cursor < row.handles) row.bytes = dma.bytes(row.cursor);
}

/** Position behind the next CMD_SYNC of what has been fetched, or behind all of it. */
function nextSync(slots: Int32Array, row: SmmuRow): number {
  let at = row.cons;
  while (at < row.fetched && slots[at++ % row.entries] < SYNC);
  return at;
}

/** One CMD_SYNC has been executed: tells its CPU. */
function complete(dma: DmaApi, row: SmmuRow, cpu: number): void {
  if (row.completion === SEV) dma.send(cpu, 'SYNCED', row.sev_time);
  // A posted write over the command, and the read miss of the CPU that polls it.
  else dma.accessFor(cpu, CMDQ, MSI_BYTES, MSI);
}

const freeing = (done: string) => ({
  initial: 'freeing',
  states: {
    freeing: {
      entry: 'freeNext',
      always: { guard: 'nothingHeld', target: done },
      on: { FREED: { target: 'freeing', reenter: true } },
    },
  },
});

const machine = {
  id: 'smmuv3',
  initial: 'off',
  states: {
    off: { on: { START: 'probing' } },
    probing: {
      initial: 'asking',
      entry: 'beginProbe',
      // The driver core holds the device's lock: a removal waits until the probe has ended.
      on: { REMOVE: { actions: 'noteRemoval' } },
      states: {
        asking: {
          entry: 'allocate',
          on: {
            GRANTED: { target: 'deciding', actions: 'next' },
            REFUSED: [
              { guard: 'canHalve', target: 'asking', reenter: true, actions: 'halveQueue' },
              { target: '#smmuv3.unwinding' },
            ],
          },
        },
        deciding: {
          always: [
            { guard: 'hasMore', target: 'asking' },
            { guard: 'removing', target: '#smmuv3.removing' },
            '#smmuv3.ready',
          ],
        },
      },
    },
    ready: {
      initial: 'idle',
      entry: 'sendReady',
      on: {
        WROTE: { actions: 'noteWritten' },
        PROD: { actions: 'noteProd' },
        READ_CONS: { actions: 'answerCons' },
        SYNC: { actions: 'passSync' },
        UNMAP: { actions: 'passUnmap' },
        REMOVE: { actions: ['noteRemoval', 'sendStop'] },
        STOPPED: { actions: 'noteStopped' },
      },
      states: {
        idle: {
          always: [
            { guard: 'hasCommands', target: 'fetching' },
            { guard: 'allStopped', target: '#smmuv3.removing' },
          ],
        },
        fetching: { entry: 'fetchLine', on: { ACCESSED: 'executing' } },
        executing: {
          after: { execution: { target: 'deciding', actions: 'execute' } },
        },
        deciding: {
          always: [
            { guard: 'moreFetched', target: 'executing' },
            { guard: 'hasCommands', target: 'fetching' },
            { target: 'idle' },
          ],
        },
      },
    },
    unwinding: { entry: 'beginFree', ...freeing('#smmuv3.failed') },
    failed: { on: { START: 'probing', REMOVE: 'removed' } },
    removing: { entry: 'beginFree', ...freeing('#smmuv3.removed') },
    removed: { type: 'final' },
  },
};

export const smmuv3 = defineDevice({
  kind: 'smmuv3',
  summary: 'ARM SMMUv3: queues and tables at probe, CMD_SYNC and TLB invalidation afterwards',
  config: memory.config,
  state,
  machine,
  actions: {
    beginProbe(dma, row) {
      row.stop = row.handles;
      settleOn(dma, row, CMDQ);
    },
    allocate: (dma, row) => dma.alloc(row.cursor, row.bytes),
    halveQueue(_dma, row) {
      row.bytes /= 2;
    },
    next(dma, row) {
      if (row.cursor === CMDQ) row.entries = row.bytes / CMD_BYTES;
      settleOn(dma, row, row.cursor + 1);
    },
    /** devres lets go in reverse order. */
    beginFree: (_dma, row) => freeDown(row, 0, row.handles),
    freeNext: sequenceActions.freeNext,
    noteRemoval: sets('removing', 1),
    /** Tells its CPUs where the queue lies and how long it is. */
    sendReady(dma, row) {
      for (let cpu = 0; cpu < row.cpus; cpu++) {
        dma.send(cpu, 'READY', 0, dma.nodeOf(CMDQ), row.entries, row.cpus);
      }
    },
    passSync: (dma) => dma.send(0, 'SYNC', 0),
    passUnmap: (dma, _row, n) => dma.send(0, 'UNMAP', 0, n[0]),
    /**
     * The first CPU's stores have changed the queue; nothing may lie there that is not executed.
     */
    noteWritten(dma, row, n) {
      const [prod, commands, syncOf] = [n[0], n[1], n[2]];
      const slots = dma.slab();
      for (let i = 0; i < commands; i++) {
        const slot = (prod + i) % row.entries;
        if (slots[slot] !== EMPTY)
          throw new Error(`smmuv3: command ${prod + i} over one in the queue`);
        slots[slot] = syncOf > 0 && i === commands - 1 ? SYNC + syncOf - 1 : TLBI;
      }
    },
    noteProd(_dma, row, n) {
      if (n[0] <= row.prod) throw new Error(`smmuv3: PROD goes from ${row.prod} to ${n[0]}`);
      row.prod = n[0];
    },
    /** Any CPU may ask; its number is not needed, as the answer is for who waits for it. */
    answerCons: (dma, row, n) => dma.send(n[0], 'CONS', 0, row.cons),
    fetchLine(dma, row) {
      const lineEnd = (Math.floor(row.cons / LINE_CMDS) + 1) * LINE_CMDS;
      row.fetched = Math.min(row.prod, lineEnd);
      dma.access(CMDQ, LINE_BYTES, 1);
    },
    /** Executes up to the next CMD_SYNC, in the time that has passed. */
    execute(dma, row) {
      const slots = dma.slab();
      const end = nextSync(slots, row);
      while (row.cons < end) {
        const slot = row.cons % row.entries;
        const command = slots[slot];
        if (command === EMPTY) throw new Error(`smmuv3: nobody wrote command ${row.cons}`);
        slots[slot] = EMPTY;
        row.cons++;
        if (command >= SYNC) complete(dma, row, command - SYNC);
      }
    },
    sendStop(dma, row) {
      for (let cpu = 0; cpu < row.cpus; cpu++) dma.send(cpu, 'STOP', 0);
    },
    noteStopped(_dma, row) {
      row.stopped++;
    },
  },
  guards: {
    /** arm_smmu_init_one_queue() gives up once it has asked for less than a page. */
    canHalve: (_dma, row) => row.cursor < STRTAB && row.bytes >= row.pageSize,
    hasMore: sequenceGuards.hasMore,
    nothingHeld: sequenceGuards.allFreed,
    removing: isOn('removing'),
    hasCommands: (_dma, row) => row.cons < row.prod,
    moreFetched: (_dma, row) => row.cons < row.fetched,
    allStopped: (_dma, row) => row.removing === 1 && row.stopped === row.cpus,
  },
  delays: {
    execution(dma, row) {
      const slots = dma.slab();
      const end = nextSync(slots, row);
      const last = slots[(end - 1) % row.entries] >= SYNC ? row.sync_time : row.tlbi_time;
      return (end - row.cons - 1) * row.tlbi_time + last;
    },
  },
  own: ['WROTE', 'PROD', 'READ_CONS', 'STOPPED'],
  statistics: smmuCpu.statistics,
  timeline: {
    SYNC: { help: 'One of its CPUs issues a CMD_SYNC, if it is idle.', numbers: [] },
    UNMAP: { help: 'One of its CPUs unmaps that many pages, if it is idle.', numbers: ['pages'] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  behindIommu: false,
  memory: memory.smmuMemory,
  parameters: memory.parameters,
  configure(row, _c, { pageSize }) {
    row.pageSize = pageSize;
  },
  slab: (c, kernel) => 2 ** memory.queueShift(c.cmdqs, CMD_BYTES, kernel),
  companions: (c, place) =>
    cpuNodes(c, place).map((nid, index) => ({
      kind: smmuCpu.kind,
      nid,
      config: cpuConfig(c, index),
    })),
});

/** Nodes of the CPUs that issue, one entry each. */
function cpuNodes(c: Config, { cpus }: CompanionPlace): number[] {
  const free = cpus.map((node) => ({ ...node }));
  const chosen: number[] = [];
  for (let turn = 0; chosen.length < c.cpus && free.some((node) => node.cpus > 0); turn++) {
    const from = c.cpu_order === 'spread' ? turn % free.length : 0;
    const node =
      free.find((one, i) => i >= from && one.cpus > 0) ?? free.find((one) => one.cpus > 0)!;
    node.cpus--;
    chosen.push(node.nid);
  }
  if (chosen.length < c.cpus) {
    throw new CompanionError(
      'cpus',
      `${c.cpus}, expected at most ${chosen.length}: the machine has no more`,
    );
  }
  return chosen;
}
