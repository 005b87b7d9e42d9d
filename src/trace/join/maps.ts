/**
 * Matches dma_map_* to dma_unmap_*: what is mapped, and what was before the recording began.
 *
 * The key of a mapping is (device, DMA address) while it lives. A scatterlist's unmap names no DMA
 * address, so lists are known by their first page. A kprobe on dma_map_page_attrs() does not see
 * the address: the page the IOMMU maps for the same task next is its result.
 */
import { ABSENT, type TraceEvent } from '../read/event.js';
import { LiveMaps } from './livemaps.js';
import { type OpenProbe, openProbe } from './tasks.js';

/** Tasks whose probed map waits for its address; without an IOMMU none comes. */
const WAITING_MAX = 1 << 12;

export class MapBook {
  readonly pages = new LiveMaps();
  readonly lists = new LiveMaps();
  /** Unmaps that ended a mapping of the recording, and the sum of their lifetimes in its clock. */
  matched = 0;
  lifetime = 0;
  /** Unmaps of what was mapped before the recording began, or whose map was lost. */
  unmatched = 0;
  /** Maps of what was mapped already: no unmap is recorded where it would do nothing. */
  remapped = 0;
  readonly #waiting = new Map<number, OpenProbe>();

  /** Mappings that are live. */
  get live(): number {
    return this.pages.count + this.lists.count;
  }

  get forgotten(): number {
    return this.pages.forgotten + this.lists.forgotten;
  }

  map(event: TraceEvent): void {
    if (event.dmaAddr >= 0) this.#add(this.pages, event.device, event.dmaAddr, event.time);
    else if (event.probe !== ABSENT) {
      if (this.#waiting.size >= WAITING_MAX) this.#waiting.clear();
      this.#waiting.set(event.pid, openProbe(event));
    }
  }

  #add(table: LiveMaps, device: number, address: number, time: number) {
    if (!table.add(device, address, time)) this.remapped++;
  }

  unmap(event: TraceEvent, pageSize: number): void {
    const address =
      event.probe === ABSENT ? event.dmaAddr : Math.floor(event.dmaAddr / pageSize) * pageSize;
    this.#remove(this.pages, event, address);
  }

  #remove(table: LiveMaps, event: TraceEvent, address: number): void {
    const mapped = table.remove(event.device, address);
    if (mapped === undefined) {
      this.unmatched++;
      return;
    }
    this.matched++;
    this.lifetime += event.time - mapped;
  }

  mapSg(event: TraceEvent): void {
    this.#add(this.lists, event.device, event.physAddr, event.time);
  }

  unmapSg(event: TraceEvent): void {
    this.#remove(this.lists, event, event.physAddr);
  }

  /** iommu:map within a probed call. */
  iommuMap(event: TraceEvent, pageSize: number): void {
    if (this.#waiting.size === 0) return;
    const probe = this.#waiting.get(event.pid);
    if (probe === undefined) return;
    this.#waiting.delete(event.pid);
    this.#add(
      this.pages,
      probe.device,
      Math.floor(event.dmaAddr / pageSize) * pageSize,
      probe.time,
    );
  }
}
