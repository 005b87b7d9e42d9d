/**
 * Reader of `perf data convert --to-json`: an array of samples, each with its event's raw fields.
 *
 * perf writes no event name (seen in 6.1): it is told from the fields present, which do tell the
 * events of dma, cma, iommu and kmem apart, except allocations of pages from coherent ones. pfn
 * says 0x.
 */
import { ABSENT, type Names, TraceEvent, type TraceSink } from './event.js';
import { storeField } from './fields.js';
import { type JsonObject, SampleScanner } from './json.js';
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

export class PerfJsonReader {
  readonly tally = new Tally();
  readonly #event: TraceEvent;
  readonly #sink: TraceSink;
  readonly #scanner = new SampleScanner((sample) => this.#sample(sample));
  readonly #decoder = new TextDecoder();

  constructor(names: Names, sink: TraceSink) {
    this.#event = new TraceEvent(names);
    this.#sink = sink;
  }

  /** Throws JsonSyntaxError. */
  push(chunk: Uint8Array): void {
    this.tally.bytes += chunk.length;
    this.#scanner.push(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): Tally {
    this.tally.lines = this.#scanner.line;
    this.tally.format = this.#scanner.found ? 'perf data convert, JSON' : 'JSON without samples';
    this.tally.guessedNames = this.tally.events > 0;
    this.tally.cutOff = !this.#scanner.done;
    return this.tally;
  }

  #sample(sample: JsonObject): void {
    const name = nameOf(sample);
    const { line } = this.#scanner;
    if (name === '' || !Object.hasOwn(sample, 'timestamp')) {
      const fields = Object.keys(sample).filter((key) => typeof sample[key] !== 'object');
      const text = `a sample with the fields ${fields.join(' ').slice(0, 80)}`;
      this.tally.unknown({ line, column: 1, text });
      return;
    }
    const event = this.#event;
    event.begin(name);
    event.time = numberOf(sample.timestamp);
    event.pid = numberOf(sample.tid);
    event.tgid = numberOf(sample.pid);
    event.cpu = numberOf(sample.cpu);
    event.comm = String(sample.comm ?? '');
    for (const [key, value] of Object.entries(sample)) {
      if (typeof value !== 'object') storeField(event, key, String(value));
    }
    this.tally.take(event, this.#sink, line);
  }
}

function nameOf(sample: JsonObject): string {
  if (typeof sample.event === 'string') return sample.event.replace(/^.*:/, '');
  const fits = ([needed]: (typeof signatures)[number]) =>
    needed.every((field) => Object.hasOwn(sample, field));
  return signatures.find(fits)?.[1] ?? '';
}

function numberOf(value: unknown): number {
  const number = Number(value ?? Number.NaN);
  return Number.isFinite(number) ? number : ABSENT;
}
