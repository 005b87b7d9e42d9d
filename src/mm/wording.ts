/**
 * What releases print and trace about CMA: message texts and event names, one value per wording.
 *
 * Read from mm/cma.c, kernel/dma/contiguous.c and include/trace/events/cma.h; rows of release.ts
 * point here.
 */

/** printf texts with `{field}` in place of conversions; the prefix `cma: ` is part of the text. */
export interface Messages {
  readonly reserved: string;
  readonly failed: string;
  /**
   * "Failed to reserve" follows every error, or only those found after the arguments were aligned.
   */
  readonly failedAfter: 'every error' | 'alignment';
  /** The two lines above print the size after rounding up, or as the caller gave it. */
  readonly sizePrinted: 'rounded' | 'given';
  /** The device tree's default area was passed over because of cma=. */
  readonly bypass: string;
  readonly allocFailed: string;
  /** Printed after allocFailed; the kernel needs CMA_DEBUG for it where `available` is `debug`. */
  readonly available: 'always' | 'debug';
}

/** Trace events of cma_alloc() and cma_release(); null: the release has no such event. */
export interface TraceEvents {
  readonly start: 'cma_alloc_start' | null;
  /** Field that holds the pages asked for in the start event. */
  readonly startCount: 'count' | 'request_count';
  readonly finish: 'cma_alloc' | 'cma_alloc_finish';
  readonly finishHasErrno: boolean;
  readonly busyRetry: 'cma_alloc_busy_retry' | null;
  /** cma_alloc_start comes before the tests for no area, no pages, too many pages. */
  readonly startBeforeTests: boolean;
  readonly dmaEvents: boolean;
}

export const messages57: Messages = {
  reserved: 'cma: Reserved {mib} MiB at {base}',
  failed: 'cma: Failed to reserve {mib} MiB',
  failedAfter: 'alignment',
  sizePrinted: 'rounded',
  bypass: 'Reserved memory: bypass {name} node, using cmdline CMA params instead',
  allocFailed: 'cma: cma_alloc: alloc failed, req-size: {count} pages, ret: {ret}',
  available: 'debug',
};
export const messages516: Messages = {
  ...messages57,
  allocFailed: 'cma: cma_alloc: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
};
/** bf29bfaa5490 brought numa_cma= and the node in these lines. */
export const messages66: Messages = {
  ...messages516,
  reserved: 'cma: Reserved {mib} MiB at {base} on node {node}',
  failed: 'cma: Failed to reserve {mib} MiB on node {node}',
};
export const messages612: Messages = {
  ...messages66,
  allocFailed: 'cma: __cma_alloc: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
};
/** c009da4258f9 (several ranges) wrapped the function: every error is followed by "Failed". */
export const messages615: Messages = {
  ...messages612,
  reserved: messages57.reserved,
  failed: messages57.failed,
  failedAfter: 'every error',
  sizePrinted: 'given',
  available: 'always',
};
export const messages72: Messages = {
  ...messages615,
  bypass: 'Skipping dt linux,cma-default node in favor for "cma=" kernel param.',
  allocFailed: 'cma: __cma_alloc_frozen: {name}: alloc failed, req-size: {count} pages, ret: {ret}',
};

export const trace57: TraceEvents = {
  start: null,
  startCount: 'count',
  finish: 'cma_alloc',
  finishHasErrno: false,
  busyRetry: null,
  startBeforeTests: false,
  dmaEvents: false,
};
export const trace516: TraceEvents = {
  ...trace57,
  start: 'cma_alloc_start',
  finish: 'cma_alloc_finish',
  busyRetry: 'cma_alloc_busy_retry',
};
export const trace66: TraceEvents = { ...trace516, finishHasErrno: true };
export const trace612: TraceEvents = { ...trace66, startBeforeTests: true, dmaEvents: true };

/** Fills `{field}` in one of the texts above. */
export function fill(text: string, fields: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, field: string) => String(fields[field] ?? ''));
}
