/**
 * A CPU that maps and unmaps memory of devices behind one SMMU, and issues its commands.
 *
 * Models iommu_dma_map_page(), __iommu_dma_unmap() with strict invalidation, and the flush queue of
 * iova.c with lazy; the commands themselves are issueCmdlist.ts. It comes with an SMMU, which tells
 * it where the queue lies. Left out: the depot of IOVA magazines, page tables that two CPUs write,
 * interrupts; the timer of the flush queue is one per CPU here, one per domain there.
 */
import { counter, histogram } from '../../../sim/statistics.js';
import { type DeviceRow, defineDevice, type Field } from '../../model.js';
import { whole } from '../../parts/keys.js';
import { isOn, sets } from '../../parts/words.js';
import * as cmdlist from './issueCmdlist.js';
import * as memory from './smmuMemory.js';

const cmdSync = histogram('cmd_sync_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'CMD_SYNC, from its store to the CPU that has seen it complete.',
});
const dmaUnmap = histogram('dma_unmap_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'One unmap: page table, TLB invalidation and CMD_SYNC, or its place in a flush queue.',
});
const mapUnmap = histogram('map_unmap_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'One map and unmap of one CPU; its rate is the inverse.',
});
const cpus = counter('smmu_cpus', {
  unit: '1',
  class: 'exact',
  help: 'CPUs that issue commands to an SMMU.',
});

/** What of an SMMU's keys its CPUs go by. */
const own = {
  range_inv: true,
  cmdq: true,
  invalidation: true,
  sync_count: true,
  sync_interval: true,
  unmap_pages: true,
  map_time: true,
  unmap_time: true,
  retry_time: true,
  mmio_time: true,
  fq_size: true,
  fq_timeout: true,
} as const;
const config = memory.config
  .pick(own)
  .extend({ index: whole(0, 1023, 0).describe('Number of the CPU among those of its SMMU.') });

/** The CPU number `index` of an SMMU. */
export function cpuConfig(c: memory.Config, index: number): unknown {
  const keys = Object.entries(c).filter(([key]) => key in own);
  return { ...Object.fromEntries(keys), index };
}

const state = [
  ...cmdlist.cmdlistState,
  // Jobs still to be done; `jobNs` is -1 for an unmap without its map.
  'jobs',
  'pages',
  'purpose',
  'jobNs',
  'unmapNs',
  'queued',
  'fills',
  'timedOut',
  'stopping',
] as const;
type CpuRow = DeviceRow<Field<typeof config, (typeof state)[number]>>;

/** Position of `strict` among the values of `invalidation`. */
const STRICT = 0;
/** What commands are issued for. */
const FOR_SYNC = 0;
const FOR_UNMAP = 1;
const FOR_ROOM = 2;
const FOR_TIMER = 3;

function issue(row: CpuRow, purpose: number, commands: number): void {
  row.purpose = purpose;
  cmdlist.beginLists(row, commands);
}

const machine = {
  id: 'smmu-cpu',
  initial: 'off',
  on: { STOP: { actions: 'noteStop' }, FQ_TIMEOUT: { actions: 'noteTimeout' } },
  states: {
    off: { on: { READY: { target: 'idle', actions: 'join' } } },
    idle: {
      initial: 'resting',
      on: {
        SYNC: { target: 'issuing', actions: ['takeSync', 'sync'] },
        UNMAP: { target: 'unmapping', actions: 'takeUnmap' },
        STOP: { target: '.resting', actions: 'noteStop' },
        FQ_TIMEOUT: { target: '.resting', actions: 'noteTimeout' },
      },
      states: {
        resting: {
          always: [
            { guard: 'stopping', target: '#smmu-cpu.stopped' },
            { guard: 'timedOut', target: '#smmu-cpu.issuing', actions: 'flush' },
            { guard: 'jobAtOnce', target: '#smmu-cpu.working', actions: 'takeJob' },
            { guard: 'hasJobs', target: 'pausing' },
          ],
        },
        pausing: { after: { interval: { target: '#smmu-cpu.working', actions: 'takeJob' } } },
      },
    },
    working: {
      always: [{ guard: 'syncOnly', target: 'issuing', actions: 'sync' }, { target: 'mapping' }],
    },
    mapping: { after: { mapTime: 'unmapping' } },
    unmapping: {
      entry: 'beginUnmap',
      after: {
        unmapTime: [
          { guard: 'isStrict', target: 'issuing', actions: 'invalidate' },
          { guard: 'queueIsFull', target: 'issuing', actions: 'flush' },
          { target: 'queueing' },
        ],
      },
    },
    queueing: { entry: ['queueIova', 'recordUnmap'], always: 'idle' },
    issuing: cmdlist.states('smmu-cpu', '#smmu-cpu.issued'),
    issued: {
      always: [
        { guard: 'wasSync', target: 'idle', actions: 'recordSync' },
        { guard: 'wasUnmap', target: 'idle', actions: 'recordUnmap' },
        { guard: 'wasForRoom', target: 'queueing' },
        { target: 'idle' },
      ],
    },
    stopped: { entry: 'tellStopped' },
  },
};

