/**
 * Holds a replay against its recording, request by request, and names the reason of every
 * difference.
 *
 * Reasons come from the recording alone, not from how our run went: an area whose start is not
 * known, claims that overlap in time, pages that were busy, another kernel than the recorded one.
 * What has none of these is a disagreement of the model with the kernel.
 */
import type { AreaLayout, MemoryLayout } from '../mm/layout.js';
import type { Placement } from '../run/placement.js';
import type { CmaAttempt, DmaRequest } from '../trace/join/request.js';
import { AreaHistory, type Judged } from './areaHistory.js';
import type { AreaStart } from './areaStart.js';
import type { ReplayedDevice } from './traceRows.js';
import type { Workload } from './workload.js';

/** Why a request went elsewhere; `not explained` is the only one that speaks against the model. */
type Reason =
  | `other ${string}`
  | 'start state unknown'
  | 'concurrent claims'
  | 'busy pages'
  | 'follows an earlier difference'
  | 'device not described'
  | 'lost events'
  | 'other users of the buddy'
  | 'area not on this machine'
  | 'closed loop'
  | 'not explained';

/** Reasons for which --check does not fail: the recording does not say enough to judge. */
export const excused: ReadonlySet<string> = new Set([
  'start state unknown',
  'concurrent claims',
  'busy pages',
  'follows an earlier difference',
  'device not described',
  'lost events',
  'other users of the buddy',
  'closed loop',
]);

export interface RequestDifference {
  /** Position among the requests of the recording. */
  readonly index: number;
  readonly request: DmaRequest;
  /** `area`: another source; `pfn`: the same area, another page. */
  readonly kind: 'area' | 'pfn';
  readonly expected: { readonly source: string; readonly pfn: number };
  readonly actual: { readonly source: string; readonly pfn: number };
  readonly reason: Reason;
  /** One sentence with the particulars. */
  readonly because: string;
}

export interface RequestComparison {
  readonly requests: number;
  readonly areaEqual: number;
  /** Requests served by the same area whose start is known well enough to compare pages. */
  readonly pfnComparable: number;
  readonly pfnEqual: number;
  /** Of the comparable, those in areas whose start first fit had to complete. */
  readonly pfnInferred: number;
  readonly differences: readonly RequestDifference[];
  /** Ordinary pages: requests whose node the recording shows, and those for which it is ours. */
  readonly buddyNodes: { readonly compared: number; readonly equal: number };
}

export interface CompareInput {
  readonly workload: Workload;
  readonly layout: MemoryLayout;
  readonly start: readonly AreaStart[];
  readonly requests: readonly DmaRequest[];
  readonly placements: readonly Placement[];
  readonly devices: ReadonlyMap<string, ReplayedDevice>;
  /** What differs from the recorded server; empty: nothing. */
  readonly changed: readonly string[];
  /** Requests were issued in an order of their own. */
  readonly closedLoop: boolean;
  /** Node of an address, -1 when it is no memory. */
  readonly nodeOfPfn: (pfn: number) => number;
}

export function compareRequests(input: CompareInput): RequestComparison {
  return new Comparer(input).compare();
}

class Comparer {
  readonly #input: CompareInput;
  readonly #starts: ReadonlyMap<string, AreaStart>;
  readonly #areas: ReadonlyMap<string, AreaLayout>;
  readonly #judged = new Map<string, ReadonlyMap<CmaAttempt, Judged>>();
  /** Area -> first request that went differently there. */
  readonly #firstIn = new Map<string, number>();
  readonly #differences: RequestDifference[] = [];

