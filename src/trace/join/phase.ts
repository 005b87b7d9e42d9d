/**
 * Counts of one phase of a recording, per device and per area.
 *
 * Counted as the summaries beside the recordings count: `events` with the markers people wrote, the
 * bytes of a scatterlist as the sum of its printed entries, an area's peak and net from zero at the
 * phase's start.
 */
import { ABSENT, isDma, type TraceEvent } from '../read/event.js';

export class DeviceCounts {
  alloc_calls = 0;
  alloc_bytes = 0;
  free_calls = 0;
  free_bytes = 0;
  map_calls = 0;
  map_bytes = 0;
  unmap_calls = 0;
  /** Calls per size in bytes. */
  readonly alloc_sizes = new Map<number, number>();
  /** Calls per area that served them. */
  readonly from_area = new Map<string, number>();
  /** Allocations that returned no memory. */
  alloc_failed = 0;
  /** dma_map_sg_err and dma_alloc_sgt_err. */
  errors = 0;
  sync_calls = 0;
}

class AreaCounts {
  ok = 0;
  ok_pages = 0;
  failed = 0;
  failed_pages = 0;
  released = 0;
  released_pages = 0;
  peak_delta_pages = 0;
  net_pages = 0;
  busy_retries = 0;
}

/** A damaged file may print any number of sizes; what is beyond goes under size -1. */
const SIZES_MAX = 4_096;

/** Counts by the id of a name, in the order of their first event. */
class Counters<Counts> extends Map<number, Counts> {
  readonly #make: () => Counts;

  constructor(make: () => Counts) {
    super();
    this.#make = make;
  }

  of(id: number): Counts {
    const known = this.get(id);
    if (known !== undefined) return known;
    const made = this.#make();
    this.set(id, made);
    return made;
  }
}

export class Phase {
  events = 0;
  /** Keyed by ids of Names.devices. */
  readonly devices = new Counters(() => new DeviceCounts());
  readonly areas = new Counters(() => new AreaCounts());
  /**
   * Kprobes only: maps and unmaps per place of the probe. The summary beside the 6.1 recording
   * takes the place for the device, as it reads no `dev=`.
   */
  readonly places = new Counters(() => new DeviceCounts());

  /** Counts one event; requests are counted apart, once it is known which area served them. */
  count(event: TraceEvent): void {
    this.events++;
    if (event.probe !== ABSENT) this.#place(event);
    if (event.device !== ABSENT && isDma(event.kind)) {
      this.#dma(event, this.devices.of(event.device));
    } else if (event.area !== ABSENT) this.#cma(event);
  }

  #dma({ kind, size }: TraceEvent, device: DeviceCounts): void {
    const bytes = Math.max(size, 0);
    if (kind === 'dmaMap' || kind === 'dmaMapSg') {
      device.map_calls++;
      device.map_bytes += bytes;
    } else if (kind === 'dmaUnmap' || kind === 'dmaUnmapSg') device.unmap_calls++;
    else if (kind === 'dmaAlloc') {
      device.alloc_calls++;
      device.alloc_bytes += bytes;
      this.#size(device, bytes);
    } else if (kind === 'dmaFree') {
      device.free_calls++;
      device.free_bytes += bytes;
    } else if (kind === 'dmaError') device.errors++;
    else device.sync_calls++;
  }

  #size(device: DeviceCounts, bytes: number): void {
    const sizes = device.alloc_sizes;
    const key = sizes.size < SIZES_MAX || sizes.has(bytes) ? bytes : -1;
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }

  #cma(event: TraceEvent): void {
    const pages = Math.max(event.count, 0);
    switch (event.kind) {
      case 'cmaAllocFinish':
      case 'cmaAlloc': {
        const area = this.areas.of(event.area);
        if (cmaFailed(event)) {
          area.failed++;
          area.failed_pages += pages;
          break;
        }
        area.ok++;
        area.ok_pages += pages;
        area.net_pages += pages;
        area.peak_delta_pages = Math.max(area.peak_delta_pages, area.net_pages);
        break;
      }
      case 'cmaRelease': {
        const area = this.areas.of(event.area);
        area.released++;
        area.released_pages += pages;
        area.net_pages -= pages;
        break;
      }
      case 'cmaBusyRetry':
        this.areas.of(event.area).busy_retries++;
        break;
    }
  }

  #place(event: TraceEvent): void {
    const counts = this.places.of(event.probe);
    if (event.kind === 'dmaMap' || event.kind === 'dmaUnmap') this.#dma(event, counts);
  }
}

/**
 * Failure of a cma_alloc(). 6.2 and later print errorno; before, pfn is -1, and 5.13 to 6.1 print
 * pfn 0 or -1.
 */
export function cmaFailed(event: TraceEvent): boolean {
  if (event.errno !== 1) return event.errno !== 0;
  return event.pfn <= 0 || event.pfn >= 2 ** 52;
}
