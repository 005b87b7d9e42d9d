/**
 * The answer of `size` as a person reads it, and for scripts.
 */

import type { Scenario } from '../scenario/scenario.js';
import type { MeanEstimate, ProportionEstimate } from '../study/intervals.js';
import { type Paint, percentText, right, sizeText, table, timeText } from '../text/table.js';
import type { AreaKey } from './bootString.js';
import type { CurvePoint, SizeAnswer, SizeOptions } from './size.js';

type Asked = Pick<SizeOptions, 'risk' | 'confidence' | 'avoid'>;
type Found = Extract<SizeAnswer, { found: true }>;

const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`;

/** Name of an area as the kernel's parameters have it. */
function areaName(key: AreaKey): string {
  if (key === 'default') return 'default area';
  return key === 'every' ? 'every node' : `node ${key}`;
}

export function sizeAnswerText(
  scenario: Scenario,
  answer: SizeAnswer,
  { risk, confidence, avoid, paint }: Asked & { readonly paint: Paint },
): string {
  const what = `${avoid.join(' or ')} in at most ${percent(risk)} of runs`;
  const head = [
    paint.bold(`${scenario.name}: kernel ${scenario.kernel} on ${scenario.machine.name}`),
    `  ${what}, ${percent(confidence)} confidence`,
    '',
  ];
  if (!answer.found) return [...head, ...nothingLines(answer)].join('\n');
  const { boot, bad, made, seeds, reserved, areas } = answer;
  const config = boot.config === scenario.config ? [] : configLines(answer);
  const nothing = areas.every(({ size }) => size === 0);
  return [
    ...head,
    ...[boot.parameters, ...config].filter((line) => line !== '').map((line) => paint.bold(line)),
    '',
    `  ${sizeText(reserved)} reserved, ${badText(bad)}`,
    ...(bad.high > risk ? [paint.bad(`  more than ${percent(risk)}: ${hint(answer)}`)] : []),
    ...(nothing ? ['  nothing goes wrong without any area: the buddy serves these devices'] : []),
    `  ${made} runs, ${seeds} seeds`,
    '',
    ...areaTable(answer),
    '',
    ...curveTable(answer),
  ].join('\n');
}

function badText({ hits, count, high }: Found['bad']): string {
  return `${hits} of ${count} runs bad: at most ${percent(high)}`;
}

function configLines({ boot }: Found): string[] {
  return Object.entries(boot.config).map(([symbol, value]) => {
    return `CONFIG_${symbol.replace(/^CONFIG_/, '')}=${value}`;
  });
}

function hint({ bad }: Found): string {
  if (bad.hits > 0) return 'larger areas do not help here';
  return `${bad.count} runs cannot show less; leave --runs out`;
}

function areaTable({ areas }: Found): string[] {
  const columns = right('size', 'needed at least', 'next size down', 'bad runs there');
  return table(
    ['area', ...columns],
    areas.map(({ key, size, low, nextDown }) => [
      areaName(key),
      sizeText(size),
      sizeText(low),
      nextDown ? sizeText(nextDown.size) : '-',
      nextDown ? proportionText(nextDown.bad) : '-',
    ]),
  );
}

function curveTable({ curve }: Found): string[] {
  const columns = right('reserved', 'bad runs', 'refused/run', 'remote/run', 'dma_alloc mean');
  return table(
    [...columns, 'sizes'],
    curve.map(({ sizes, reserved, bad, refused, remote, allocNs }) => [
      sizeText(reserved),
      proportionText(bad),
      meanText(refused),
      meanText(remote),
      allocNs.count > 0 ? timeText(allocNs.mean) : '-',
      [...sizes].map(([key, size]) => `${areaName(key)} ${sizeText(size)}`).join(', '),
    ]),
  );
}

function proportionText({ hits, count, low, high }: ProportionEstimate): string {
  const bounds = `${percentText(low)} to ${percentText(high)}`;
  return `${hits} of ${count} (${bounds})`;
}

function meanText({ mean }: MeanEstimate): string {
  return String(Number(mean.toPrecision(3)));
}

function nothingLines(answer: Extract<SizeAnswer, { found: false }>): string[] {
  const { short, unreserved, seed, slots, made } = answer;
  const list = (keys: readonly AreaKey[]) => keys.map(areaName).join(', ');
  return [
    'no size is enough',
    ...(short.length > 0
      ? [`  still bad with the largest areas: ${list(short)} (seed ${seed})`]
      : []),
    ...(unreserved.length > 0
      ? [`  not reserved by the kernel: ${list(unreserved)}; it has ${slots} slots for areas`]
      : []),
    '  devices whose mask, numa_node or node without memory rules out local memory stay bad:',
    `  cmasim run --seed ${seed} shows where their requests go; --avoid refused asks for less`,
    `  ${made} runs`,
  ];
}

const proportion = ({ hits, count, low, high }: ProportionEstimate) => ({ hits, count, low, high });
const figure = ({ count, mean, low, high }: MeanEstimate) => {
  return { count, mean: Number.isFinite(mean) ? mean : null, low, high };
};

export function sizeDocument(
  scenario: Scenario,
  answer: SizeAnswer,
  { risk, confidence, avoid }: Asked,
): Record<string, unknown> {
  const { name, kernel, policy, machine, seed } = scenario;
  const about = { scenario: name, kernel, policy, machine: machine.name, seed };
  const asked = { risk, confidence, avoid };
  const head = { format: 'cmasim-size/1', ...about, ...asked, found: answer.found };
  if (!answer.found) {
    const { short, unreserved, slots, made } = answer;
    return {
      ...head,
      short: short.map(areaName),
      unreserved: unreserved.map(areaName),
      slots,
      runs: made,
    };
  }
  const { boot, areas, reserved, bad, curve, made, seeds, step } = answer;
  return {
    ...head,
    ...{ boot: boot.parameters, cmdline: boot.cmdline, config: boot.config },
    ...{ reserved_bytes: reserved, step_bytes: step, runs: made, seeds, bad },
    areas: areas.map(({ key, size, low, nextDown }) => ({
      name: areaName(key),
      nid: typeof key === 'number' ? key : null,
      size_bytes: size,
      needed_low_bytes: low,
      needed_high_bytes: size,
      next_down: nextDown && { size_bytes: nextDown.size, bad: proportion(nextDown.bad) },
    })),
    curve: curve.map(pointDocument),
  };
}

function pointDocument({ sizes, reserved, bad, refused, remote, allocNs }: CurvePoint) {
  return {
    sizes_bytes: Object.fromEntries([...sizes].map(([key, size]) => [areaName(key), size])),
    reserved_bytes: reserved,
    bad: proportion(bad),
    refused_per_run: figure(refused),
    remote_per_run: figure(remote),
    dma_alloc_ns: figure(allocNs),
  };
}
