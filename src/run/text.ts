/**
 * The summary of a run as a kernel engineer reads it: where every device's memory came from, the
 * areas, the latencies with their class, what was found, what was expected.
 */

import { type Cell, type Paint, percentText, sizeText, table, timeText } from '../text/table.js';
import { printable } from '../text/userError.js';
import type { AreaResult, DeviceResult, RunResult, StatResult } from './result.js';

/** Tables longer than this have one row per declaration instead of one per device. */
const rowsMax = 24;
/** Rows of times of single devices; beyond, their declarations stand for them. */
const timesMax = 40;
const findingsShown = 3;

export interface TextOptions {
  readonly paint: Paint;
  /**
   * Leave out the numbers the times rest on: they stand under an earlier run of the same command.
   */
  readonly numbersKnown?: boolean;
}

/** Lines of the summary, sections apart by an empty line. */
export function runText(result: RunResult, { paint, numbersKnown = false }: TextOptions): string {
  const sections = [
    head(result, paint),
    titled(paint, 'Where memory came from (requests)', devicesTable(result)),
    titled(paint, 'Areas (pages unless said)', areasTable(result.areas)),
    titled(paint, 'Times', statsTable(result)),
    titled(
      paint,
      'Calibrated numbers these times rest on',
      numbersKnown ? [] : parameterTable(result),
    ),
    titled(paint, 'Findings', findingLines(result)),
    titled(paint, 'Checks', checkLines(result, paint)),
    titled(paint, 'Notes', [...result.notes]),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function titled(paint: Paint, title: string, lines: readonly string[]): string[] {
  return lines.length > 0 ? [paint.bold(title), ...lines.map((line) => `  ${line}`)] : [];
}

function head(result: RunResult, paint: Paint): string[] {
  const name = result.title === '' ? result.scenario : `${result.scenario}: ${result.title}`;
  const kernel =
    result.policy === result.kernel ? result.kernel : `${result.kernel}, policy ${result.policy}`;
  const count = `${result.events} ${result.events === 1 ? 'event' : 'events'}`;
  const lines = [
    paint.bold(printable(name)),
    `  kernel ${kernel} | machine ${printable(result.machine)} | seed ${result.seed}`,
    `  cmdline ${result.cmdline === '' ? '(empty)' : printable(result.cmdline)}`,
    `  fingerprint ${result.fingerprint} | ${timeText(result.simulatedNs)} simulated | ${count}`,
  ];
  if (result.interrupted) lines.push(paint.bad('  interrupted: everything below is partial'));
  return lines;
}

/**
 * What it took, for a terminal's standard error: the summary itself has the same bytes every time.
 */
export function timingText({ scenario, events: count, wallMs, shards }: RunResult): string {
  const rate = wallMs > 0 ? `, ${rateText((count / wallMs) * 1000)} events/s` : '';
  const on = `${shards} ${shards === 1 ? 'shard' : 'shards'}`;
  return `${scenario}: ${timeText(wallMs * 1e6)} on ${on}${rate}`;
}

/** 1.23 M */
export function rateText(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M`;
  if (rate >= 1e3) return `${(rate / 1e3).toFixed(1)} k`;
  return rate.toFixed(0);
}

function devicesTable({ devices, areas }: RunResult): string[] {
  const rows = devices.length <= rowsMax ? devices.map((one) => [one]) : byDeclaration(devices);
  const columns = [
    { title: 'device' },
    { title: 'kind' },
    { title: 'node', right: true },
    { title: 'from' },
    { title: 'refused', right: true },
    { title: 'leaked pages', right: true },
    { title: 'local', right: true },
  ];
  if (rows.length === 0) return [];
  return table(
    columns,
    rows.map((group) => deviceRow(group, areas)),
  );
}

function byDeclaration(devices: readonly DeviceResult[]): DeviceResult[][] {
  const groups = new Map<string, DeviceResult[]>();
  for (const device of devices) {
    const group = groups.get(device.declaration);
    if (group) group.push(device);
    else groups.set(device.declaration, [device]);
  }
  return [...groups.values()];
}

/** One device, or all of a declaration: then the node column says how many nodes. */
function deviceRow(group: readonly DeviceResult[], areas: readonly AreaResult[]): Cell[] {
  const first = group[0];
  const sum = (of: (device: DeviceResult) => number) =>
    group.reduce((total, device) => total + of(device), 0);
  const from = [
    [
      group.length === 1 ? nodeAreas(first, areas) : 'node areas',
      sum(({ placed, placedRemote }) => placed.node - placedRemote.node),
    ],
    ["another node's area", sum(({ placedRemote }) => placedRemote.node)],
    ['device area', sum(({ placed }) => placed.device)],
    [defaultArea(areas), sum(({ placed }) => placed.default)],
    ['buddy', sum(({ placed, placedRemote }) => placed.buddy - placedRemote.buddy)],
    ['remote buddy', sum(({ placedRemote }) => placedRemote.buddy)],
  ] as const;
  const granted = sum(({ placed }) => placed.device + placed.node + placed.default + placed.buddy);
  const local = sum((device) => (device.localShare ?? 0) * grantedTo(device));
  const nodes = new Set(group.map(({ node }) => node)).size;
  return [
    group.length === 1 ? first.name : `${first.declaration} x ${group.length}`,
    first.kind,
    group.length === 1 ? first.node : `${nodes} nodes`,
    from
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || '-',
    sum(({ refused }) => refused),
    sum(({ leakedPages }) => leakedPages),
    percentText(granted > 0 ? local / granted : null),
  ];
}

function grantedTo({ placed }: DeviceResult): number {
  return placed.device + placed.node + placed.default + placed.buddy;
}

/** The areas of the device's node that served anyone: `pernuma2`, `pernuma2/numa2`. */
function nodeAreas({ node }: DeviceResult, areas: readonly AreaResult[]): string {
  const own = areas.filter(
    ({ nid, role, allocPagesSuccess }) =>
      nid === node && (role === 'pernuma' || role === 'numa') && allocPagesSuccess > 0,
  );
  return own.length > 0 ? own.map(({ name }) => name).join('/') : 'node area';
}

function defaultArea(areas: readonly AreaResult[]): string {
  const area = areas.find(({ role }) => role === 'default');
  return area ? `${area.name} (node ${area.nid})` : 'default area';
}

function areasTable(areas: readonly AreaResult[]): string[] {
  if (areas.length === 0) return [];
  const columns = ['node', 'base_pfn', 'size', 'used', 'peak', 'maxchunk', 'success', 'fail'];
  const chosen = shown(areas);
  const more = areas.length - chosen.length;
  const lines = table(
    [{ title: 'area' }, ...columns.map((title) => ({ title, right: true }))],
    chosen.map((area) => [
      area.name,
      area.nid,
      `0x${area.basePfn.toString(16)}`,
      sizeText(area.count * area.pageSize),
      area.used,
      area.peakUsed,
      area.maxchunk,
      area.allocPagesSuccess,
      area.allocPagesFail,
    ]),
  );
  return more > 0 ? [...lines, `and ${more} more areas, all in --json`] : lines;
}

/** Of very many areas the ones that say something: the default, and the fullest of the others. */
function shown(areas: readonly AreaResult[]): readonly AreaResult[] {
  if (areas.length <= rowsMax) return areas;
  const fullest = [...areas].sort(
    (a, b) => b.allocPagesFail - a.allocPagesFail || b.peakUsed / b.count - a.peakUsed / a.count,
  );
  const chosen = new Set(fullest.slice(0, 8));
  return areas.filter((area) => area.role === 'default' || chosen.has(area));
}

function statsTable({ stats, devices }: RunResult): string[] {
  const histograms = stats.filter(({ kind }) => kind === 'histogram');
  if (histograms.length === 0) return [];
  const names = new Set(devices.map(({ name }) => name));
  const declarations = new Set(devices.map(({ declaration }) => declaration));
  const many = histograms.filter(({ actor }) => names.has(actor)).length > timesMax;
  const recordedFor = (actors: ReadonlySet<string>) =>
    new Set(histograms.filter(({ actor }) => actors.has(actor)).map(({ name }) => name));
  const ofDevices = recordedFor(names);
  const ofDeclarations = recordedFor(declarations);
  // Devices where they are few and have their own; else their declarations; else all together.
  const wanted = ({ actor, name }: StatResult) => {
    if (!many && ofDevices.has(name)) return names.has(actor);
    return ofDeclarations.has(name) ? declarations.has(actor) : actor === '';
  };
  const columns = ['count', 'mean', 'p50', 'p99', 'max'];
  return table(
    [
      { title: 'statistic' },
      { title: 'of' },
      { title: 'unit' },
      ...columns.map((title) => ({ title, right: true })),
      { title: 'class' },
    ],
    histograms
      .filter(wanted)
      .map((stat) => [
        stat.name,
        stat.actor === '' ? 'all' : stat.actor,
        stat.unit,
        stat.count,
        stat.mean,
        stat.p50,
        stat.p99,
        stat.max,
        stat.class,
      ]),
  );
}

function parameterTable({ parameters }: RunResult): string[] {
  const calibrated = parameters.filter((one) => one.class === 'calibrated');
  const assumed = parameters.filter((one) => one.class === 'assumed').length;
  if (calibrated.length === 0) return [];
  const lines = table(
    [{ title: 'number' }, { title: 'value', right: true }, { title: 'unit' }, { title: 'source' }],
    calibrated.map(({ name, value, unit, source }) => [name, String(value), unit, source]),
  );
  const numbers = assumed === 1 ? 'number' : 'numbers';
  return [...lines, `and ${assumed} assumed ${numbers}: --json and manifest.json list them all`];
}

/** The first of every kind; a policy that loses pages does so with every free. */
function findingLines({ findings }: RunResult): string[] {
  const kinds = [...new Set(findings.map(({ kind }) => kind))];
  return kinds.flatMap((kind) => {
    const all = findings.filter((one) => one.kind === kind);
    const lines = all
      .slice(0, findingsShown)
      .map(({ time, text }) => `${kind} at ${timeText(time)}: ${text}`);
    const more = all.length - lines.length;
    return more > 0 ? [...lines, `${kind}: ${more} more, all in --json`] : lines;
  });
}

function checkLines({ checks }: RunResult, paint: Paint): string[] {
  return checks.map(({ expr, ok, value, missing }) => {
    const mark = ok ? paint.good('ok  ') : paint.bad('FAIL');
    if (missing.length > 0)
      return `${mark}  ${printable(expr)}  (no ${missing.join(', ')} in this run)`;
    const got = value === null ? 'nothing' : Number(value.toPrecision(6));
    return `${mark}  ${printable(expr)}  (${got})`;
  });
}
