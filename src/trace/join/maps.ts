/**
 * Matches dma_map_* to dma_unmap_*: what is mapped, and what was before the recording began.
 *
 * The key of a mapping is (device, DMA address) while it lives. A scatterlist's unmap names no DMA
 * address, so lists are known by their first page. A kprobe on dma_map_page_attrs() does not see
 * the address: the page the IOMMU maps for the same task next is its result.
 */
import { ABSENT, type TraceEvent } from '../read/event.js';
import { LiveTable } from './liveTable.js';

/** Mappings that are kept, by device and address. */
const LIVE_MAX = 1 << 19;

type Mappings = LiveTable<number, true>;

/** Tasks whose probed map waits for its address; without an IOMMU none comes. */
const WAITING_MAX = 1 << 12;

export class MapBook {
  readonly pages = new LiveTable<number, true>(LIVE_MAX);
  readonly lists = new LiveTable<number, true>(LIVE_MAX);
  /** Unmaps that ended a mapping of the recording. */
  matched = 0;
  /** Unmaps of what was mapped before the recording began, or whose map was lost. */
  unmatched = 0;
  /** Maps of what was mapped already: no unmap is recorded where it would do nothing. */
  remapped = 0;
  /** Device whose probed map waits for its address, by task. */
  readonly #waiting = new Map<number, number>();

  /** Mappings that are live. */
  get live(): number {
    return this.pages.size + this.lists.size;
  }

  get forgotten(): number {
    return this.pages.forgotten + this.lists.forgotten;
  }

  map(event: TraceEvent): void {
    if (event.dmaAddr >= 0) this.#add(this.pages, event.device, event.dmaAddr);
    else if (event.probe !== ABSENT) {
      if (this.#waiting.size >= WAITING_MAX) this.#waiting.clear();
      this.#waiting.set(event.pid, event.device);
    }
  }

  unmap(event: TraceEvent, pageSize: number): void {
    const { probe, dmaAddr } = event;
    const address = probe === ABSENT ? dmaAddr : pageOf(dmaAddr, pageSize);
    this.#remove(this.pages, event.device, address);
  }

  mapSg({ device, physAddr }: TraceEvent): void {
    this.#add(this.lists, device, physAddr);
  }

  unmapSg({ device, physAddr }: TraceEvent): void {
    this.#remove(this.lists, device, physAddr);
  }

  /** iommu:map within a probed call. */
  iommuMap({ pid, dmaAddr }: TraceEvent, pageSize: number): void {
    const device = this.#waiting.get(pid);
    if (device === undefined) return;
    this.#waiting.delete(pid);
    this.#add(this.pages, device, pageOf(dmaAddr, pageSize));
  }

  #add(table: Mappings, device: number, address: number): void {
    if (!table.add(device, address, true)) this.remapped++;
  }

  #remove(table: Mappings, device: number, address: number): void {
    if (table.remove(device, address)) this.matched++;
    else this.unmatched++;
  }
}

function pageOf(address: number, pageSize: number): number {
  return Math.floor(address / pageSize) * pageSize;
}
