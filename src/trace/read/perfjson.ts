/**
 * Reads `perf data convert --to-json`: an array of samples, each with its event's raw fields.
 *
 * perf writes no event name (seen in 6.1): it is told from the fields present, which do tell the
 * events of dma, cma, iommu and kmem apart, except allocations of pages from coherent ones. pfn
 * says 0x.
 */
import { ABSENT, type Names, TraceEvent, type TraceSink } from './event.js';
import { storeField } from './fields.js';
import { type JsonSink, JsonWalker } from './json.js';
import { Tally } from './tally.js';

/** Fields that must be there, and the event they mean; the first row that fits wins. */
const signatures: readonly (readonly [fields: readonly string[], event: string])[] = [
  [['name', 'request_count'], 'cma_alloc_start'],
  [['name', 'pfn', 'count', 'align', 'errorno'], 'cma_alloc_finish'],
  [['name', 'pfn', 'count', 'align'], 'cma_alloc_busy_retry'],
  [['name', 'pfn', 'count'], 'cma_release'],
  [['name', 'count', 'align'], 'cma_alloc_start'],
  [['pfn', 'count', 'align'], 'cma_alloc'],
  [['pfn', 'count'], 'cma_release'],
  [['device', 'virt_addr', 'size', 'flags'], 'dma_alloc'],
  [['device', 'virt_addr', 'size'], 'dma_free'],
  [['device', 'phys_addrs', 'dma_addrs'], 'dma_map_sg'],
  [['device', 'phys_addrs', 'size'], 'dma_alloc_sgt'],
  [['device', 'phys_addrs'], 'dma_unmap_sg'],
  [['device', 'phys_addr', 'dma_addr', 'size'], 'dma_map_phys'],
  [['device', 'addr', 'size', 'attrs'], 'dma_unmap_phys'],
  [['device', 'dma_addr', 'size'], 'dma_sync_single_for_cpu'],
  [['iova', 'paddr', 'size'], 'map'],
  [['iova', 'size', 'unmapped_size'], 'unmap'],
  [['gid', 'device'], 'add_device_to_group'],
  [['pfn', 'order', 'gfp_flags'], 'mm_page_alloc'],
  [['pfn', 'order', 'percpu_refill'], 'mm_page_alloc_zone_locked'],
  [['pfn', 'order', 'migratetype'], 'mm_page_pcpu_drain'],
  [['pfn', 'order'], 'mm_page_free'],
  [['nr_succeeded', 'nr_failed'], 'mm_migrate_pages'],
  [['start_pfn', 'end_pfn', 'fin_pfn'], 'test_pages_isolated'],
  [['device'], 'attach_device_to_domain'],
];

export class PerfJsonReader implements JsonSink {
  readonly tally = new Tally();
  readonly #event: TraceEvent;
  readonly #sink: TraceSink;
  readonly #walker = new JsonWalker(this);
  readonly #fields = new Map<string, string>();
  readonly #nameOf = new Map<string, string>();
  #key = '';
  #samples = 0;

  constructor(names: Names, sink: TraceSink) {
    this.#event = new TraceEvent(names);
    this.#sink = sink;
  }

  /** Throws JsonSyntaxError. */
  push(chunk: Uint8Array): void {
    this.tally.bytes += chunk.length;
    this.#walker.push(chunk);
  }

  end(): Tally {
    this.tally.lines = this.#walker.line;
    this.tally.format = this.#samples > 0 ? 'perf data convert, JSON' : 'JSON without samples';
    this.tally.guessedNames = this.tally.events > 0;
    this.tally.cutOff = !this.#walker.complete;
    return this.tally;
  }

  wants(depth: number): boolean {
    return depth === 1 || (this.#samples > 0 && depth === this.#samples + 1);
  }

  key(depth: number, text: string): void {
    if (depth === 1 || depth === this.#samples + 1) this.#key = text;
  }

  value(depth: number, text: string): void {
    // A sample's own fields; a damaged file may hold any number of them.
    if (this.#samples > 0 && depth === this.#samples + 1 && this.#fields.size < 64) {
      this.#fields.set(this.#key, text);
    }
  }

  open(depth: number, bracket: string): void {
    if (depth === 2 && bracket === '[' && this.#key === 'samples') this.#samples = depth;
    else if (this.#samples > 0 && depth === this.#samples + 1) this.#fields.clear();
  }

  close(depth: number): void {
    if (this.#samples > 0 && depth === this.#samples + 1) this.#sample();
    else if (depth === this.#samples) this.#samples = -1;
  }

  #sample(): void {
    const fields = this.#fields;
    const signature = [...fields.keys()].join(' ');
    let name = fields.get('event')?.replace(/^.*:/, '') ?? this.#nameOf.get(signature);
    if (name === undefined) {
      name = signatures.find(([needed]) => needed.every((field) => fields.has(field)))?.[1] ?? '';
      if (this.#nameOf.size < 1_024) this.#nameOf.set(signature, name);
    }
    if (name === '' || !fields.has('timestamp')) {
      this.tally.unrecognised++;
      this.tally.firstUnrecognised ??= {
        line: this.#walker.line,
        column: 1,
        text: `a sample with the fields ${signature.slice(0, 80)}`,
      };
      return;
    }
    this.#emit(name);
  }

  #emit(name: string): void {
    const event = this.#event;
    event.clear();
    event.line = this.#walker.line;
    event.name = event.names.events.idOf(name);
    event.kind = event.names.kind(event.name);
    event.time = numberOf(this.#fields, 'timestamp');
    event.pid = numberOf(this.#fields, 'tid');
    event.tgid = numberOf(this.#fields, 'pid');
    event.cpu = numberOf(this.#fields, 'cpu');
    const comm = Buffer.from(this.#fields.get('comm') ?? '', 'latin1');
    event.bytes = comm;
    event.commStart = 0;
    event.commEnd = comm.length;
    for (const [key, value] of this.#fields) storeField(event, key, value);
    this.tally.count(event.name, event.time);
    this.#sink.event(event);
  }
}

function numberOf(fields: ReadonlyMap<string, string>, key: string): number {
  const value = Number(fields.get(key) ?? Number.NaN);
  return Number.isFinite(value) ? value : ABSENT;
}