export const smmuCpu = defineDevice({
  kind: 'smmu-cpu',
  summary: 'A CPU that issues commands to an SMMU; smmuv3 brings as many as its `cpus` says',
  config,
  state,
  machine,
  actions: {
    ...cmdlist.actions,
    join(dma, row, n) {
      row.queueNid = n[0];
      row.entries = n[1];
      row.listMax = cmdlist.listMax(row, n[2]);
      dma.record(cpus, 1);
    },
    noteStop: sets('stopping', 1),
    tellStopped: (dma) => dma.send(0, 'STOPPED', 0),
    takeJob(dma, row) {
      row.jobs--;
      row.pages = row.unmap_pages;
      row.jobNs = dma.now();
    },
    takeSync: sets('pages', 0),
    takeUnmap(_dma, row, n) {
      row.pages = n[0];
      row.jobNs = -1;
    },
    beginUnmap(dma, row) {
      row.unmapNs = dma.now();
    },
    sync: (_dma, row) => issue(row, FOR_SYNC, 0),
    invalidate(_dma, row) {
      issue(row, FOR_UNMAP, memory.tlbiCount(row.pages, row.range_inv === 1));
    },
    /** queue_iova(): the entry waits for a flush, at most for the timer. */
    queueIova(dma, row) {
      row.queued++;
      if (row.queued === 1) dma.after(row.fq_timeout, 'FQ_TIMEOUT', row.fills);
    },
    /** fq_flush_iotlb(): one command for the whole domain. */
    flush(_dma, row) {
      row.queued = 0;
      row.fills++;
      issue(row, row.timedOut === 1 ? FOR_TIMER : FOR_ROOM, 1);
      row.timedOut = 0;
    },
    noteTimeout(_dma, row, n) {
      if (n[0] === row.fills) row.timedOut = 1;
    },
    recordUnmap(dma, row) {
      dma.record(dmaUnmap, dma.now() - row.unmapNs);
      if (row.jobNs >= 0) dma.record(mapUnmap, dma.now() - row.jobNs);
    },
    recordSync: (dma, row) => dma.record(cmdSync, dma.now() - row.storeNs),
  },
  guards: {
    ...cmdlist.guards,
    stopping: isOn('stopping'),
    timedOut: isOn('timedOut'),
    jobAtOnce: (_dma, row) => row.jobs > 0 && row.sync_interval === 0,
    hasJobs: (_dma, row) => row.jobs > 0,
    syncOnly: (_dma, row) => row.pages === 0,
    isStrict: (_dma, row) => row.invalidation === STRICT,
    queueIsFull: (_dma, row) => row.queued >= row.fq_size,
    wasSync: (_dma, row) => row.purpose === FOR_SYNC,
    wasUnmap: (_dma, row) => row.purpose === FOR_UNMAP,
    wasForRoom: (_dma, row) => row.purpose === FOR_ROOM,
  },
  delays: {
    ...cmdlist.delays,
    interval: (_dma, row) => row.sync_interval,
    mapTime: (_dma, row) => row.map_time,
    unmapTime: (_dma, row) => row.unmap_time,
  },
  own: ['READY', 'SYNC', 'UNMAP', 'STOP', 'SYNCED', 'CONS', 'FQ_TIMEOUT'],
  statistics: [
    cmdSync,
    dmaUnmap,
    mapUnmap,
    cpus,
    cmdlist.roomTime,
    cmdlist.listTime,
    cmdlist.gathered,
    ...cmdlist.claims,
  ],
  memory: () => [],
  configure(row, c) {
    row.jobs = c.sync_count;
  },
});
