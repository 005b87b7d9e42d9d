/**
 * `cmasim trace FILE…`: what a recording says: calls per device, requests per area, what was live
 * before.
 */

import { Command, InvalidArgumentError } from 'commander';
import { readJson } from '../files/read.js';
import { type Column, sizeText, table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import {
  compareCounts,
  compareSummary,
  isCounts,
  type SummaryComparison,
} from '../trace/join/recorded.js';
import { type InputSummary, summarizeTraces, type TraceSummary } from '../trace/join/summary.js';
import { importFrom } from './import.js';
import { print, printJson, stdoutPaint } from './output.js';

interface TraceOptions {
  readonly machine?: string;
  readonly check?: readonly string[];
  readonly page?: number;
  readonly json?: boolean;
}

export function traceCommand(): Command {
  return new Command('trace')
    .summary('summarize a recorded trace: calls per device, requests per area')
    .description(
      'Reads ftrace text, trace-cmd report, perf script, perf trace or perf JSON, gzipped or ' +
        'not, joins the events to requests and counts them. Several files are the phases of one ' +
        'recording, in order.',
    )
    .argument('<file...>', 'recordings; - is the standard input')
    .option('--machine <path>', 'what import takes: says on which node each device is')
    .option(
      '--check <file...>',
      'compare with a summary.json or counts.json, exit 1 if they differ',
    )
    .option('--page <bytes>', 'page size of the machine; found out unless given', pageSize)
    .option('--json', 'print one document instead of tables')
    .action(summarize);
}

function pageSize(text: string): number {
  const found = /^(4|16|64)K$/i.exec(text)?.[1];
  const bytes = found === undefined ? Number(text) : Number(found) * 1_024;
  if ([4_096, 16_384, 65_536].includes(bytes)) return bytes;
  throw new InvalidArgumentError('expected 4K, 16K or 64K.');
}

async function summarize(files: readonly string[], options: TraceOptions): Promise<void> {
  const machine = options.machine === undefined ? null : importFrom([options.machine]);
  const nodes = new Map(machine?.state.devices.map(({ name, node }) => [name, node ?? -1]));
  const bytes = options.page ?? machine?.machine.pageSize;
  const summary = await summarizeTraces(files, {
    nodeOf: (device) => nodes.get(device),
    ...(bytes === undefined ? {} : { pageShift: Math.log2(bytes) }),
  });
  const checks = (options.check ?? []).map((file) => check(file, summary));
  if (options.json) printJson(options.check === undefined ? summary : { ...summary, checks });
  else print([...summaryText(summary), ...checks.flatMap(checkText)].join('\n'));
  if (checks.some(({ different }) => different.length > 0)) process.exitCode = 1;
}

const recordedCounts = 'a summary.json or a counts.json of a recording';

interface Check extends SummaryComparison {
  readonly file: string;
}

function check(file: string, { inputs }: TraceSummary): Check {
  const document = readJson(file, recordedCounts);
  const counts = isCounts(document);
  if (counts === null) {
    throw new UserError({ file }, `something else, expected ${recordedCounts}`);
  }
  const compare = counts ? compareCounts : compareSummary;
  const comparison = compare(document as Record<string, unknown>, inputs);
  if (comparison.compared === 0) throw new UserError({ file }, 'names none of the recordings');
  return { file, ...comparison };
}

function checkText({ file, compared, different, habits }: Check): string[] {
  const paint = stdoutPaint();
  const verdict = different.length === 0 ? 'all equal' : `${different.length} different`;
  return [
    '',
    `${file}: ${compared} fields compared, ${verdict}`,
    ...habits.map((habit) => `  ${habit}`),
    ...different
      .slice(0, 20)
      .map(({ path, expected, actual }) =>
        paint.bad(`  ${path}: ${JSON.stringify(expected)} there, ${JSON.stringify(actual)} here`),
      ),
  ];
}

const right = (title: string): Column => ({ title, right: true });

export function summaryText(summary: TraceSummary): string[] {
  const lines: string[] = [];
  for (const input of summary.inputs) lines.push(...inputText(input), '');
  const { live_before: before, live_at_end: end, maps } = summary;
  const pages = Object.entries(end.area_pages).map(([area, count]) => `${area} ${count}`);
  lines.push(
    `${summary.requests} requests; ${end.requests} live at the end (${sizeText(end.bytes)}), ` +
      `pages of areas: ${pages.length === 0 ? 'none' : pages.join(', ')}`,
    `maps: ${maps.matched} ended by an unmap, ${end.maps} live at the end, ` +
      `${maps.remapped} over one that was never unmapped, ` +
      `${maps.unmatched_unmaps} unmaps of what was mapped before`,
  );
  if (summary.restarts > 0) {
    const many = summary.restarts > 1 ? 's begin' : ' begins';
    lines.push(
      `${summary.restarts} file${many} before the end of the file before: taken as another boot ` +
        '(phases of one boot are to be named in order)',
    );
  }
  const used = Object.entries(summary.areas_before).filter(([, area]) => area.used > 0);
  for (const [area, row] of used) lines.push(`${area}: ${row.used} pages in use before`);
  if (before.count > 0) {
    lines.push(`${before.count} allocations made before the recording were freed in it:`);
    for (const row of before.listed.slice(0, 10)) {
      const from = row.area === '' ? '' : ` ${row.area} 0x${row.pfn.toString(16)}+${row.count}`;
      const size = row.size < 0 ? '' : ` ${row.size} B`;
      lines.push(`  ${row.device || 'kernel'}${size}${from}`);
    }
    if (before.count > 10) lines.push(`  and ${before.count - 10} more`);
  }
  return lines;
}

function inputText(input: InputSummary): string[] {
  const unit = input.clock === 'ticks' ? 'ticks' : 's';
  const span =
    input.first === null ? '' : `, ${String(input.first)} to ${String(input.last)} ${unit}`;
  const lines = [`${input.file}: ${input.printed}, ${input.events} events${span}`];
  lines.push(...input.notes.map((note) => `  ${note}`));
  const devices = Object.entries(input.devices);
  if (devices.length > 0) lines.push(...deviceTable(devices));
  const areas = Object.entries(input.areas);
  if (areas.length > 0) {
    const titles = ['granted', 'pages', 'refused', 'released', 'pages', 'peak', 'net'];
    lines.push(
      ...table(
        [{ title: 'area' }, ...titles.map(right)],
        areas.map(([area, row]) => [
          area,
          row.ok,
          row.ok_pages,
          row.failed,
          row.released,
          row.released_pages,
          row.peak_delta_pages,
          row.net_pages,
        ]),
      ),
    );
  }
  return lines;
}

function deviceTable(devices: readonly (readonly [string, InputSummary['devices'][string]])[]) {
  const titles = ['node', 'allocs', 'bytes', 'frees', 'maps', 'bytes', 'unmaps'];
  return table(
    [{ title: 'device' }, ...titles.map(right), { title: 'from areas' }],
    devices.map(([device, row]) => [
      device,
      row.node,
      row.alloc_calls,
      row.alloc_bytes,
      row.free_calls,
      row.map_calls,
      row.map_bytes,
      row.unmap_calls,
      Object.entries(row.from_area)
        .map(([area, calls]) => `${area} ${calls}`)
        .join(', '),
    ]),
  );
}
