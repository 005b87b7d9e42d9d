/**
 * Requests of a recorded trace as columns: what tasks asked for, when, and after what.
 *
 * replay/ fills them; traceReplayer.ts issues each at its time once
 * what it waits for has settled. What came of each is written to columns of the same length.
 */

export const timed = {
  code: 0,
  /** For frees: the row whose pages they give back. */
  target: 1,
  /** When it is issued, ns; 0 in a closed loop. */
  time: 2,
  /** Rows that must have settled before: of the same task, of the same device; -1 for none. */
  after: 3,
  afterToo: 4,
  /** Node of the CPU that runs the call. */
  cpuNode: 5,
  /** dev_to_node(), -1 for none. */
  devNode: 6,
  /** Index of dev->cma_area, or of the area of a raw cma_alloc(); -1 for none. */
  area: 7,
  /** Bytes; pages for a raw cma_alloc(). */
  size: 8,
  gfp: 9,
  /** Alignment order of a raw cma_alloc(). */
  align: 10,
  /** Bits of the coherent mask. */
  mask: 11,
} as const;
export const TIMED_WIDTH = 12;

export const TIMED_COHERENT = 1; // dma_alloc_coherent() of a device without a translating IOMMU
export const TIMED_CONTIGUOUS = 2; // dma_common_alloc_pages() of a translated one
export const TIMED_PAGES = 3; // its ordinary pages, which never come from CMA
export const TIMED_CMA = 4; // cma_alloc() of the kernel's own
export const TIMED_FREE = 5;

/** What came of a row; verdicts are those of operations.ts. */
export const timedOutcome = {
  verdict: 0,
  pfn: 1,
  pages: 2,
  /** Area, BUDDY, or LEAKED with the area that lost its pages in `from`. */
  source: 3,
  nid: 4,
  zone: 5,
  from: 6,
  /** When its CPU made the call and when it returned there, ns. */
  issued: 7,
  settled: 8,
  /** Part of the time spent waiting for locks of CMA, ns. */
  lockWait: 9,
} as const;
export const TIMED_OUTCOME_WIDTH = 10;

/** Pages that are in use when the run begins, at their place. */
export interface HeldAtStart {
  readonly area: number;
  readonly pfn: number;
  readonly pages: number;
  /** Row that frees count them under, -1 when nobody frees them. */
  readonly row: number;
}

export interface TimedReplay {
  readonly operations: Float64Array;
  readonly cpuNode: number;
  readonly held: readonly HeldAtStart[];
}
