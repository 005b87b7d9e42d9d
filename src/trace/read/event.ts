/**
 * One event of a recording, whatever text it was printed in: the record every reader fills.
 *
 * Models include/trace/events/{cma,dma,iommu,kmem,migrate,page_isolation,compaction}.h of 6.1 to
 * 7.2 under all their names. One record is reused for every line, so a sink copies what it keeps.
 * Left out: fields no reconstruction asks for (struct page pointers, directions of lists).
 */
import { Interner, ownText } from './intern.js';

/** Meanings of an event, once names and releases are out of the way. */
export const kinds = {
  other: 0,
  /** tracing_mark_write: text somebody wrote into the trace. */
  marker: 1,
  dmaAlloc: 2,
  dmaFree: 3,
  dmaMap: 4,
  dmaUnmap: 5,
  dmaMapSg: 6,
  dmaUnmapSg: 7,
  dmaSync: 8,
  dmaError: 9,
  cmaAllocStart: 10,
  cmaAllocFinish: 11,
  cmaBusyRetry: 12,
  /** The single event of 4.1 to 5.12, at the end of cma_alloc(). */
  cmaAlloc: 13,
  cmaRelease: 14,
  iommuMap: 15,
  iommuUnmap: 16,
  iommuGroup: 17,
  iommuFault: 18,
  pageAlloc: 19,
  pageFree: 20,
  pageOther: 21,
  migrate: 22,
  isolate: 23,
  compact: 24,
  /** Return probe of an allocation: the address is known only here. */
  probeAllocReturn: 25,
} as const;

/** Event names of every release, and the functions probes are put on, by what they mean. */
const eventNames: Readonly<Record<number, readonly string[]>> = {
  [kinds.marker]: ['tracing_mark_write', 'print'],
  [kinds.dmaAlloc]: ['dma_alloc', 'dma_alloc_pages', 'dma_alloc_sgt'],
  [kinds.dmaFree]: ['dma_free', 'dma_free_pages', 'dma_free_sgt'],
  [kinds.dmaMap]: ['dma_map_page', 'dma_map_phys', 'dma_map_resource'],
  [kinds.dmaUnmap]: ['dma_unmap_page', 'dma_unmap_phys', 'dma_unmap_resource'],
  [kinds.dmaMapSg]: ['dma_map_sg'],
  [kinds.dmaUnmapSg]: ['dma_unmap_sg'],
  [kinds.dmaSync]: [
    'dma_sync_single_for_cpu',
    'dma_sync_single_for_device',
    'dma_sync_sg_for_cpu',
    'dma_sync_sg_for_device',
  ],
  [kinds.dmaError]: ['dma_map_sg_err', 'dma_alloc_sgt_err'],
  [kinds.cmaAllocStart]: ['cma_alloc_start'],
  [kinds.cmaAllocFinish]: ['cma_alloc_finish'],
  [kinds.cmaBusyRetry]: ['cma_alloc_busy_retry'],
  [kinds.cmaAlloc]: ['cma_alloc'],
  [kinds.cmaRelease]: ['cma_release'],
  [kinds.iommuMap]: ['map'],
  [kinds.iommuUnmap]: ['unmap'],
  [kinds.iommuGroup]: [
    'add_device_to_group',
    'remove_device_from_group',
    'attach_device_to_domain',
    'detach_device_from_domain',
  ],
  [kinds.iommuFault]: ['io_page_fault'],
  [kinds.pageAlloc]: ['mm_page_alloc'],
  [kinds.pageFree]: ['mm_page_free', 'mm_page_free_batched'],
  [kinds.pageOther]: [
    'mm_page_alloc_zone_locked',
    'mm_page_pcpu_drain',
    'mm_page_alloc_extfrag',
    'mm_alloc_contig_migrate_range_info',
  ],
  [kinds.migrate]: ['mm_migrate_pages', 'mm_migrate_pages_start'],
  [kinds.isolate]: ['test_pages_isolated'],
  [kinds.compact]: [
    'mm_compaction_begin',
    'mm_compaction_end',
    'mm_compaction_migratepages',
    'mm_compaction_isolate_migratepages',
    'mm_compaction_isolate_freepages',
    'mm_compaction_finished',
  ],
};

/** Functions of kernel/dma/mapping.c a kprobe stands on, where a kernel has no dma:* events. */
export const probedFunctions: ReadonlyMap<string, number> = new Map([
  ['dma_alloc_attrs', kinds.dmaAlloc],
  ['dma_free_attrs', kinds.dmaFree],
  ['dma_map_page_attrs', kinds.dmaMap],
  ['dma_unmap_page_attrs', kinds.dmaUnmap],
]);

