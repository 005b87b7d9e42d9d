/**
 * One event of a recording, whatever text it was printed in: the record every reader fills.
 *
 * Models include/trace/events/{cma,dma,iommu,kmem,migrate,page_isolation,compaction}.h of 6.1 to
 * 7.2 under all their names. One record is reused for every line, so a sink copies what it keeps.
 * Left out: fields no reconstruction asks for (struct page pointers, directions of lists).
 */
import { Interner, ownText } from './intern.js';

/** Event names of every release, and the functions probes are put on, by what they mean. */
const eventNames = [
  // Text somebody wrote into the trace.
  ['marker', ['tracing_mark_write', 'print']],
  ['dmaAlloc', ['dma_alloc', 'dma_alloc_pages', 'dma_alloc_sgt']],
  ['dmaFree', ['dma_free', 'dma_free_pages', 'dma_free_sgt']],
  ['dmaMap', ['dma_map_page', 'dma_map_phys', 'dma_map_resource']],
  ['dmaUnmap', ['dma_unmap_page', 'dma_unmap_phys', 'dma_unmap_resource']],
  ['dmaMapSg', ['dma_map_sg']],
  ['dmaUnmapSg', ['dma_unmap_sg']],
  ['dmaSync', ['dma_sync_single_for_cpu', 'dma_sync_single_for_device']],
  ['dmaSync', ['dma_sync_sg_for_cpu', 'dma_sync_sg_for_device']],
  ['dmaError', ['dma_map_sg_err', 'dma_alloc_sgt_err']],
  ['cmaAllocStart', ['cma_alloc_start']],
  ['cmaAllocFinish', ['cma_alloc_finish']],
  ['cmaBusyRetry', ['cma_alloc_busy_retry']],
  // The single event of 4.1 to 5.12, at the end of cma_alloc().
  ['cmaAlloc', ['cma_alloc']],
  ['cmaRelease', ['cma_release']],
  ['iommuMap', ['map']],
  // Read, and of no use for a request.
  ['unused', ['unmap', 'io_page_fault']],
  ['unused', ['add_device_to_group', 'remove_device_from_group']],
  ['unused', ['attach_device_to_domain', 'detach_device_from_domain']],
  ['unused', ['mm_page_alloc', 'mm_page_free', 'mm_page_free_batched']],
  ['unused', ['mm_page_alloc_zone_locked', 'mm_page_pcpu_drain', 'mm_page_alloc_extfrag']],
  ['unused', ['mm_migrate_pages', 'mm_migrate_pages_start', 'mm_alloc_contig_migrate_range_info']],
  ['unused', ['test_pages_isolated', 'mm_compaction_begin', 'mm_compaction_end']],
  ['unused', ['mm_compaction_migratepages', 'mm_compaction_isolate_migratepages']],
  ['unused', ['mm_compaction_isolate_freepages', 'mm_compaction_finished']],
] as const;

/**
 * Meaning of an event, once names and releases are out of the way. The return probe of an
 * allocation is one of its own: the address is known only there.
 */
export type Kind = (typeof eventNames)[number][0] | 'probeAllocReturn' | 'other';

export const isDma = (kind: Kind): boolean => kind.startsWith('dma');
export const isCma = (kind: Kind): boolean => kind.startsWith('cma');

/** Functions of kernel/dma/mapping.c a kprobe stands on, where a kernel has no dma:* events. */
export const probedFunctions: ReadonlyMap<string, Kind> = new Map([
  ['dma_alloc_attrs', 'dmaAlloc'],
  ['dma_free_attrs', 'dmaFree'],
  ['dma_map_page_attrs', 'dmaMap'],
  ['dma_unmap_page_attrs', 'dmaUnmap'],
]);

/** Names, devices, areas and flags of one recording, each stored once. */
export class Names {
  /** Bounded, so that a damaged file cannot fill memory with names. */
  readonly events = new Interner(4_096);
  readonly devices = new Interner(65_536);
  readonly areas = new Interner(4_096);
  readonly words = new Interner(16_384);
  /** Kind per id of `events`. */
  readonly #kindOf: Kind[] = [];
  readonly #probeKinds: Kind[] = [];

  constructor() {
    for (const [kind, names] of eventNames) {
      for (const name of names) this.#kindOf[this.events.id(name)] = kind;
    }
  }

  kind(event: number): Kind {
    return this.#kindOf[event] ?? 'other';
  }

  /** Kind of a probe by its own name, which perf-tools and people derive from the function's. */
  probeKind(event: number): Kind {
    this.#probeKinds[event] ??= this.#kindOfProbe(this.events.text(event));
    return this.#probeKinds[event];
  }

  #kindOfProbe(name: string): Kind {
    const probed = name.replace(/(?:_ret|__return)$/, '');
    const kind = probedFunctions.get(probed) ?? 'other';
    return kind === 'dmaAlloc' && probed !== name ? 'probeAllocReturn' : kind;
  }
}

/** Value of a number that the line does not give. */
export const ABSENT = -1;

/** One event. Addresses above 2^53 lose low bits, except `virt`, which is kept in two halves. */
export class TraceEvent {
  readonly names: Names;
  kind: Kind = 'other';
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
  /** Ids in `names.words`: text as printed, names or a number. */
  gfp = ABSENT;
  attrs = ABSENT;
  /** Kprobes: the line is a probe's, and what stands in its brackets up to the first space. */
  probe = ABSENT;
  /** The task's name; `task()` gives one to keep. */
  comm = '';
  /** 1-based line of the input. */
  line = 0;

  constructor(names: Names = new Names()) {
    this.names = names;
  }

  /** Takes the event's name and forgets the fields of the line before; readers write the head. */
  begin(name: string): void {
    this.name = this.names.events.id(name);
    this.kind = this.names.kind(this.name);
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
    this.gfp = ABSENT;
    this.attrs = ABSENT;
    this.probe = ABSENT;
  }

  task(): string {
    return ownText(this.comm);
  }

  deviceName(): string {
    return this.names.devices.text(this.device);
  }

  areaName(): string {
    return this.names.areas.text(this.area);
  }

  eventName(): string {
    return this.names.events.text(this.name);
  }
}

/** Receiver of a recording's events. */
export interface TraceSink {
  /** `event` is valid during the call only. */
  event(event: TraceEvent): void;
  /** A gap: events were lost here. */
  lost(): void;
}
