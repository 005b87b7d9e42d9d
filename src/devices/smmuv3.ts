/**
 * ARM SMMUv3: its queues and tables at probe, and what one command and its CMD_SYNC cost afterwards.
 *
 * Models arm-smmu-v3.c: arm_smmu_init_one_queue() with its halving, arm_smmu_init_strtab_linear() and
 * _2lvl(), the L2 tables and context descriptors of its masters, arm_smmu_cmdq_issue_cmdlist() of one CPU on
 * an empty queue, and devres on failure and removal. The CPU that issues is on the SMMU's own node.
 * Left out: CPUs that compete for the queue, commands that overlap with the fetch of those before them, page
 * tables, the valid bitmap (slab), event and PRI traffic.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { histogram } from '../sim/statistics.js';
import type { DmaApi } from './dma.js';
import { flag, oneOf, time, whole } from './keys.js';
import {
  type DeviceEnvironment,
  defineDevice,
  type FootprintRow,
  type Numbers,
  type Row,
  words,
} from './model.js';

const CMD_BYTES = 16;
const CMDQ_BATCH_ENTRIES = 64;
const LINE_BYTES = 64;
const STE_BYTES = 64;
const CD_BYTES = 64;
const L1_DESC_BYTES = 8;
/** StreamIDs under one L1 entry of the stream table, as a power of two. */
const STRTAB_SPLIT = 8;
const STRTAB_L1_ENTRIES_MAX = 2 ** 17;
const CD_LEAF_ENTRIES = 1024;
/** Largest number of chunks one TLBI of a range can name. */
const TLBI_RANGE_NUM_MAX = 31;
/** The word the SMMU writes over a CMD_SYNC to say that it is done. */
const MSI_BYTES = 4;

const cmdSync = histogram('cmd_sync_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'CMD_SYNC on an empty queue, from issue to the CPU that has seen it complete.',
});
const dmaUnmap = histogram('dma_unmap_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'TLB invalidation of one strict unmap and its CMD_SYNC.',
});

const config = z.strictObject({
  cmdqs: whole(0, 19, 19).describe('IDR1.CMDQS: most commands the queue can hold, log2.'),
  eventqs: whole(0, 19, 19).describe('IDR1.EVENTQS: most events the queue can hold, log2.'),
  priqs: whole(0, 19, 19).describe('IDR1.PRIQS: most page requests the queue can hold, log2.'),
  pri: flag(true).describe('Whether it has a PRI queue.'),
  sid_bits: whole(0, 32, 16).describe('Width of a StreamID in bits.'),
  two_level: flag(true).describe('Whether the stream table may have two levels.'),
  stream_blocks: whole(0, 64, 0).describe(
    'Blocks of 256 StreamIDs with a master in them; each takes an L2 table of 16 KiB.',
  ),
  masters: whole(0, 64, 0).describe('Masters in translation; each takes context descriptors.'),
  ssid_bits: whole(0, 20, 0).describe('Width of a SubstreamID in bits; 0 without PASIDs.'),
  range_inv: flag(false).describe('Whether one TLBI can name a range of pages (SMMUv3.2).'),
  completion: oneOf(['msi', 'sev'], 'msi').describe(
    'How a CPU learns that CMD_SYNC is done: msi, a word in the queue; sev, an event and a register.',
  ),
  sync_count: whole(0, 2 ** 31 - 1, 0).describe('Jobs to issue once it is ready, one at a time.'),
  sync_interval: time(1_000).describe('Time from the end of one job to the next.'),
  unmap_pages: whole(0, 2 ** 20, 0).describe(
    'What one job is: 0, a CMD_SYNC alone; else a strict unmap of that many pages.',
  ),
  sync_time: time(30).describe('Time the SMMU takes to execute CMD_SYNC, calibrated.'),
  tlbi_time: time(10).describe('Time the SMMU takes to execute one TLBI, assumed.'),
  sev_time: time(17).describe(
    'SEV only: from the end of CMD_SYNC to the CPU that has read CONS, calibrated.',
  ),
});
type Config = z.output<typeof config>;

