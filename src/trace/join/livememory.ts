/**
 * What is allocated at this point of a recording, and what must have been when it began.
 *
 * Keyed as the kernel's own calls are: a coherent allocation by (device, DMA address), pages of an
 * area by their first pfn. Bounded: a recording filtered to allocations only forgets its oldest.
 */
import type { DmaRequest, LiveBefore } from './request.js';

export type { LiveBefore } from './request.js';

const LIVE_MAX = 1 << 18;
/** What is listed by name of the memory live before the recording; the rest is only counted. */
const LISTED_MAX = 10_000;

/** What the first cma_alloc_start of an area says (releases that print available_count). */
export interface AreaAtStart {
  /** Pages; -1 when the release does not print it. */
  readonly total: number;
  /** Pages in use before the first recorded request; -1 when the release does not print it. */
  readonly used: number;
  readonly time: number;
}

export class LiveMemory {
  readonly #requests = new Map<number, Map<number, DmaRequest>>();
  #live = 0;
  readonly #pages = new Map<string, Map<number, { count: number; time: number }>>();
  #claims = 0;
  readonly areasAtStart = new Map<string, AreaAtStart>();
  readonly before: LiveBefore[] = [];
  /** All of it, listed or not. */
  beforeCount = 0;
  /** Allocations over an address that was live: its free was not recorded. */
  replaced = 0;
  forgotten = 0;

  get requestsLive(): number {
    return this.#live;
  }

  /** Live requests, oldest first per device. */
  *requests(): Generator<DmaRequest> {
    for (const perDevice of this.#requests.values()) yield* perDevice.values();
  }

  /** Pages an area has handed out since the recording began. */
  *claims(): Generator<{ area: string; pfn: number; count: number; time: number }> {
    for (const [area, ranges] of this.#pages) {
      for (const [pfn, { count, time }] of ranges) yield { area, pfn, count, time };
    }
  }

  areaSeen(area: string, available: number, total: number, time: number): void {
    if (this.areasAtStart.has(area)) return;
    const used = available >= 0 && total >= 0 ? total - available - this.#claimed(area) : -1;
    this.areasAtStart.set(area, { total, used, time });
  }

  #claimed(area: string): number {
    let pages = 0;
    for (const { count } of this.#pages.get(area)?.values() ?? []) pages += count;
    return pages;
  }

  allocated(device: number, address: number, request: DmaRequest): void {
    let perDevice = this.#requests.get(device);
    if (perDevice === undefined) {
      perDevice = new Map();
      this.#requests.set(device, perDevice);
    }
    if (perDevice.delete(address)) {
      this.replaced++;
      this.#live--;
    }
    if (this.#live >= LIVE_MAX) this.#forget();
    perDevice.set(address, request);
    this.#live++;
  }

  #forget(): void {
    for (const perDevice of this.#requests.values()) {
      for (const address of perDevice.keys()) {
        perDevice.delete(address);
        this.#live--;
        this.forgotten++;
        return;
      }
    }
  }

  /** The request a free ends; null when it is not known. */
  freed(device: number, address: number): DmaRequest | null {
    const perDevice = this.#requests.get(device);
    const request = perDevice?.get(address);
    if (perDevice === undefined || request === undefined) return null;
    perDevice.delete(address);
    this.#live--;
    return request;
  }

  claim(area: string, pfn: number, count: number, time: number): void {
    let ranges = this.#pages.get(area);
    if (ranges === undefined) {
      ranges = new Map();
      this.#pages.set(area, ranges);
    }
    if (!ranges.has(pfn)) this.#claims++;
    ranges.set(pfn, { count, time });
    if (this.#claims > LIVE_MAX) {
      for (const oldest of ranges.keys()) {
        ranges.delete(oldest);
        this.#claims--;
        this.forgotten++;
        break;
      }
    }
  }

  /** Whether the pages were handed out within the recording. */
  release(area: string, pfn: number, count: number): boolean {
    const ranges = this.#pages.get(area);
    const known = ranges?.get(pfn);
    if (ranges === undefined || known === undefined) return false;
    ranges.delete(pfn);
    this.#claims--;
    // Parts of a range may be given back; the rest stays.
    if (count < known.count) this.claim(area, pfn + count, known.count - count, known.time);
    return true;
  }

  provedBefore(what: LiveBefore): void {
    this.beforeCount++;
    if (this.before.length < LISTED_MAX) this.before.push(what);
  }
}
