/**
 * Half-open ranges [start, end) of addresses or of pages, in lists that are ascending and apart.
 */

export type Range = readonly [start: number, end: number];

/** How much all of them hold together. */
export function rangesSize(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [start, end]) => sum + end - start, 0);
}

/** What of the ranges lies in [start, end). */
export function overlap(ranges: readonly Range[], [start, end]: Range): Range[] {
  return ranges
    .map(([from, to]): Range => [Math.max(from, start), Math.min(to, end)])
    .filter(([from, to]) => from < to);
}

/** What is left of the ranges without what `taken` covers. */
export function without(ranges: readonly Range[], taken: readonly Range[]): Range[] {
  const rest: Range[] = [];
  for (const [start, end] of ranges) {
    let at = start;
    for (const [from, to] of taken) {
      if (to <= at || from >= end) continue;
      if (from > at) rest.push([at, from]);
      at = to;
    }
    if (at < end) rest.push([at, end]);
  }
  return rest;
}

/** The same addresses in ascending order, with ranges that touch or overlap made one. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last[1]) {
      joined[joined.length - 1] = [last[0], Math.max(last[1], end)];
    } else {
      joined.push([start, end]);
    }
  }
  return joined;
}
