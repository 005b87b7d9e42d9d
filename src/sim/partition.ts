/**
 * Which groups of actors share a shard.
 *
 * Window width is the least delay across the cut, so near groups belong together: groups nearer
 * than a threshold are joined, and the largest threshold that still leaves shards of nearly equal
 * weight wins. The choice decides how fast a run is and never what it computes.
 */

export interface Groups {
  /** Expected share of the events, per group; any unit. */
  readonly weights: ArrayLike<number>;
  /** Least delay in ns of a message between two groups, or one number for all pairs. Symmetric. */
  readonly lookahead: number | ((a: number, b: number) => number);
}

export interface Partition {
  /** Shard of each group. */
  readonly shardOf: Uint16Array;
  readonly shards: number;
  /** Least delay in ns between groups of different shards; Infinity if there is one shard. */
  readonly lookahead: number;
}

/** How much heavier than necessary the heaviest shard may be for the sake of a wider window. */
const IMBALANCE_MAX = 1.25;

/** Least and largest lookahead of any pair; with a single group, Infinity and 0. */
export function lookaheadRange(groups: Groups): { least: number; most: number } {
  const { lookahead, weights } = groups;
  if (weights.length < 2) return { least: Infinity, most: 0 };
  if (typeof lookahead === 'number') return { least: lookahead, most: lookahead };
  let least = Infinity;
  let most = 0;
  for (let a = 1; a < weights.length; a++) {
    for (let b = 0; b < a; b++) {
      const ns = lookahead(a, b);
      if (ns < least) least = ns;
      if (ns > most) most = ns;
    }
  }
  return { least, most };
}

/** Spreads the groups over at most `shards` shards; fewer if there are fewer groups. */
export function partition(groups: Groups, shards: number): Partition {
  const count = Math.max(1, Math.min(shards, groups.weights.length));
  const thresholds = distances(groups);
  let best = pack(groups, thresholds[0] ?? 0, count);
  const limit = IMBALANCE_MAX * Math.max(lightest(groups, count), best.heaviest);
  // Larger thresholds join more groups, so what is feasible is a prefix: bisection.
  let low = 0;
  let high = count === 1 ? 0 : thresholds.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const packed = pack(groups, thresholds[middle], count);
    if (packed.used === count && packed.heaviest <= limit) {
      best = packed;
      low = middle;
    } else high = middle - 1;
  }
  return {
    shardOf: best.shardOf,
    shards: count,
    lookahead: cutLookahead(groups, best.shardOf),
  };
}

/** Least delay between groups of different shards. */
export function cutLookahead(groups: Groups, shardOf: ArrayLike<number>): number {
  const { lookahead, weights } = groups;
  let least = Infinity;
  if (typeof lookahead === 'number') {
    for (let a = 1; a < weights.length; a++) if (shardOf[a] !== shardOf[0]) least = lookahead;
    return least;
  }
  for (let a = 1; a < weights.length; a++) {
    for (let b = 0; b < a; b++) {
      if (shardOf[a] !== shardOf[b]) least = Math.min(least, lookahead(a, b));
    }
  }
  return least;
}

/** Weight below which no heaviest shard can be. */
function lightest(groups: Groups, shards: number): number {
  let total = 0;
  let largest = 0;
  for (let g = 0; g < groups.weights.length; g++) {
    total += groups.weights[g];
    largest = Math.max(largest, groups.weights[g]);
  }
  return Math.max(total / shards, largest);
}

function distances(groups: Groups): number[] {
  const { lookahead, weights } = groups;
  if (typeof lookahead === 'number') return [lookahead];
  const seen = new Set<number>();
  for (let a = 1; a < weights.length; a++) {
    for (let b = 0; b < a; b++) seen.add(lookahead(a, b));
  }
  return [...seen].sort((a, b) => a - b);
}

/**
 * Component of each group when all pairs nearer than `threshold` are joined: its smallest member.
 */
function join(groups: Groups, threshold: number): Int32Array {
  const { lookahead, weights } = groups;
  const root = Int32Array.from({ length: weights.length }, (_, g) => g);
  if (typeof lookahead === 'number') return root;
  const find = (g: number): number => {
    let r = g;
    while (root[r] !== r) {
      root[r] = root[root[r]];
      r = root[r];
    }
    return r;
  };
  for (let a = 1; a < weights.length; a++) {
    for (let b = 0; b < a; b++) {
      if (lookahead(a, b) >= threshold) continue;
      const [x, y] = [find(a), find(b)];
      root[Math.max(x, y)] = Math.min(x, y);
    }
  }
  return root.map((_, g) => find(g));
}

interface Packed {
  shardOf: Uint16Array;
  heaviest: number;
  /** Shards that have a group. */
  used: number;
}

function pack(groups: Groups, threshold: number, shards: number): Packed {
  const component = join(groups, threshold);
  const weight = new Map<number, number>();
  for (let g = 0; g < component.length; g++) {
    const c = component[g];
    weight.set(c, (weight.get(c) ?? 0) + groups.weights[g]);
  }
  const neighbours = inOrder(weight, shards);
  const balanced = heaviestFirst(weight, shards);
  // Neighbours by number tend to talk to each other, so they stay together unless that costs
  // balance.
  const isEven =
    load(weight, neighbours, shards) <= 1.1 * load(weight, balanced, shards) &&
    new Set(neighbours.values()).size === new Set(balanced.values()).size;
  const place = isEven ? neighbours : balanced;
  const shardOf = Uint16Array.from(component, (c) => place.get(c) ?? 0);
  return { shardOf, heaviest: load(weight, place, shards), used: new Set(place.values()).size };
}

function load(weight: Map<number, number>, place: Map<number, number>, shards: number): number {
  const loads = new Float64Array(shards);
  for (const [c, shard] of place) loads[shard] += weight.get(c) ?? 0;
  return Math.max(...loads);
}

/** Components in order of their first group, cut where the weight is even. */
function inOrder(weight: Map<number, number>, shards: number): Map<number, number> {
  const total = [...weight.values()].reduce((sum, w) => sum + w, 0);
  const place = new Map<number, number>();
  let before = 0;
  let index = 0;
  for (const [c, w] of weight) {
    const middle = total > 0 ? (before + w / 2) / total : (index + 0.5) / weight.size;
    place.set(c, Math.min(shards - 1, Math.floor(middle * shards)));
    before += w;
    index++;
  }
  return place;
}

/** Heaviest component first, each to the shard that is lightest so far. */
function heaviestFirst(weight: Map<number, number>, shards: number): Map<number, number> {
  const place = new Map<number, number>();
  const loads = new Float64Array(shards);
  const members = new Int32Array(shards);
  for (const [c, w] of [...weight].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
    let to = 0;
    for (let s = 1; s < shards; s++) {
      if (loads[s] < loads[to] || (loads[s] === loads[to] && members[s] < members[to])) to = s;
    }
    place.set(c, to);
    loads[to] += w;
    members[to]++;
  }
  return place;
}