const fields = [
  // What the hardware and the kernel say.
  'pageSize',
  'cmdqShift',
  'evtqShift',
  'priqShift',
  'queues',
  'strtabBytes',
  'blocks',
  'masters',
  'cdBytes',
  'cdLeafBytes',
  'rangeInv',
  'sev',
  'jobs',
  'interval',
  'unmapPages',
  'syncTime',
  'tlbiTime',
  'sevTime',
  // Where it stands.
  'handle',
  'shift',
  'removing',
  'issuedNs',
  'pages',
  'commands',
  'batch',
  'lines',
] as const;
type SmmuRow = Row<(typeof fields)[number]>;

/** Handles: the queues, the stream table, L2 tables, then two per master (context descriptors). */
const CMDQ = 0;
const STRTAB = 3;
const L2 = 4;

/** log2 of the entries the driver asks for: Qmax keeps a queue within what CMA aligns naturally. */
export function queueShift(ids: number, entryShift: number, kernel: DeviceEnvironment): number {
  const order = kernel.dmaCma ? kernel.cmaAlignment : kernel.maxPageOrder;
  return Math.min(ids, Math.log2(kernel.pageSize) + order - entryShift);
}

/** Commands that invalidate `pages` pages: one each, or chunks of up to 31 << scale by range. */
export function tlbiCount(pages: number, byRange: boolean): number {
  if (!byRange) return pages;
  let commands = 0;
  for (let left = pages; left > 0; commands++) {
    const scale = 31 - Math.clz32(left & -left);
    left -= (Math.floor(left / 2 ** scale) & TLBI_RANGE_NUM_MAX) * 2 ** scale;
  }
  return commands;
}

function strtabBytes(c: Config): number {
  if (!c.two_level || c.sid_bits <= STRTAB_SPLIT) return STE_BYTES * 2 ** c.sid_bits;
  return L1_DESC_BYTES * Math.min(2 ** (c.sid_bits - STRTAB_SPLIT), STRTAB_L1_ENTRIES_MAX);
}

/** Bytes of one master's context descriptors: the table the STE points to, and a leaf below it. */
function cdBytes(c: Config): { table: number; leaf: number } {
  const entries = 2 ** c.ssid_bits;
  if (!c.two_level || entries <= CD_LEAF_ENTRIES) return { table: CD_BYTES * entries, leaf: 0 };
  return {
    table: L1_DESC_BYTES * Math.ceil(entries / CD_LEAF_ENTRIES),
    leaf: CD_BYTES * CD_LEAF_ENTRIES,
  };
}

const blocksOf = (c: Config): number =>
  c.two_level && c.sid_bits > STRTAB_SPLIT ? c.stream_blocks : 0;

function footprint(c: Config, kernel: DeviceEnvironment): FootprintRow[] {
  const cd = cdBytes(c);
  const rows: [purpose: string, bytes: number, count: number][] = [
    ['command queue', 2 ** queueShift(c.cmdqs, 4, kernel) * 16, 1],
    ['event queue', 2 ** queueShift(c.eventqs, 5, kernel) * 32, 1],
    ['PRI queue', 2 ** queueShift(c.priqs, 4, kernel) * 16, c.pri ? 1 : 0],
    ['stream table', strtabBytes(c), 1],
    ['stream table, L2', STE_BYTES * 2 ** STRTAB_SPLIT, blocksOf(c)],
    ['context descriptors', cd.table, c.masters],
    ['context descriptors, leaf', cd.leaf, cd.leaf > 0 ? c.masters : 0],
  ];
  return rows
    .filter(([, , count]) => count > 0)
    .map(([purpose, bytes, count]) => ({ purpose, bytes, count, cma: bytes > kernel.pageSize }));
}

/** Bytes of what `handle` is to hold; for a queue as it was asked for last. */
function sizeOf(row: SmmuRow, handle: number): number {
  if (handle < STRTAB) return 2 ** row.shift * (handle === 1 ? 32 : CMD_BYTES);
  if (handle === STRTAB) return row.strtabBytes;
  if (handle < L2 + row.blocks) return STE_BYTES * 2 ** STRTAB_SPLIT;
  return (handle - L2 - row.blocks) % 2 === 0 ? row.cdBytes : row.cdLeafBytes;
}

function handlesOf(row: SmmuRow): number {
  return L2 + row.blocks + 2 * row.masters;
}

