/**
 * Two runs of one workload, request by request: what moved, what fails, what got slower, and
 * whether that is worse.
 *
 * Requests are paired by device and number. A node's area is the same place whatever a release
 * calls it. Left out: why a whole device came or went; its requests are counted as unpaired.
 */
import { isLocal, type Placement, took } from '../run/placement.js';
import { type MeanEstimate, pairedInterval } from '../study/intervals.js';

/** One of the two runs. */
export interface DiffSide {
  readonly kernel: string;
  readonly policy: string;
  readonly machine: string;
  readonly cmdline: string;
  /** CMA areas as name, node and pages. */
  readonly areas: readonly {
    readonly name: string;
    readonly nid: number;
    readonly count: number;
  }[];
  readonly placements: readonly Placement[];
  /** Leaks and the like. */
  readonly findings: number;
  readonly notes: readonly string[];
}

interface Pair {
  readonly a: Placement;
  readonly b: Placement;
}

/** Requests that went from one place to another. */
interface MovedRequests {
  readonly from: string;
  readonly to: string;
  readonly requests: number;
  readonly bytes: number;
  readonly devices: readonly string[];
}

export interface Diff {
  readonly a: DiffSide;
  readonly b: DiffSide;
  readonly paired: number;
  readonly onlyA: number;
  readonly onlyB: number;
  readonly samePlace: number;
  readonly moves: readonly MovedRequests[];
  /** Requests that left the node of their device, and those that came to it. */
  readonly leftNode: number;
  readonly cameToNode: number;
  readonly newFailures: number;
  readonly goneFailures: number;
  /** b - a in ns, of requests that both served; null without any. */
  readonly latency: Latency | null;
  readonly first: Pair | null;
  readonly worse: readonly string[];
  readonly better: readonly string[];
}

interface Latency extends MeanEstimate {
  readonly meanA: number;
  readonly meanB: number;
}

const CONFIDENCE = 0.95;
/** A shift of the mean below this share is not worth a word, however sure it is. */
const SHARE_MIN = 0.01;

/** What a request's place is called when names of areas do not count. */
function placeName({ role, nid, source }: Placement): string {
  switch (role) {
    case 'pernuma':
    case 'numa':
      return `area of node ${nid}`;
    case 'default':
      return `default area on node ${nid}`;
    case 'private':
      return `area ${source} on node ${nid}`;
    case 'buddy':
      return `buddy on node ${nid}`;
    default:
      return 'refused';
  }
}

export function diffRuns(a: DiffSide, b: DiffSide): Diff {
  const { pairs, onlyA, onlyB } = pairUp(a.placements, b.placements);
  const moved = pairs.filter((pair) => placeName(pair.a) !== placeName(pair.b));
  const served = (one: Placement) => one.role !== 'refused';
  const counts = {
    leftNode: moved.filter((pair) => isLocal(pair.a) && served(pair.b) && isRemote(pair.b)).length,
    cameToNode: moved.filter((pair) => isRemote(pair.a) && isLocal(pair.b)).length,
    newFailures: moved.filter((pair) => served(pair.a) && !served(pair.b)).length,
    goneFailures: moved.filter((pair) => !served(pair.a) && served(pair.b)).length,
  };
  const latency = latencyOf(pairs);
  const found = { ...counts, latency, findingsA: a.findings, findingsB: b.findings };
  return {
    a,
    b,
    paired: pairs.length,
    onlyA,
    onlyB,
    samePlace: pairs.length - moved.length,
    moves: movesOf(moved),
    ...counts,
    latency,
    first: moved[0] ?? null,
    worse: worseOf(found),
    better: betterOf(found),
  };
}

const isRemote = ({ nid, node }: Placement) => node >= 0 && nid >= 0 && nid !== node;

function pairUp(a: readonly Placement[], b: readonly Placement[]) {
  const key = ({ device, sequence }: Placement) => `${device} ${sequence}`;
  const others = new Map(b.map((one) => [key(one), one]));
  const pairs = a.flatMap((one): Pair[] => {
    const other = others.get(key(one));
    return other === undefined ? [] : [{ a: one, b: other }];
  });
  return { pairs, onlyA: a.length - pairs.length, onlyB: b.length - pairs.length };
}

function movesOf(moved: readonly Pair[]): MovedRequests[] {
  const moves = new Map<string, Pair[]>();
  for (const pair of moved) {
    const key = `${placeName(pair.a)}\n${placeName(pair.b)}`;
    const list = moves.get(key);
    if (list === undefined) moves.set(key, [pair]);
    else list.push(pair);
  }
  const rows = [...moves.values()].map((pairs): MovedRequests => {
    const [{ a, b }] = pairs as [Pair, ...Pair[]];
    return {
      from: placeName(a),
      to: placeName(b),
      requests: pairs.length,
      bytes: pairs.reduce((sum, pair) => sum + pair.a.bytes, 0),
      devices: [...new Set(pairs.map((pair) => pair.a.device))],
    };
  });
  return rows.sort((x, y) => y.requests - x.requests || (x.from < y.from ? -1 : 1));
}

function latencyOf(pairs: readonly Pair[]): Latency | null {
  const both = pairs.filter(
    ({ a, b }) => a.role !== 'refused' && b.role !== 'refused' && took(a) >= 0 && took(b) >= 0,
  );
  if (both.length === 0) return null;
  const timesA = both.map(({ a }) => took(a));
  const timesB = both.map(({ b }) => took(b));
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    ...pairedInterval(timesB, timesA, CONFIDENCE),
    meanA: mean(timesA),
    meanB: mean(timesB),
  };
}

interface Found {
  readonly leftNode: number;
  readonly cameToNode: number;
  readonly newFailures: number;
  readonly goneFailures: number;
  readonly latency: Latency | null;
  readonly findingsA: number;
  readonly findingsB: number;
}

const plural = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;
const ns = (value: number) => `${Math.round(Math.abs(value))} ns`;

function shift({ latency }: Found): number {
  if (latency === null || latency.low === null || latency.high === null) return 0;
  if (Math.abs(latency.meanB - latency.meanA) < SHARE_MIN * latency.meanA) return 0;
  if (latency.low > 0) return 1;
  return latency.high < 0 ? -1 : 0;
}

function worseOf(found: Found): string[] {
  const { newFailures, leftNode, cameToNode, findingsA, findingsB, latency } = found;
  const words: string[] = [];
  if (newFailures > 0)
    words.push(`${plural(newFailures, 'request fails', 'requests fail')} that did not`);
  if (leftNode > cameToNode) {
    const kept = cameToNode > 0 ? ` (${cameToNode} come to it)` : '';
    words.push(
      `${plural(leftNode, 'request leaves', 'requests leave')} their device's node${kept}`,
    );
  }
  if (findingsB > findingsA) words.push(`${findingsB - findingsA} more findings such as leaks`);
  if (shift(found) > 0)
    words.push(`allocations take ${ns(latency!.meanB - latency!.meanA)} longer`);
  return words;
}

function betterOf(found: Found): string[] {
  const { goneFailures, leftNode, cameToNode, findingsA, findingsB, latency } = found;
  const words: string[] = [];
  if (goneFailures > 0) {
    words.push(`${plural(goneFailures, 'request is', 'requests are')} served that failed`);
  }
  if (cameToNode > leftNode) {
    words.push(`${plural(cameToNode, 'request comes', 'requests come')} to their device's node`);
  }
  if (findingsB < findingsA) words.push(`${findingsA - findingsB} fewer findings`);
  if (shift(found) < 0) words.push(`allocations take ${ns(latency!.meanB - latency!.meanA)} less`);
  return words;
}