/** Directions as enum dma_data_direction numbers them. */
export const directions: readonly string[] = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE', 'NONE'];

/** Names, devices, areas and flags of one recording, each stored once. */
export class Names {
  /** Bounded, so that a damaged file cannot fill memory with names. */
  readonly events = new Interner(4_096);
  readonly devices = new Interner(65_536);
  readonly areas = new Interner(4_096);
  readonly words = new Interner(16_384);
  /** Kind per id of `events`. */
  readonly #kindOf: number[] = [];
  readonly #probeKinds: number[] = [];

  constructor() {
    for (const [kind, names] of Object.entries(eventNames)) {
      for (const name of names) this.#kindOf[this.events.id(name)] = Number(kind);
    }
  }

  kind(event: number): number {
    return this.#kindOf[event] ?? kinds.other;
  }

  /** Kind of a probe by its own name, which perf-tools and people derive from the function's. */
  probeKind(event: number): number {
    const known = this.#probeKinds[event];
    if (known !== undefined) return known;
    const name = this.events.text(event);
    const returns = /(?:_ret|__return)$/.test(name);
    const kind = probedFunctions.get(name.replace(/(?:_ret|__return)$/, '')) ?? kinds.other;
    const meant = returns && kind === kinds.dmaAlloc ? kinds.probeAllocReturn : kind;
    this.#probeKinds[event] = meant;
    return meant;
  }
}

/** Value of a number that the line does not give. */
export const ABSENT = -1;

/** One event. Addresses above 2^53 lose low bits, except `virt`, which is kept in two halves. */
export class TraceEvent {
  readonly names: Names;
  kind: number = kinds.other;
  /** Id in `names.events`. */
  name = 0;
  /** Nanoseconds, or what the trace clock counts (`Clock`). */
  time = 0;
  cpu = ABSENT;
  /** The thread: a task cannot nest two DMA calls, so this is what events are joined on. */
  pid = ABSENT;
  tgid = ABSENT;
  /** Ids in `names.devices` and `names.areas`. */
  device = ABSENT;
  area = ABSENT;
  /** Bytes; for a list the sum. */
  size = ABSENT;
  dmaAddr = ABSENT;
  physAddr = ABSENT;
  virtHigh = ABSENT;
  virtLow = ABSENT;
  pfn = ABSENT;
  /** Pages. */
  count = ABSENT;
  available = ABSENT;
  total = ABSENT;
  /** Order. */
  align = ABSENT;
  /** As the kernel prints it: 0 or negative; 1 where the event has no such field. */
  errno = 1;
  order = ABSENT;
  migratetype = ABSENT;
  /** Index in `directions`. */
  direction = ABSENT;
  /** Ids in `names.words`: text as printed, names or a number. */
  gfp = ABSENT;
  attrs = ABSENT;
  unmappedSize = ABSENT;
  /** Entries of the lists of dma_map_sg and dma_unmap_sg that were printed. */
  entries = 0;
  truncated = false;
  /** Kprobes: the line is a probe's, and what stands in its brackets up to the first space. */
  probe = ABSENT;
  /** The task's name; `task()` gives one to keep. */
  comm = '';
  /** 1-based line of the input. */
  line = 0;

  constructor(names: Names = new Names()) {
    this.names = names;
  }

  /** Forgets the fields of the line before; the head is overwritten by every reader. */
  clear(): void {
    this.device = ABSENT;
    this.area = ABSENT;
    this.size = ABSENT;
    this.dmaAddr = ABSENT;
    this.physAddr = ABSENT;
    this.virtHigh = ABSENT;
    this.virtLow = ABSENT;
    this.pfn = ABSENT;
    this.count = ABSENT;
    this.available = ABSENT;
    this.total = ABSENT;
    this.align = ABSENT;
    this.errno = 1;
    this.order = ABSENT;
    this.migratetype = ABSENT;
    this.direction = ABSENT;
    this.gfp = ABSENT;
    this.attrs = ABSENT;
    this.unmappedSize = ABSENT;
    this.entries = 0;
    this.truncated = false;
    this.probe = ABSENT;
  }

  task(): string {
    return ownText(this.comm);
  }

  deviceName(): string {
    return this.device === ABSENT ? '' : this.names.devices.text(this.device);
  }

  areaName(): string {
    return this.area === ABSENT ? '' : this.names.areas.text(this.area);
  }

  eventName(): string {
    return this.names.events.text(this.name);
  }
}

/** Receiver of a recording's events. */
export interface TraceSink {
  /** `event` is valid during the call only. */
  event(event: TraceEvent): void;
  /** A gap: `events` were lost on `cpu` (0 when the tracer does not say how many). */
  lost(cpu: number, events: number): void;
}
