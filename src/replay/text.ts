/**
 * The replay of a recorded trace in words: how much is equal, how well the start of each area is
 * known, every difference by name, and the first of them as a picture.
 */

import { type Paint, right, sizeText, table } from '../text/table.js';
import type { AreaStart } from './areaStart.js';
import type { RequestComparison, RequestDifference } from './compareRequests.js';
import { excused } from './compareRequests.js';
import type { Drawing } from './drawing.js';
import type { TraceReplay } from './traceReplay.js';

export interface ReplayReport {
  readonly name: string;
  readonly files: readonly string[];
  readonly kernel: string;
  readonly policy: string;
  readonly machine: string;
  readonly cmdline: string;
  /** In what it differs from the recorded server. */
  readonly changed: readonly string[];
  readonly comparison: RequestComparison;
  readonly start: readonly AreaStart[];
  readonly drawing: Drawing | null;
  /** What was assumed about devices, a sentence each. */
  readonly assumed: readonly string[];
  readonly notes: readonly string[];
  readonly fingerprint: string;
}

/** A replay as it is told. */
export function reportOf(replay: TraceReplay): ReplayReport {
  const { site, devices, findings } = replay;
  const found = findings.length === 0 ? [] : [`${findings.length} findings: ${findings[0].text}`];
  return {
    ...replay,
    kernel: site.kernel.release.id,
    policy: site.kernel.policy.id,
    machine: site.machine.name,
    cmdline: site.cmdline,
    changed: site.changed,
    assumed: [...devices.values()]
      .filter(({ assumed }) => assumed !== '')
      .map(({ name, assumed }) => `${name} is not described: assumed ${assumed}`),
    notes: [...replay.notes, ...found],
  };
}

/** Differences that speak against the model, or come from what was asked to be otherwise. */
export function countedAgainst({ differences }: RequestComparison): number {
  return differences.filter(({ reason }) => !excused.has(reason)).length;
}

/** Reasons with how often each, most first. */
function byReason(differences: readonly RequestDifference[]): [reason: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { reason } of differences) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

export function replayDocument(report: ReplayReport): Record<string, unknown> {
  const { comparison, start, drawing } = report;
  const { differences, buddyNodes } = comparison;
  return {
    recording: report.name,
    files: report.files,
    kernel: report.kernel,
    policy: report.policy,
    machine: report.machine,
    cmdline: report.cmdline,
    changed: report.changed,
    requests: comparison.requests,
    area_equal: comparison.areaEqual,
    pfn_comparable: comparison.pfnComparable,
    pfn_equal: comparison.pfnEqual,
    pfn_inferred_start: comparison.pfnInferred,
    buddy_nodes: buddyNodes,
    different: differences.length,
    by_reason: Object.fromEntries(byReason(differences)),
    differences: differences.map(differenceDocument),
    first: drawing === null ? null : drawingDocument(drawing),
    areas: start.map(({ name, knowledge, used, because }) => ({ name, knowledge, used, because })),
    assumed: report.assumed,
    notes: report.notes,
    fingerprint: report.fingerprint,
  };
}

function differenceDocument(difference: RequestDifference): Record<string, unknown> {
  const { index, request, kind, expected, actual, reason, because } = difference;
  const { device, size, file, line, start } = request;
  return {
    request: index,
    device,
    size,
    file,
    line,
    time: start,
    kind,
    expected,
    actual,
    reason,
    because,
  };
}

const drawingDocument = ({ area, firstPfn, scale, kernel, model }: Drawing) => ({
  area,
  first_pfn: firstPfn,
  pages_per_character: scale,
  kernel,
  model,
});

const LISTED = 20;
const hex = (pfn: number): string => (pfn < 0 ? '' : ` 0x${pfn.toString(16)}`);

export function replayTraceText(reports: readonly ReplayReport[], paint: Paint): string {
  const titles = right('requests', 'area equal', 'pfn comparable', 'equal', 'different');
  const lines = table(
    ['recording', 'kernel', ...titles],
    reports.map(({ name, kernel, comparison }) => [
      name,
      kernel,
      comparison.requests,
      comparison.areaEqual,
      comparison.pfnComparable,
      comparison.pfnEqual,
      comparison.differences.length,
    ]),
  );
  for (const report of reports) lines.push('', ...oneReport(report, paint));
  return lines.join('\n');
}

function oneReport(report: ReplayReport, paint: Paint): string[] {
  const { name, comparison, start, changed, machine, kernel, policy, cmdline } = report;
  const { buddyNodes } = comparison;
  const lines = [paint.bold(`${name} on ${machine}, kernel ${kernel}, policy ${policy}`)];
  lines.push(`  command line: ${cmdline}`);
  if (changed.length > 0) lines.push(`  not as recorded: ${changed.join(', ')}`);
  for (const area of start) {
    lines.push(`  ${area.name}: start ${area.knowledge}${area.because ? `, ${area.because}` : ''}`);
  }
  if (buddyNodes.compared > 0) {
    const { compared, equal } = buddyNodes;
    lines.push(`  ordinary pages: node equal for ${equal} of ${compared}`);
  }
  lines.push(...report.assumed.map((text) => paint.dim(`  ${text}`)));
  lines.push(...report.notes.map((text) => paint.dim(`  ${text}`)));
  return [...lines, ...differenceLines(report, paint)];
}

function differenceLines({ comparison, drawing, files }: ReplayReport, paint: Paint): string[] {
  const { differences } = comparison;
  if (differences.length === 0) return [];
  const lines = byReason(differences).map(([reason, count]) => {
    const text = `  ${count} different: ${reason}`;
    return excused.has(reason) ? text : paint.bad(text);
  });
  for (const { request, expected, actual, reason, because } of differences.slice(0, LISTED)) {
    const who = request.device === '' ? 'the kernel itself' : request.device;
    const where = request.line > 0 ? `${files[request.file]}:${request.line}` : files[request.file];
    lines.push(
      `  ${where}: ${who}, ${sizeText(request.size)}`,
      `    kernel ${expected.source}${hex(expected.pfn)}, model ${actual.source}${hex(actual.pfn)}`,
      `    ${reason}: ${because}`,
    );
  }
  const more = differences.length - LISTED;
  if (more > 0) lines.push(`  and ${more} more; --json lists all of them`);
  return drawing === null ? lines : [...lines, ...drawingLines(drawing)];
}

function drawingLines({ area, firstPfn, scale, kernel, model }: Drawing): string[] {
  const pages = scale === 1 ? 'a page' : `${scale} pages`;
  return [
    `  ${area} from 0x${firstPfn.toString(16)}, a character is ${pages}, at the first difference:`,
    `    kernel  ${kernel}`,
    `    model   ${model}`,
  ];
}
