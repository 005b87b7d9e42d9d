/**
 * What an SMMUv3 needs to be told, and the memory its driver asks for in return.
 *
 * Models the sizes of arm-smmu-v3.c: arm_smmu_init_queues(), arm_smmu_init_strtab(), context
 * descriptors, and how many commands __arm_smmu_tlb_inv_range() issues. Left out: page tables.
 */
import { z } from 'zod';
import type { DeviceEnvironment, MemoryList } from '../../memory.js';
import type { DeviceParameter } from '../../model.js';
import { flag, oneOf, time, whole } from '../../parts/keys.js';

export const CMD_BYTES = 16;
const EVENT_BYTES = 32;
const PRI_BYTES = 16;
const STE_BYTES = 64;
const CD_BYTES = 64;
const L1_DESC_BYTES = 8;
/** StreamIDs under one L1 entry of the stream table, as a power of two. */
const STRTAB_SPLIT = 8;
const STRTAB_L2_BYTES = STE_BYTES * 2 ** STRTAB_SPLIT;
const STRTAB_L1_ENTRIES_MAX = 2 ** 17;
const CD_LEAF_ENTRIES = 1024;
/** Largest number of chunks one TLBI of a range can name. */
const TLBI_RANGE_NUM_MAX = 31;

export const config = z.strictObject({
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
    'How a CPU sees that CMD_SYNC is done: msi, a word in the queue; sev, an event and a register.',
  ),
  cpus: whole(0, 1024, 1).describe('CPUs that issue commands to it.'),
  cpu_order: oneOf(['nearest', 'spread'], 'nearest').describe(
    'Which CPUs: nearest, those of its own node, then of the next; spread, one of every node in ' +
      'turn.',
  ),
  cmdq: oneOf(['cmpxchg', 'atomic-add'], 'cmpxchg').describe(
    'How a CPU takes room in the queue: cmpxchg, as merged in v5.4; atomic-add, as posted in 2020.',
  ),
  invalidation: oneOf(['strict', 'lazy'], 'strict').describe(
    'strict: every unmap waits for its CMD_SYNC; lazy: a flush queue per CPU, flushed as a whole.',
  ),
  sync_count: whole(0, 2 ** 31 - 1, 0).describe(
    'Jobs of each CPU once it is ready, one at a time.',
  ),
  sync_interval: time(1_000).describe('Time from the end of one job to the next.'),
  unmap_pages: whole(0, 2 ** 20, 0).describe(
    'What one job is: 0, a CMD_SYNC alone; else the map and the unmap of that many pages.',
  ),
  map_time: time(300).describe('dma_map_single() of a job: IOVA and page table, assumed.'),
  unmap_time: time(300).describe(
    'dma_unmap_single() without the invalidation: page table and IOVA, assumed.',
  ),
  retry_time: time(10).describe('From a cmpxchg() that failed to the next, assumed.'),
  mmio_time: time(60).describe(
    'A register of the SMMU read by a CPU of its node: when the queue seems full, assumed.',
  ),
  fq_size: whole(1, 65_536, 256).describe('Lazy only: entries of the flush queue of one CPU.'),
  fq_timeout: time(10_000_000).describe('Lazy only: longest time an entry waits for a flush.'),
  sync_time: time(30).describe('Time the SMMU takes to execute CMD_SYNC, calibrated.'),
  tlbi_time: time(10).describe('Time the SMMU takes to execute one TLBI, assumed.'),
  sev_time: time(17).describe(
    'SEV only: from the end of CMD_SYNC to the CPU that has read CONS, calibrated.',
  ),
});
export type Config = z.output<typeof config>;

/** log2 of the entries the driver asks for: Qmax keeps a queue within what CMA aligns naturally. */
export function queueShift(ids: number, entryBytes: number, kernel: DeviceEnvironment): number {
  const order = kernel.dmaCma ? kernel.cmaAlignment : kernel.maxPageOrder;
  return Math.min(ids, Math.log2(kernel.pageSize) + order - Math.log2(entryBytes));
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

/** The three queues, the stream table, L2 tables, then the context descriptors of each master. */
export function smmuMemory(c: Config, kernel: DeviceEnvironment): MemoryList {
  const queue = (ids: number, entry: number): number => 2 ** queueShift(ids, entry, kernel) * entry;
  const hasL2 = c.two_level && c.sid_bits > STRTAB_SPLIT;
  const cd = cdBytes(c);
  return [
    { purpose: 'command queue', bytes: queue(c.cmdqs, CMD_BYTES) },
    { purpose: 'event queue', bytes: queue(c.eventqs, EVENT_BYTES) },
    { purpose: 'PRI queue', bytes: c.pri ? queue(c.priqs, PRI_BYTES) : 0 },
    { purpose: 'stream table', bytes: strtabBytes(c) },
    { purpose: 'stream table, L2', bytes: STRTAB_L2_BYTES, count: hasL2 ? c.stream_blocks : 0 },
    {
      times: c.masters,
      each: [
        { purpose: 'context descriptors', bytes: cd.table },
        { purpose: 'context descriptors, leaf', bytes: cd.leaf },
      ],
    },
  ];
}

/** The numbers its times rest on, as this device has them. */
export function parameters(c: Config): DeviceParameter[] {
  const values: Readonly<Record<string, unknown>> = c;
  const of = (level: DeviceParameter['class'], sources: Readonly<Record<string, string>>) =>
    Object.entries(sources).map(([name, source]) => {
      return { name, value: Number(values[name]), unit: 'ns', class: level, source };
    });
  return [...of('calibrated', calibrated), ...of('assumed', assumed)];
}

const calibrated = {
  sync_time: 'CMD_SYNC on a local queue, 240 ns: 3.5 transfers and execution (June 2020 patch)',
  sev_time: 'MSI 280 against SEV 190 ns (Barry Song, 2020), with the queue on the other die',
};
const assumed = {
  tlbi_time: 'one TLBI in the SMMU; no measurement was found',
  map_time: 'IOVA from the CPU cache and one PTE; 200 and 400 ns move no rate by 5 %',
  unmap_time: 'one PTE and the IOVA back to the CPU cache, as map_time',
  retry_time: 'some 30 instructions between two cmpxchg(); 20 ns move no rate by 5 %',
  mmio_time: "a line's round trip on the die; asked for only when the queue seems full",
};
