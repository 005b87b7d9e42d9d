/**
 * Memory that is allocated at this point of a recording, and what must have been when it began.
 *
 * Keyed as the kernel's own calls are: a coherent allocation by (device, DMA address), pages of an
 * area by their first pfn. Bounded: a recording filtered to allocations only forgets its oldest.
 */
import { LiveTable } from './liveTable.js';
import type { DmaRequest, LiveBefore } from './request.js';

const LIVE_MAX = 1 << 18;
/** Memory live before the recording that is listed one by one; the rest is only counted. */
const LISTED_MAX = 10_000;

/** State of an area before its first cma_alloc_start (releases that print available_count). */
export interface AreaAtStart {
  /** Pages; -1 when the release does not print it. */
  readonly total: number;
  /** Pages in use before the first recorded request; -1 when the release does not print it. */
  readonly used: number;
  readonly time: number;
}

/** Pages that an area has handed out. */
interface Claim {
  readonly area: string;
  readonly pfn: number;
  readonly count: number;
  readonly time: number;
}

export class LiveMemory {
  readonly #requests = new LiveTable<number, DmaRequest>(LIVE_MAX);
  readonly #claims = new LiveTable<string, Claim>(LIVE_MAX);
  readonly areasAtStart = new Map<string, AreaAtStart>();
  readonly before: LiveBefore[] = [];
  /** All of it, listed or not. */
  beforeCount = 0;

  get requestsLive(): number {
    return this.#requests.size;
  }

  /** Live requests, oldest first per device. */
  requests(): Iterable<DmaRequest> {
    return this.#requests.values();
  }

  /** Pages that areas have handed out since the recording began. */
  claims(): Iterable<Claim> {
    return this.#claims.values();
  }

  areaSeen(area: string, available: number, total: number, time: number): void {
    if (this.areasAtStart.has(area)) return;
    let used = -1;
    if (available >= 0 && total >= 0) {
      used = total - available;
      for (const { count } of this.#claims.of(area)) used -= count;
    }
    this.areasAtStart.set(area, { total, used, time });
  }

  /** An allocation over an address that was live takes its place: the free was not recorded. */
  allocated(device: number, address: number, request: DmaRequest): void {
    this.#requests.remove(device, address);
    this.#requests.add(device, address, request);
  }

  /** The request a free ends; null when it is not known. */
  freed(device: number, address: number): DmaRequest | null {
    return this.#requests.remove(device, address) ?? null;
  }

  claim(claim: Claim): void {
    this.#claims.add(claim.area, claim.pfn, claim);
  }

  /** Gives pages back; false when they were not handed out within the recording. */
  release(area: string, pfn: number, count: number): boolean {
    const known = this.#claims.remove(area, pfn);
    if (known === undefined) return false;
    // Parts of a range may be given back; the rest stays.
    const rest = known.count - count;
    if (rest > 0) this.claim({ ...known, pfn: pfn + count, count: rest });
    return true;
  }

  provedBefore(what: LiveBefore): void {
    this.beforeCount++;
    if (this.before.length < LISTED_MAX) this.before.push(what);
  }
}