  constructor(input: CompareInput) {
    this.#input = input;
    this.#starts = new Map(input.start.map((start) => [start.name, start]));
    this.#areas = new Map(
      input.layout.areas.filter(({ count }) => count > 0).map((area) => [area.name, area]),
    );
  }

  compare(): RequestComparison {
    const { requests, placements } = this.#input;
    let areaEqual = 0;
    let pfnComparable = 0;
    let pfnEqual = 0;
    let pfnInferred = 0;
    const buddy = { compared: 0, equal: 0 };
    requests.forEach((request, index) => {
      const placement = placements[index];
      if (request.source !== placement.source) {
        this.#differ(index, 'area');
        return;
      }
      areaEqual++;
      if (request.pfn < 0) this.#buddyNode(request, placement, buddy);
      else {
        const { knowledge } = this.#starts.get(request.source) ?? { knowledge: 'unknown' };
        // Other areas have other pages.
        if (knowledge === 'unknown' || this.#input.changed.length > 0) return;
        pfnComparable++;
        if (knowledge === 'inferred') pfnInferred++;
        if (request.pfn === placement.pfn) pfnEqual++;
        else this.#differ(index, 'pfn');
      }
    });
    const differences = this.#differences;
    const counts = { areaEqual, pfnComparable, pfnEqual, pfnInferred };
    return { requests: requests.length, ...counts, differences, buddyNodes: buddy };
  }

  #buddyNode(
    request: DmaRequest,
    { nid, source }: Placement,
    buddy: { compared: number; equal: number },
  ): void {
    const device = this.#input.devices.get(request.device);
    // A translated address is the IOMMU's, not the page's.
    if (source !== 'buddy' || device === undefined || device.translated) return;
    if (request.dmaAddr < 0) return;
    const node = this.#input.nodeOfPfn(Math.floor(request.dmaAddr / this.#pageSize));
    if (node < 0) return;
    buddy.compared++;
    if (node === nid) buddy.equal++;
  }

  get #pageSize(): number {
    return 2 ** this.#input.workload.pageShift;
  }

  #differ(index: number, kind: 'area' | 'pfn'): void {
    const request = this.#input.requests[index];
    const placement = this.#input.placements[index];
    const { reason, because } = this.#explain(request, placement, kind);
    for (const area of areasOf(request, placement)) {
      if (!this.#firstIn.has(area)) this.#firstIn.set(area, index);
    }
    this.#differences.push({
      index,
      request,
      kind,
      expected: { source: request.source, pfn: request.pfn },
      actual: { source: placement.source, pfn: placement.pfn },
      reason,
      because,
    });
  }

  #explain(request: DmaRequest, placement: Placement, kind: 'area' | 'pfn'): Explanation {
    const { changed, devices, workload } = this.#input;
    if (changed.length > 0) {
      const names = changed.join(' and ');
      return { reason: `other ${names}`, because: `the ${names} differs from the recorded one` };
    }
    if (this.#input.closedLoop) {
      const because = 'requests came as fast as they were served, not when the recording has them';
      return { reason: 'closed loop', because };
    }
    const fromAttempt = this.#attemptReason(request, placement);
    if (fromAttempt !== null) return fromAttempt;
    const involved = areasOf(request, placement);
    const unknown = involved.map((name) => this.#starts.get(name)).find(isUncertain);
    if (unknown !== undefined) {
      return { reason: 'start state unknown', because: `${unknown.name}: ${unknown.because}` };
    }
    const earlier = involved.map((name) => this.#firstIn.get(name)).find((i) => i !== undefined);
    if (earlier !== undefined) {
      const because = `request ${earlier} went elsewhere in the same area`;
      return { reason: 'follows an earlier difference', because };
    }
    const assumed = devices.get(request.device)?.assumed ?? '';
    if (kind === 'area' && assumed !== '') {
      return { reason: 'device not described', because: `${request.device}: assumed ${assumed}` };
    }
    if (workload.gaps > 0) {
      const because = `the recording has ${workload.gaps} gaps`;
      return { reason: 'lost events', because };
    }
    if (kind === 'area' && [request.source, placement.source].includes('refused')) {
      const because = 'how full and how broken up the zones were is not in the recording';
      return { reason: 'other users of the buddy', because };
    }
    return { reason: 'not explained', because: 'the recording gives no reason' };
  }

  /** What the attempts of the kernel say by themselves. */
  #attemptReason(request: DmaRequest, placement: Placement): Explanation | null {
    for (const attempt of request.attempts) {
      const missing = !this.#areas.has(attempt.area);
      if (missing) {
        const because = `${attempt.area} is none of its areas`;
        return { reason: 'area not on this machine', because };
      }
      const isOurs = placement.source === attempt.area;
      const isTheirs = request.source === attempt.area;
      if (!isOurs && !isTheirs && attempt.pfn < 0) continue;
      const judged = this.#judgedIn(attempt.area).get(attempt);
      if (judged === undefined) continue;
      const found = reasonOf(judged, this.#starts.get(attempt.area));
      if (found !== null) return found;
    }
    return null;
  }

  #judgedIn(name: string): ReadonlyMap<CmaAttempt, Judged> {
    let judged = this.#judged.get(name);
    if (judged === undefined) {
      const held = this.#starts.get(name)?.held ?? [];
      const history = new AreaHistory(this.#areas.get(name)!, this.#input.workload.steps, held);
      judged = new Map(history.judge().map((one) => [one.attempt, one]));
      this.#judged.set(name, judged);
    }
    return judged;
  }
}

interface Explanation {
  readonly reason: Reason;
  readonly because: string;
}

const hex = (pfn: number): string => `0x${pfn.toString(16)}`;

const isUncertain = (start: AreaStart | undefined): start is AreaStart =>
  start?.knowledge === 'unknown' || start?.knowledge === 'inferred';

function reasonOf({ verdict, attempt, passed }: Judged, start?: AreaStart): Explanation | null {
  const { area, busyRetries } = attempt;
  switch (verdict) {
    case 'concurrent': {
      const because = `claims or frees in ${area} overlap it in time: their order decides`;
      return { reason: 'concurrent claims', because };
    }
    case 'passed over': {
      if (busyRetries > 0) {
        const because = `${busyRetries} windows of ${area} were busy, first ${hex(passed)}`;
        return { reason: 'busy pages', because };
      }
      if (!isUncertain(start)) return null;
      const because = `the kernel passed over ${hex(passed)} of ${area}: ${start.because}`;
      return { reason: 'start state unknown', because };
    }
    case 'taken': {
      const because = `${hex(attempt.pfn)} of ${area} was held by somebody as far as is recorded`;
      return { reason: 'lost events', because };
    }
    default:
      return null;
  }
}

/** Areas that have to do with a difference. */
function areasOf(request: DmaRequest, placement: Placement): string[] {
  const names = [request.source, placement.source, ...request.attempts.map(({ area }) => area)];
  return [...new Set(names)].filter((name) => name !== 'buddy' && name !== 'refused');
}
