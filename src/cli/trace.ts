/**
 * `cmasim trace FILE…`: a recording in numbers: calls per device, requests per area, what was live
 * before.
 */

import { Command, InvalidArgumentError } from 'commander';
import { readJson } from '../files/read.js';
import { UserError } from '../text/userError.js';
import {
  compareCounts,
  compareSummary,
  isCounts,
  type SummaryComparison,
} from '../trace/join/recorded.js';
import { summarizeTraces, type TraceSummary } from '../trace/join/summary.js';
import { summaryText } from '../trace/join/text.js';
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
