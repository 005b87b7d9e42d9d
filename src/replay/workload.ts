/**
 * A recording as work to be done again: its requests and frees in the order in which they began.
 *
 * A request begins with its first cma_alloc(), because that is when its bits are claimed; one that
 * asks no area begins and ends with its event. Times stay as recorded.
 */

import type { AreaAtStart } from '../trace/join/livememory.js';
import { Reconstruction } from '../trace/join/reconstruct.js';
import type { CmaRelease, DmaFree, DmaRequest } from '../trace/join/request.js';
import { Names } from '../trace/read/event.js';
import { readTrace } from '../trace/read/read.js';
import type { Tally } from '../trace/read/tally.js';

/** An allocation of the recording begins. */
interface AllocStep {
  readonly kind: 'alloc';
  readonly time: number;
  readonly request: DmaRequest;
}

/** Pages go back: of a request of the recording, or of what was live before it. */
export interface FreeStep {
  readonly kind: 'free';
  readonly time: number;
  readonly pid: number;
  readonly cpu: number;
  /** Null: allocated before the recording began. */
  readonly request: DmaRequest | null;
  /** Empty for the kernel's own. */
  readonly device: string;
  /** Area that took the pages; empty when none is known to have. */
  readonly area: string;
  /** First page in the area, -1 when no area is known. */
  readonly pfn: number;
  /** Pages of the area; 0 when no area is known. */
  readonly count: number;
  /** Bytes; -1 when only pages are known. */
  readonly size: number;
  /** When cma_release() had ended. */
  readonly until: number;
}

export type Step = AllocStep | FreeStep;

export interface Workload {
  readonly files: readonly string[];
  /** In the order in which they began. */
  readonly steps: readonly Step[];
  /** Requests in `steps`. */
  readonly requests: number;
  readonly areasAtStart: ReadonlyMap<string, AreaAtStart>;
  readonly pageShift: number;
  /** `ticks`: times have no unit, only an order. */
  readonly clock: Tally['clock'];
  /** Gaps in the recording, whole files with overwritten beginnings included. */
  readonly gaps: number;
  /** What a reader must know of the recording, a sentence each. */
  readonly notes: readonly string[];
}

export interface WorkloadOptions {
  readonly pageShift?: number;
  readonly nodeOf?: (device: string) => number | undefined;
}

/** Reads files that are in the order of time, as one recording. @throws InputError */
export async function readWorkload(
  files: readonly string[],
  options: WorkloadOptions = {},
): Promise<Workload> {
  const names = new Names();
  const collector = new Collector();
  const reconstruction = new Reconstruction(names, { ...options, sink: collector });
  let gaps = 0;
  const clocks = new Set<Tally['clock']>();
  const notes: string[] = [];
  for (const file of files) {
    const tally = await readTrace(file, names, reconstruction);
    reconstruction.nextPhase();
    gaps += tally.lostMarkers + (tally.overwritten > 0 ? 1 : 0);
    clocks.add(tally.clock);
    if (tally.cutOff) notes.push(`${file}: breaks off before its end`);
    if (tally.lostMarkers > 0) notes.push(`${file}: ${tally.lostMarkers} gaps, events were lost`);
    if (tally.overwritten > 0) {
      notes.push(`${file}: its first ${tally.overwritten} events were overwritten`);
    }
  }
  if (reconstruction.restarts > 0) {
    notes.push('time goes back between files: they overlap, or are of different boots');
  }
  const steps = collector.steps();
  return {
    files,
    steps,
    requests: steps.filter(({ kind }) => kind === 'alloc').length,
    areasAtStart: reconstruction.memory.areasAtStart,
    pageShift: reconstruction.pageShift,
    clock: clocks.has('ticks') ? 'ticks' : ([...clocks][0] ?? 'seconds'),
    gaps,
    notes,
  };
}

/** Key of pages of an area that are live. */
const pageKey = (area: string, pfn: number): string => `${area} ${pfn}`;

class Collector {
  readonly #steps: Step[] = [];
  /** Pages that the kernel's own requests hold. */
  readonly #own = new Map<string, DmaRequest>();

  alloc(request: DmaRequest): void {
    // A call that returned nothing and tried nothing asked for nothing that could be repeated.
    if (request.size <= 0) return;
    const time = request.attempts[0]?.start ?? request.end;
    this.#steps.push({ kind: 'alloc', time, request });
    if (request.device === '' && request.pfn >= 0) {
      this.#own.set(pageKey(request.source, request.pfn), request);
    }
  }

  free(free: DmaFree): void {
    const { request, time, pid, cpu, device, area, pfn, count, size, released } = free;
    const until = Number.isNaN(released) ? time : released;
    const known = { request, device, area, pfn, count, size, until };
    this.#steps.push({ kind: 'free', time, pid, cpu, ...known });
  }

  release({ area, pfn, count, time, pid, cpu }: CmaRelease): void {
    const key = pageKey(area, pfn);
    const request = this.#own.get(key) ?? null;
    this.#own.delete(key);
    const known = { request, device: '', size: -1, until: time };
    this.#steps.push({ kind: 'free', time, pid, cpu, area, pfn, count, ...known });
  }

  /** By time; events of one time stamp in the order in which they were told. */
  steps(): Step[] {
    return this.#steps.sort((a, b) => a.time - b.time);
  }
}
