/**
 * Where movable pages lie: in CMA areas that nobody uses, or in the rest of a zone.
 *
 * Models the choice of __rmqueue() (mm/page_alloc.c) for requests with ALLOC_CMA, in bulk and in
 * closed form: one call places as many pages as thousands of faults would. Left out: single
 * requests, stealing between migratetypes, compaction.
 */

/** Up to v5.7 CMA pages come last; since v5.8 also while they are over half of what is free. */
export type MovableRule = 'last' | 'above half';

/**
 * How many of `pages` movable pages a node takes from its CMA areas, given what is free of each
 * kind. All of them find room: pages <= freeCma + freeOther.
 */
export function cmaShare(
  rule: MovableRule,
  pages: number,
  freeCma: number,
  freeOther: number,
): number {
  if (rule === 'last') return Math.max(0, pages - freeOther);
  // Whichever kind is ahead is taken until both are equal; from there they fall together.
  const ahead = Math.min(pages, Math.abs(freeCma - freeOther));
  const even = Math.floor((pages - ahead) / 2);
  return Math.min(freeCma, even + (freeCma > freeOther ? ahead : 0));
}

/**
 * How many of `renewed` movable pages, freed at random and asked for anew, move into CMA areas;
 * negative when they leave them. `borrowed` and `other` are those they lie in now.
 */
export function cmaDrift(
  rule: MovableRule,
  renewed: number,
  now: { borrowed: number; other: number; freeCma: number; freeOther: number },
): number {
  const { borrowed, other, freeCma, freeOther } = now;
  const held = borrowed + other;
  if (held === 0) return 0;
  const left = Math.min(borrowed, Math.round((renewed * borrowed) / held));
  const takes = cmaShare(rule, renewed, freeCma + left, freeOther + renewed - left);
  return takes - left;
}

/**
 * Draws how many pages of a window movable users hold: `borrowed` of an area's `free` pages are
 * theirs, anywhere. Hypergeometric, by its Poisson limit where few are expected and by a normal one
 * elsewhere.
 */
export function drawBorrowed(
  draw: { uniform(): number; normal(): number },
  window: number,
  borrowed: number,
  free: number,
): number {
  if (borrowed <= 0 || window <= 0) return 0;
  const least = Math.max(0, window - (free - borrowed));
  const most = Math.min(window, borrowed);
  if (least >= most) return most;
  const share = borrowed / free;
  const mean = window * share;
  if (mean < 16) return Math.min(most, Math.max(least, poisson(draw, mean)));
  const variance = (mean * (1 - share) * (free - window)) / (free - 1);
  const drawn = Math.round(mean + Math.sqrt(variance) * draw.normal());
  return Math.min(most, Math.max(least, drawn));
}

/** Poisson by multiplying uniforms; `mean` below some tens. */
export function poisson(draw: { uniform(): number }, mean: number): number {
  const least = Math.exp(-mean);
  let product = draw.uniform();
  let count = 0;
  while (product > least) {
    product *= draw.uniform();
    count += 1;
  }
  return count;
}
