/**
 * Two runs compared, in one screen: the verdict first, then what moved, what fails, what got
 * slower, and the first request that went elsewhere with what it tried in both.
 */
import type { Placement, Tried } from '../run/placement.js';
import { type Paint, percentText, sizeText, table, timeText } from '../text/table.js';
import type { Diff, DiffSide } from './diff.js';

/** A comparison, and of what. */
export type DiffReport = Diff & { readonly workload: string };

/** `B is worse: …`: one line that says which and why. */
export function verdict({ worse, better, moves, paired }: DiffReport): string {
  const also = better.length > 0 ? `; but ${better.join(', ')}` : '';
  if (worse.length > 0) return `B is worse: ${worse.join(', ')}${also}`;
  if (better.length > 0) return `B is better: ${better.join(', ')}`;
  const moved = moves.reduce((sum, { requests }) => sum + requests, 0);
  if (moved > 0) return `B is different, not worse: ${moved} of ${paired} requests moved`;
  return `A and B are alike: all ${paired} requests are served from the same places`;
}

export function diffDocument(diff: DiffReport): Record<string, unknown> {
  const { latency } = diff;
  return {
    format: 'cmasim-diff/1',
    workload: diff.workload,
    verdict: verdict(diff),
    worse: diff.worse.length > 0,
    reasons: { worse: diff.worse, better: diff.better },
    a: sideDocument(diff.a),
    b: sideDocument(diff.b),
    paired: diff.paired,
    only_a: diff.onlyA,
    only_b: diff.onlyB,
    same_place: diff.samePlace,
    moves: diff.moves,
    left_node: diff.leftNode,
    came_to_node: diff.cameToNode,
    new_failures: diff.newFailures,
    gone_failures: diff.goneFailures,
    latency_ns: latency && {
      requests: latency.count,
      mean_a: latency.meanA,
      mean_b: latency.meanB,
      mean_shift: latency.mean,
      low: latency.low,
      high: latency.high,
      confidence: 0.95,
      class: 'assumed',
    },
    first: diff.first && {
      device: diff.first.a.device,
      sequence: diff.first.a.sequence,
      size: diff.first.a.bytes,
      a: placementDocument(diff.first.a),
      b: placementDocument(diff.first.b),
    },
  };
}

const sideDocument = ({ kernel, policy, machine, cmdline, areas, findings, notes }: DiffSide) => {
  return { kernel, policy, machine, cmdline, areas, findings, notes };
};

const placementDocument = ({ source, nid, pfn, pages, issued, settled, attempts }: Placement) => ({
  source,
  nid,
  pfn,
  pages,
  took_ns: Number.isNaN(settled) ? null : settled - issued,
  attempts: attempts.map(({ area, count, align, err, retries, pfn: first }) => {
    return { area, count, align, err, retries, pfn: first };
  }),
});

const MOVES_MAX = 8;

export function diffText(diff: DiffReport, paint: Paint): string {
  const { worse, better } = diff;
  const line = verdict(diff);
  const colour = worse.length > 0 ? paint.bad : better.length > 0 ? paint.good : paint.bold;
  return [
    colour(line),
    '',
    `workload ${diff.workload}`,
    ...sideLines('A', diff.a),
    ...sideLines('B', diff.b),
    '',
    countLine(diff),
    ...moveLines(diff),
    ...failureLines(diff),
    ...latencyLines(diff),
    ...firstLines(diff),
  ].join('\n');
}

function sideLines(name: string, side: DiffSide): string[] {
  const { kernel, policy, machine, cmdline, areas, notes } = side;
  const pages = areas.map((area) => `${area.name} ${area.count} pages on node ${area.nid}`);
  return [
    `${name}  kernel ${kernel}, policy ${policy}, ${machine}: ${cmdline || '(no command line)'}`,
    `   areas: ${pages.length === 0 ? 'none' : pages.join(', ')}`,
    ...notes.slice(0, 2).map((note) => `   ${note}`),
  ];
}

function countLine({ paired, samePlace, onlyA, onlyB }: DiffReport): string {
  const alone = onlyA + onlyB > 0 ? `; ${onlyA} only in A, ${onlyB} only in B` : '';
  const share = percentText(paired === 0 ? null : samePlace / paired);
  return `${paired} requests in both, ${samePlace} (${share}) from the same place${alone}`;
}

function moveLines({ moves }: DiffReport): string[] {
  if (moves.length === 0) return [];
  const rows = moves.slice(0, MOVES_MAX).map(({ from, to, requests, bytes, devices }) => {
    const names = devices.map((device) => device || 'kernel');
    const more = names.length > 2 ? ` and ${names.length - 2} more` : '';
    return [from, to, requests, sizeText(bytes), `${names.slice(0, 2).join(', ')}${more}`];
  });
  const right = true;
  const lines = table(
    [
      { title: 'A' },
      { title: 'B' },
      { title: 'requests', right },
      { title: 'bytes', right },
      { title: 'of' },
    ],
    rows,
  );
  const rest = moves.length - MOVES_MAX;
  return ['', ...lines, ...(rest > 0 ? [`and ${rest} more kinds of moves; --json has them`] : [])];
}

function failureLines({
  newFailures,
  goneFailures,
  leftNode,
  cameToNode,
  a,
  b,
}: DiffReport): string[] {
  const lines = ['', `off their device's node: ${leftNode} leave it, ${cameToNode} come to it`];
  lines.push(`refused: ${newFailures} new, ${goneFailures} gone`);
  if (a.findings + b.findings > 0) lines.push(`findings: ${a.findings} in A, ${b.findings} in B`);
  return lines;
}

function latencyLines({ latency }: DiffReport): string[] {
  if (latency === null || latency.mean === null) return [];
  const { meanA, meanB, mean, low, high, count } = latency;
  const sign = (value: number) => `${value < 0 ? '-' : '+'}${timeText(Math.abs(value))}`;
  const interval =
    low === null || high === null ? '' : `, 95 % confidence ${sign(low)} to ${sign(high)}`;
  const means = `${timeText(meanA)} in A, ${timeText(meanB)} in B`;
  return [`dma_alloc of ${count} pairs: mean ${means}: ${sign(mean)}${interval} (assumed costs)`];
}

function firstLines({ first }: DiffReport): string[] {
  if (first === null) return [];
  const { device, sequence, bytes } = first.a;
  const who = device === '' ? "the kernel's own request" : device;
  return [
    '',
    `first to go elsewhere: ${who} #${sequence}, ${sizeText(bytes)}`,
    ...attemptLines('A', first.a),
    ...attemptLines('B', first.b),
  ];
}

function attemptLines(name: string, placement: Placement): string[] {
  const tried = placement.attempts.map(attemptText);
  const { source, nid, pfn } = placement;
  const page = pfn < 0 ? '' : ` 0x${pfn.toString(16)} on node ${nid}`;
  const end = source === 'refused' ? 'refused' : `${source}${page}`;
  return [`  ${name}  ${[...tried, end].join(' -> ')}`];
}

function attemptText({ area, count, err, retries, givenBack }: Tried): string {
  const busy = retries > 0 ? `, ${retries} busy` : '';
  const back = givenBack ? ', out of reach of the mask: given back' : '';
  const result = err === 0 ? 'granted' : err === 1 ? 'not looked at' : `errno ${err}`;
  return `${area || 'no area'} (${count} pages: ${result}${back}${busy})`;
}
