/**
 * Counts of one phase of a recording, per device and per area.
 *
 * Counted as the summaries beside the recordings count: `events` with the markers people wrote, the
 * bytes of a scatterlist as the sum of its printed entries, an area's peak and net from zero at the
 * phase's start.
 */
import { ABSENT, kinds, type TraceEvent } from '../read/event.js';

export interface DeviceCounts {
  alloc_calls: number;
  alloc_bytes: number;
  free_calls: number;
  free_bytes: number;
  map_calls: number;
  map_bytes: number;
  unmap_calls: number;
  /** Calls per size in bytes. */
  alloc_sizes: Map<number, number>;
  /** Calls per area that served them. */
  from_area: Map<string, number>;
  /** Allocations that returned no memory. */
  alloc_failed: number;
  /** dma_map_sg_err and dma_alloc_sgt_err. */
  errors: number;
  sync_calls: number;
}

export interface AreaCounts {
  ok: number;
  ok_pages: number;
  failed: number;
  failed_pages: number;
  released: number;
  released_pages: number;
  peak_delta_pages: number;
  net_pages: number;
  busy_retries: number;
}

/** A damaged file may print any number of sizes; what is beyond goes under size -1. */
const SIZES_MAX = 4_096;

function deviceCounts(): DeviceCounts {
  return {
    alloc_calls: 0,
    alloc_bytes: 0,
    free_calls: 0,
    free_bytes: 0,
    map_calls: 0,
    map_bytes: 0,
    unmap_calls: 0,
    alloc_sizes: new Map(),
    from_area: new Map(),
    alloc_failed: 0,
    errors: 0,
    sync_calls: 0,
  };
}

function areaCounts(): AreaCounts {
  return {
    ok: 0,
    ok_pages: 0,
    failed: 0,
    failed_pages: 0,
    released: 0,
    released_pages: 0,
    peak_delta_pages: 0,
    net_pages: 0,
    busy_retries: 0,
  };
}

export class Phase {
  events = 0;
  first = Number.NaN;
  last = Number.NaN;
  /** In the order of their first call; ids of Names.devices. */
  readonly devices = new Map<number, DeviceCounts>();
  readonly areas = new Map<number, AreaCounts>();
  /**
   * Kprobes only: maps and unmaps per place of the probe. The summary beside the 6.1 recording
   * takes the place for the device, as it reads no `dev=`.
   */
  readonly places = new Map<number, DeviceCounts>();

  device(id: number): DeviceCounts {
    let counts = this.devices.get(id);
    if (counts === undefined) {
      counts = deviceCounts();
      this.devices.set(id, counts);
    }
    return counts;
  }

  area(id: number): AreaCounts {
    let counts = this.areas.get(id);
    if (counts === undefined) {
      counts = areaCounts();
      this.areas.set(id, counts);
    }
    return counts;
  }

  /** Counts one event; requests are counted apart, once it is known which area served them. */
  count(event: TraceEvent): void {
    if (this.events++ === 0) this.first = event.time;
    this.last = event.time;
    const kind = event.kind;
    if (event.probe !== ABSENT) this.#place(event);
    if (event.device !== ABSENT && kind >= kinds.dmaAlloc && kind <= kinds.dmaError) {
      this.#dma(event, this.device(event.device), kind);
    } else if (event.area !== ABSENT) this.#cma(event, kind);
  }

  #dma(event: TraceEvent, device: DeviceCounts, kind: number): void {
    const bytes = event.size > 0 ? event.size : 0;
    switch (kind) {
      case kinds.dmaMap:
      case kinds.dmaMapSg:
        device.map_calls++;
        device.map_bytes += bytes;
        break;
      case kinds.dmaUnmap:
      case kinds.dmaUnmapSg:
        device.unmap_calls++;
        break;
      case kinds.dmaAlloc:
        device.alloc_calls++;
        device.alloc_bytes += bytes;
        this.#size(device, bytes);
        break;
      case kinds.dmaFree:
        device.free_calls++;
        device.free_bytes += bytes;
        break;
      case kinds.dmaError:
        device.errors++;
        break;
      case kinds.dmaSync:
        device.sync_calls++;
        break;
    }
  }

  #size(device: DeviceCounts, bytes: number): void {
    const sizes = device.alloc_sizes;
    const key = sizes.size < SIZES_MAX || sizes.has(bytes) ? bytes : -1;
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }

  #cma(event: TraceEvent, kind: number): void {
    const pages = Math.max(event.count, 0);
    if (kind === kinds.cmaAllocFinish || kind === kinds.cmaAlloc) {
      const area = this.area(event.area);
      if (cmaFailed(event)) {
        area.failed++;
        area.failed_pages += pages;
        return;
      }
      area.ok++;
      area.ok_pages += pages;
      area.net_pages += pages;
      if (area.net_pages > area.peak_delta_pages) area.peak_delta_pages = area.net_pages;
    } else if (kind === kinds.cmaRelease) {
      const area = this.area(event.area);
      area.released++;
      area.released_pages += pages;
      area.net_pages -= pages;
    } else if (kind === kinds.cmaBusyRetry) this.area(event.area).busy_retries++;
  }

  #place(event: TraceEvent): void {
    let counts = this.places.get(event.probe);
    if (counts === undefined) {
      counts = deviceCounts();
      this.places.set(event.probe, counts);
    }
    if (event.kind === kinds.dmaMap) {
      counts.map_calls++;
      counts.map_bytes += Math.max(event.size, 0);
    } else if (event.kind === kinds.dmaUnmap) counts.unmap_calls++;
  }
}

/**
 * Whether cma_alloc() came back empty. 6.2 and later print errorno; before, pfn is -1, and 5.13 to
 * 6.1 print pfn 0 or -1.
 */
export function cmaFailed(event: TraceEvent): boolean {
  if (event.errno !== 1) return event.errno !== 0;
  return event.pfn <= 0 || event.pfn >= 2 ** 52;
}
