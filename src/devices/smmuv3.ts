/**
 * ARM SMMUv3: its queues and tables at probe, and what one command and its CMD_SYNC cost
 * afterwards.
 *
 * Models arm-smmu-v3.c: arm_smmu_init_one_queue() with its halving, arm_smmu_init_strtab_linear()
 * and _2lvl(), the L2 tables and context descriptors of its masters, arm_smmu_cmdq_issue_cmdlist()
 * of one CPU on an empty queue, and devres on failure and removal. The CPU that issues is on the
 * SMMU's own node. Left out: CPUs that compete for the queue, commands that overlap with the fetch
 * of those before them, page tables, the valid bitmap (slab), event and PRI traffic.
 */
import { setup } from 'xstate';
import { histogram } from '../sim/statistics.js';
import type { DmaApi } from './dma.js';
import { defineDevice, type Numbers, type Row, words } from './model.js';
import * as memory from './smmuMemory.js';
import { CMD_BYTES, type Config, EVENT_BYTES } from './smmuMemory.js';

const LINE_BYTES = 64;
const CMDQ_BATCH_ENTRIES = 64;
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

/** Bytes of what `handle` is to hold; for a queue as it was asked for last. */
function sizeOf(row: SmmuRow, handle: number): number {
  if (handle < STRTAB) return 2 ** row.shift * (handle === 1 ? EVENT_BYTES : CMD_BYTES);
  if (handle === STRTAB) return row.strtabBytes;
  if (handle < L2 + row.blocks) return memory.STRTAB_L2_BYTES;
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
  row.commands = memory.tlbiCount(pages, row.rangeInv === 1) + 1;
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
  config: memory.config,
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
  behindIommu: false,
  handles: (c) => L2 + memory.blocksOf(c) + 2 * c.masters,
  footprint: memory.footprint,
  parameters: memory.parameters,
  configure(row, c, kernel) {
    const cd = memory.cdBytes(c);
    row.pageSize = kernel.pageSize;
    row.cmdqShift = memory.queueShift(c.cmdqs, CMD_BYTES, kernel);
    row.evtqShift = memory.queueShift(c.eventqs, EVENT_BYTES, kernel);
    row.priqShift = memory.queueShift(c.priqs, CMD_BYTES, kernel);
    row.queues = c.pri ? 3 : 2;
    row.strtabBytes = memory.strtabBytes(c);
    row.blocks = memory.blocksOf(c);
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
