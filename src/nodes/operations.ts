/**
 * Operations of a replay as columns: what a recorded kernel was asked to do, in order.
 *
 * replay/ops.ts fills them from a file; replayer.ts issues them one after the other; what came of each is
 * written to columns of the same length. Names follow the rows of the recordings.
 */

export const operation = {
  code: 0,
  /** The recording's name for what an allocation returned. */
  id: 1,
  /** Index into the run's policies. */
  policy: 2,
  /** dev_to_node(), -1 for none. For CPU rows: node whose memory that CPU allocates from. */
  devNode: 3,
  /** Bytes; pages for raw cma operations and busy rows. 0 in a free: all of it. */
  size: 4,
  gfp: 5,
  /** Index of dev->cma_area, or of the area of a raw operation; -1 for none. */
  area: 6,
  /** Page offset into the allocation, or into the area for busy rows. */
  offset: 7,
  /** Alignment order of a raw cma_alloc(). */
  align: 8,
  /** Bits of the coherent mask. */
  mask: 9,
} as const;
export const OPERATION_WIDTH = 10;

export const OP_ALLOC = 1;
export const OP_FREE = 2;
export const OP_CMA_ALLOC = 3;
export const OP_CMA_RELEASE = 4;
export const OP_BUSY = 5;
export const OP_UNBUSY = 6;
export const OP_STATE = 7;
export const OP_ZONES = 8;
export const OP_CPU = 9;
export const OP_COHERENT = 10;
export const OP_COHERENT_FREE = 11;

/** What came of an operation. */
export const outcome = {
  verdict: 0,
  pfn: 1,
  pages: 2,
  /** Area, BUDDY, or LEAKED with the area that lost its pages in `from`. */
  source: 3,
  nid: 4,
  zone: 5,
  from: 6,
  /** When it settled, ns. */
  time: 7,
} as const;
export const OUTCOME_WIDTH = 8;

/** Verdicts. DONE: settled with nothing to report. SKIPPED: the id held nothing. */
export const DONE = 1;
export const PLACED = 2;
export const NOTHING = 3;
export const RETURNED = 4;
export const SKIPPED = 5;
export const FAILED = 6;