/** The next handle that this SMMU uses, from `row.handle` on. */
function settleOn(row: SmmuRow, handle: number): void {
  row.handle = handle;
  if (row.handle === row.queues && row.handle < STRTAB) row.handle = STRTAB;
  while (row.handle < handlesOf(row) && row.handle >= STRTAB && sizeOf(row, row.handle) === 0) {
    row.handle++;
  }
  row.shift = row.handle === 0 ? row.cmdqShift : row.handle === 1 ? row.evtqShift : row.priqShift;
}

/** Issues the commands that invalidate `pages` pages, and a CMD_SYNC behind them. */
function beginJob(dma: DmaApi, row: SmmuRow, pages: number): void {
  row.pages = pages;
  row.commands = tlbiCount(pages, row.rangeInv === 1) + 1;
  row.batch = Math.min(row.commands, CMDQ_BATCH_ENTRIES);
  row.issuedNs = dma.now();
}

const actions = {
  beginProbe: (_dma: DmaApi, row: SmmuRow) => settleOn(row, CMDQ),
  allocate: (dma: DmaApi, row: SmmuRow) => dma.alloc(row.handle, sizeOf(row, row.handle)),
  halveQueue: (_dma: DmaApi, row: SmmuRow) => {
    row.shift--;
  },
  next: (_dma: DmaApi, row: SmmuRow) => settleOn(row, row.handle + 1),
  beginFree: (_dma: DmaApi, row: SmmuRow) => {
    row.handle = handlesOf(row) - 1;
  },
  /** devres lets go in reverse order. */
  freeNext: (dma: DmaApi, row: SmmuRow) => {
    while (row.handle >= 0 && !dma.free(row.handle)) row.handle--;
  },
  noteRemoval: (_dma: DmaApi, row: SmmuRow) => {
    row.removing = 1;
  },
  takeJob: (dma: DmaApi, row: SmmuRow) => {
    row.jobs--;
    beginJob(dma, row, row.unmapPages);
  },
  takeSync: (dma: DmaApi, row: SmmuRow) => beginJob(dma, row, 0),
  takeUnmap: (dma: DmaApi, row: SmmuRow, n: Numbers) => beginJob(dma, row, n[0]!),
  /** The stores of a batch, and the barrier that waits for the last of them. */
  storeBatch: (dma: DmaApi, row: SmmuRow) => {
    row.lines = Math.ceil((row.batch * CMD_BYTES) / LINE_BYTES);
    dma.access(CMDQ, row.batch * CMD_BYTES, 1);
  },
  fetchLine: (dma: DmaApi, row: SmmuRow) => {
    row.lines--;
    dma.access(CMDQ, LINE_BYTES, 1);
  },
  nextBatch: (_dma: DmaApi, row: SmmuRow) => {
    row.commands -= row.batch;
    row.batch = Math.min(row.commands, CMDQ_BATCH_ENTRIES);
  },
  /** The SMMU's posted write over the command, and the read miss of the CPU that polls it. */
  completeByMsi: (dma: DmaApi) => dma.access(CMDQ, MSI_BYTES, 2),
  recordJob: (dma: DmaApi, row: SmmuRow) => {
    dma.record(row.pages > 0 ? dmaUnmap : cmdSync, dma.now() - row.issuedNs);
  },
};

const guards = {
  /** arm_smmu_init_one_queue() gives up once it has asked for less than a page. */
  canHalve: (_dma: DmaApi, row: SmmuRow) =>
    row.handle < STRTAB && sizeOf(row, row.handle) >= row.pageSize,
  hasMore: (_dma: DmaApi, row: SmmuRow) => row.handle < handlesOf(row),
  nothingHeld: (_dma: DmaApi, row: SmmuRow) => row.handle < 0,
  removing: (_dma: DmaApi, row: SmmuRow) => row.removing === 1,
  hasJobs: (_dma: DmaApi, row: SmmuRow) => row.jobs > 0,
  moreLines: (_dma: DmaApi, row: SmmuRow) => row.lines > 0,
  moreBatches: (_dma: DmaApi, row: SmmuRow) => row.commands > row.batch,
  bySev: (_dma: DmaApi, row: SmmuRow) => row.sev === 1,
};

