/**
 * One request on paper: the list of attempts, the bitmap where it looked, its time by part.
 */

import { gfpNames } from '../mm/gfp.js';
import { isLocal, type Placement, took } from '../run/placement.js';
import { numberText, sizeText, table } from '../text/table.js';
import type { Requests, SightRow, Why } from './explained.js';

/** Cells in a drawing of a bitmap. */
const CELLS = 96;
/** Bits shown on either side of a window. */
const AROUND = 64;

export function whyText(why: Why): string {
  const { request, parts } = why;
  const total = Number.isNaN(request.settled)
    ? 'not answered by the end'
    : `${numberText(took(request))} ns`;
  const where =
    request.nid < 0 ? '' : ` on node ${request.nid}, pfn ${request.pfn}, ${request.pages} pages`;
  const lines = [
    `${request.name}: ${sizeText(request.bytes)} ${fromText(request)}${where}, ${total}`,
    `  kernel ${why.kernel}, policy ${why.policy} | asked at ${numberText(request.issued)} ns`,
    `  numa_node ${why.devNode}, coherent mask ${why.maskBits} bits, gfp ${gfpText(why.gfp)}`,
    '',
    'Attempts, in the order of the policy',
    ...indent(
      table(
        [{ title: 'step' }, { title: 'outcome' }, { title: 'why' }],
        why.steps.map(({ step, outcome, text }) => [step.split(' if ')[0], outcome, text]),
      ),
    ),
  ];
  for (const sight of shown(why.sights)) lines.push('', ...indent(sightLines(sight)));
  const more = why.sights.length - shown(why.sights).length;
  if (more > 0) lines.push(`  (${more} more searches between these)`);
  if (parts.length > 0) {
    lines.push('', 'Time by part', ...indent(partLines(why)));
  }
  lines.push('', `fingerprint ${why.fingerprint}`);
  return lines.join('\n');
}

function fromText({ settled, source }: Placement): string {
  if (Number.isNaN(settled)) return 'still on its way';
  return source === 'refused' ? source : `from ${source}`;
}

/** First and last search of each area: what lies between repeats. */
function shown(sights: readonly SightRow[]): SightRow[] {
  return sights.filter(
    ({ area }, i) => sights[i - 1]?.area !== area || sights[i + 1]?.area !== area,
  );
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? line : `  ${line}`));
}

function gfpText(gfp: number): string {
  const whole = Object.entries(gfpNames).find(([, bits]) => bits === gfp);
  if (whole) return whole[0];
  const names = Object.entries(gfpNames).filter(([, bits]) => bits !== 0 && (gfp & bits) === bits);
  return names.map(([name]) => name).join('|') || '0';
}

function partLines({ parts, request }: Why): string[] {
  const rows = [...parts]
    .sort((a, b) => b.ns - a.ns)
    .map(({ name, ns, class: of }) => [name, ns, percent(ns, took(request)), of]);
  const columns = [
    { title: 'part' },
    { title: 'ns', right: true },
    { title: 'share', right: true },
    { title: 'class' },
  ];
  return table(columns, rows);
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** The bitmap as the search found it: `.` free, `X` used, `x` partly, `#` the window. */
export function sightLines(sight: SightRow): string[] {
  const { areaName, basePfn, size, bit, bits, start, align, ranges } = sight;
  const from = bit < 0 ? 0 : Math.max(0, bit - AROUND);
  const to = bit < 0 ? size : Math.min(size, bit + bits + AROUND);
  const per = Math.max(1, 2 ** Math.ceil(Math.log2((to - from) / CELLS)));
  let drawing = '';
  for (let cell = from; cell < to; cell += per) {
    drawing += cellOf(ranges, { cell, end: Math.min(cell + per, to), bit, bits });
  }
  const used = ranges.reduce((sum, [, length]) => sum + length, 0);
  const found =
    bit < 0
      ? `no window of ${bits} bits aligned to 2^${align}: ${size - used} of ${size} are free, ` +
        `the longest run is ${longestRun(ranges, size)}`
      : `window at bit ${bit} (pfn ${basePfn + bit}), ${bits} bits, aligned to 2^${align}`;
  const range = `bits ${from} to ${to}${per > 1 ? `, ${per} per character` : ''}`;
  return [
    `${areaName} searched from bit ${start}: ${found}`,
    `  ${drawing}`,
    `  ${range}; . free  X used  x partly used${bit < 0 ? '' : '  # the window'}`,
  ];
}

function cellOf(
  ranges: SightRow['ranges'],
  { cell, end, bit, bits }: { cell: number; end: number; bit: number; bits: number },
): string {
  if (bit >= 0 && cell < bit + bits && end > bit) return '#';
  let used = 0;
  for (const [start, length] of ranges) {
    used += Math.max(0, Math.min(end, start + length) - Math.max(cell, start));
  }
  if (used === 0) return '.';
  return used === end - cell ? 'X' : 'x';
}

function longestRun(ranges: SightRow['ranges'], size: number): number {
  let longest = 0;
  let from = 0;
  for (const [start, length] of ranges) {
    longest = Math.max(longest, start - from);
    from = start + length;
  }
  return Math.max(longest, size - from);
}

/** A list of requests, for choosing one to ask about. */
export function requestsText({ requests }: Requests, total: number): string {
  const rows = requests.map((one) => [
    one.name,
    one.issued,
    sizeText(one.bytes),
    Number.isNaN(one.settled) ? 'unanswered' : one.source,
    one.nid < 0 ? '-' : String(one.nid),
    one.nid < 0 ? '' : isLocal(one) ? 'local' : 'remote',
    Number.isNaN(one.settled) ? null : took(one),
  ]);
  const columns = [
    { title: 'request' },
    { title: 'asked ns', right: true },
    { title: 'size', right: true },
    { title: 'from' },
    { title: 'node', right: true },
    { title: 'is' },
    { title: 'took ns', right: true },
  ];
  const shown =
    requests.length < total ? `${requests.length} of ${total} requests` : `${total} requests`;
  return [...table(columns, rows), '', shown].join('\n');
}
