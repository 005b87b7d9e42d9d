/**
 * Requests for DMA memory as a recording has them, once its events are joined.
 *
 * Plain data for the replay: times in ns as recorded, counts in pages of the recording machine.
 */

/** One call of cma_alloc() within a request. */
export interface CmaAttempt {
  readonly area: string;
  /** Pages. */
  readonly count: number;
  /** Order. */
  readonly align: number;
  readonly start: number;
  /** NaN while cma_alloc() has not returned, or when its return was not recorded. */
  end: number;
  /** First page; -1 when it failed or its return was not recorded. */
  pfn: number;
  /** 0, or negative as the kernel prints it (-12, -16; -1 where the release prints none). */
  errno: number;
  /** Given back within the call: the device's mask does not reach it. */
  givenBack: boolean;
  /** Free pages of the area before the call; -1 where the release does not print it. */
  readonly available: number;
  /** Size of the area in pages; -1 where the release does not print it. */
  readonly total: number;
  /** Ranges that were busy and were passed over. */
  busyRetries: number;
}

export interface DmaRequest {
  /** Order of completion in the recording, from 0. */
  readonly id: number;
  /** `dma_alloc` and the like; `cma_alloc` for a call without a DMA request around it. */
  readonly api: string;
  /** Empty for the kernel's own pools. */
  readonly device: string;
  /** dev_to_node(); undefined when no list of devices was given, -1 when the device has none. */
  readonly node: number | undefined;
  /** Bytes as asked. */
  readonly size: number;
  /** GFP flags as printed: names, or a number where the tracer did not decode them. */
  readonly gfp: string;
  /** DMA_ATTR_*, as printed. */
  readonly attrs: string;
  readonly pid: number;
  readonly cpu: number;
  readonly task: string;
  /** First event of the request: the first attempt's start, or the completion itself. */
  readonly start: number;
  readonly end: number;
  /** In the order they were made; empty when CMA was not asked. */
  readonly attempts: readonly CmaAttempt[];
  /** The area that served it, `buddy` for anything else that did, `refused` when nothing did. */
  readonly source: string;
  /** First page in the area that served it, -1 for `buddy` and `refused`. */
  readonly pfn: number;
  /** As the device sees it; -1 when the recording does not say. */
  readonly dmaAddr: number;
  /** 1-based line at which it completed, and the input, counted from 0. */
  readonly line: number;
  readonly file: number;
}

export interface DmaFree {
  /**
   * The request it ends, or null: it was allocated before the recording began, or its line was
   * lost.
   */
  readonly request: DmaRequest | null;
  readonly device: string;
  readonly size: number;
  readonly dmaAddr: number;
  readonly time: number;
  readonly pid: number;
  readonly cpu: number;
  /** Set once cma_release() of the same task says so, later than the free itself; else empty. */
  area: string;
  /** -1 when not known. */
  pfn: number;
  /** Pages in the area; 0 when it came from no area. */
  count: number;
  /** Time of that cma_release(); NaN without one. */
  released: number;
}

/**
 * Memory that must have been live when the recording began, as its free proves: the device is empty
 * and the size -1 when only the area is known.
 */
export type LiveBefore = Pick<DmaFree, 'device' | 'area' | 'pfn' | 'count' | 'size' | 'dmaAddr'> & {
  readonly freed: number;
};

/** A cma_release() without a DMA call around it: the kernel's own user gives pages back. */
export interface CmaRelease {
  readonly area: string;
  readonly pfn: number;
  /** Pages. */
  readonly count: number;
  readonly time: number;
  readonly pid: number;
  readonly cpu: number;
}

/** Receiver of requests as they complete; everything is optional. */
export interface RequestSink {
  alloc?(request: DmaRequest): void;
  /** Called when the task has moved on from the free, so that area and pfn are known. */
  free?(free: DmaFree): void;
  release?(release: CmaRelease): void;
}

/** Attempts without a DMA call around them, as a request; at least one. */
export function poolRequest(
  attempts: readonly CmaAttempt[],
  known: { id: number; pid: number; pageSize: number; file: number },
): DmaRequest {
  const { pageSize, ...rest } = known;
  const last = attempts[attempts.length - 1];
  // Given back or not, it was served: without a DMA call nobody's mask refused the pages.
  return {
    ...rest,
    api: 'cma_alloc',
    device: '',
    node: undefined,
    size: last.count * pageSize,
    gfp: '',
    attrs: '',
    cpu: -1,
    task: '',
    start: attempts[0].start,
    end: last.end,
    attempts,
    source: last.pfn >= 0 ? last.area : 'refused',
    pfn: last.pfn,
    dmaAddr: -1,
    line: 0,
  };
}

/** Proof of memory that was live before, by a free without a request. */
export function liveBefore(free: Omit<LiveBefore, 'freed'> & { time: number }): LiveBefore {
  const { device, area, pfn, count, size, dmaAddr, time } = free;
  return { device, area, pfn, count, size, dmaAddr, freed: time };
}