const delays = {
  interval: (_dma: DmaApi, row: SmmuRow) => row.interval,
  /** The last batch ends in the CMD_SYNC. */
  execution: (_dma: DmaApi, row: SmmuRow) =>
    row.commands > row.batch
      ? row.batch * row.tlbiTime
      : (row.batch - 1) * row.tlbiTime + row.syncTime,
  sevTime: (_dma: DmaApi, row: SmmuRow) => row.sevTime,
};

const smmu = setup(words(actions, guards, delays));

const freeing = (done: string) =>
  smmu.createStateConfig({
    initial: 'freeing',
    states: {
      freeing: {
        entry: 'freeNext',
        always: { guard: 'nothingHeld', target: done },
        on: { FREED: { target: 'freeing', reenter: true } },
      },
    },
  });

export const machine = smmu.createMachine({
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
        deciding: { always: [{ guard: 'hasMore', target: 'asking' }, '#smmuv3.ready'] },
      },
    },
    ready: {
      initial: 'idle',
      states: {
        idle: {
          initial: 'resting',
          on: {
            SYNC: { target: 'busy', actions: 'takeSync' },
            UNMAP: { target: 'busy', actions: 'takeUnmap' },
            REMOVE: '#smmuv3.removing',
          },
          states: {
            resting: {
              always: [
                { guard: 'removing', target: '#smmuv3.removing' },
                { guard: 'hasJobs', target: 'pausing' },
              ],
            },
            pausing: {
              after: { interval: { target: '#smmuv3.ready.busy', actions: 'takeJob' } },
            },
          },
        },
        busy: {
          initial: 'storing',
          on: { REMOVE: { actions: 'noteRemoval' } },
          states: {
            storing: { entry: 'storeBatch', on: { ACCESSED: 'fetching' } },
            fetching: {
              entry: 'fetchLine',
              on: {
                ACCESSED: [
                  { guard: 'moreLines', target: 'fetching', reenter: true },
                  { target: 'executing' },
                ],
              },
            },
            executing: {
              after: {
                execution: [
                  { guard: 'moreBatches', target: 'storing', actions: 'nextBatch' },
                  { guard: 'bySev', target: 'waking' },
                  { target: 'polling' },
                ],
              },
            },
            polling: { entry: 'completeByMsi', on: { ACCESSED: 'synced' } },
            waking: { after: { sevTime: 'synced' } },
            synced: { entry: 'recordJob', always: '#smmuv3.ready.idle' },
          },
        },
      },
    },
    unwinding: { entry: 'beginFree', ...freeing('#smmuv3.failed') },
    failed: { on: { START: 'probing', REMOVE: 'removed' } },
    removing: { entry: 'beginFree', ...freeing('#smmuv3.removed') },
    removed: { type: 'final' },
  },
});

export const smmuv3 = defineDevice<Config, (typeof fields)[number]>({
  kind: 'smmuv3',
  summary: 'ARM SMMUv3: queues and tables at probe, CMD_SYNC and TLB invalidation afterwards',
  config,
  fields,
  machine,
  actions,
  guards,
  delays,
  statistics: [cmdSync, dmaUnmap],
  timeline: {
    SYNC: { help: 'Issues one CMD_SYNC.', numbers: [] },
    UNMAP: { help: 'Unmaps that many pages, strictly.', numbers: ['pages'] },
    REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
  },
  handles: (c) => L2 + blocksOf(c) + 2 * c.masters,
  footprint,
  configure(row, c, kernel) {
    const cd = cdBytes(c);
    row.pageSize = kernel.pageSize;
    row.cmdqShift = queueShift(c.cmdqs, 4, kernel);
    row.evtqShift = queueShift(c.eventqs, 5, kernel);
    row.priqShift = queueShift(c.priqs, 4, kernel);
    row.queues = c.pri ? 3 : 2;
    row.strtabBytes = strtabBytes(c);
    row.blocks = blocksOf(c);
    row.masters = c.masters;
    row.cdBytes = cd.table;
    row.cdLeafBytes = cd.leaf;
    row.rangeInv = c.range_inv ? 1 : 0;
    row.sev = c.completion === 'sev' ? 1 : 0;
    row.jobs = c.sync_count;
    row.interval = c.sync_interval;
    row.unmapPages = c.unmap_pages;
    row.syncTime = c.sync_time;
    row.tlbiTime = c.tlbi_time;
    row.sevTime = c.sev_time;
  },
});
