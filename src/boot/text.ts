/**
 * A boot for people and for scripts: areas asked for and where they lie, the kernel's own messages,
 * and a sentence for everything that did not happen as asked.
 */

import type { BootReport } from '../mm/boot/boot.js';
import { errnoNumbers, phys } from '../mm/boot/declare.js';
import type { Kernel } from '../mm/release.js';
import { type Paint, right, sizeText, table } from '../text/table.js';
import { printable } from '../text/userError.js';
import type { BootsCheck, BootsDifference } from './check.js';
import { differenceText } from './compared.js';
import type { MachineBoot } from './input.js';

/** A boot, and by which names what was booted is known. */
export interface NamedBoot {
  readonly machine: string;
  readonly kernel: Kernel;
  readonly cmdline: string;
  readonly from: MachineBoot;
  readonly report: BootReport;
}

const anyNode = (nid: number) => (nid < 0 ? 'any' : String(nid));

function areaTable({ report }: NamedBoot): string[] {
  if (report.requests.length === 0) {
    return [report.crash === null ? 'no area was asked for' : 'the kernel does not boot'];
  }
  const rows = report.requests.map((request) => {
    const { name, nid, asked, size, base, index, errno } = request;
    const area = report.areas[index];
    const isActive = area !== undefined && area.count > 0;
    return [
      name,
      anyNode(nid),
      sizeText(asked),
      base === null ? '-' : sizeText(size),
      base === null ? (errno === null ? '-' : `${errnoNumbers[errno]}`) : phys(base),
      area ? String(area.nid) : '-',
      area ? area.zone : '-',
      area ? (isActive ? String(area.count) : 'inactive') : '-',
    ];
  });
  const asked = right('for node', 'asked', 'taken', 'at, or errno', 'on node');
  return table(['area', ...asked, 'zone', ...right('pages')], rows);
}

function useTable({ report }: NamedBoot): string[] {
  if (report.use.length === 0) return [];
  const rows = report.use.map(({ nid, taken, rounding, lost }) => [
    String(nid),
    sizeText(taken),
    sizeText(rounding),
    sizeText(lost),
  ]);
  const columns = right('node', 'taken by areas', 'of it rounding', 'lost for good');
  return ['', ...table(columns, rows)];
}

/** Sentences, each with what it is about. */
function sentences({ report, from, kernel }: NamedBoot): string[] {
  const { release, reservation } = kernel;
  const lines = report.requests
    .filter((request) => request.sentence !== '')
    .map((request) => `${request.name}: ${request.sentence}`);
  for (const note of from.commandLine.notes) lines.push(`${note.parameter}: ${note.text}`);
  const { parameters } = from.commandLine;
  const isAsked = parameters.numaCmaConfigured;
  if (isAsked && !reservation.calledOn.includes(from.input.arch)) {
    lines.push(`${release.id} reserves areas per node on ${reservation.calledOn.join(', ')} only`);
  }
  for (const [nid, size] of parameters.sizeByNode) {
    if (from.input.nodes.some((node) => node.nid === nid)) continue;
    lines.push(
      `numa_cma: node ${nid} (${sizeText(size)}) is not possible here: passed over in silence`,
    );
  }
  if (report.crash !== null) lines.push(report.crash);
  return [...lines, ...from.notes];
}

/** Tables, messages and sentences. */
export function bootText(booted: NamedBoot, paint: Paint): string {
  const { machine, kernel, cmdline, from, report } = booted;
  const { arch, pageSize } = from.input;
  const page = sizeText(pageSize);
  const { id } = kernel.reservation;
  const by = id === 'none' ? 'no areas per node' : `areas per node as in ${id}`;
  const lines = [
    paint.bold(`${machine}: ${kernel.release.id} on ${arch}, pages of ${page}, ${by}`),
    `command line: ${cmdline === '' ? '(empty)' : printable(cmdline)}`,
    '',
    ...areaTable(booted),
    ...useTable(booted),
  ];
  if (report.log.length > 0) lines.push('', paint.bold('the kernel says:'), ...report.log);
  const pools = report.atomicPools.map(({ message, fromDefaultArea }) => {
    return `${message}, from ${fromDefaultArea ? 'the default area' : 'the buddy'}`;
  });
  if (pools.length > 0) lines.push('', paint.bold('before the first driver:'), ...pools);
  const told = sentences(booted);
  if (told.length > 0) lines.push('', paint.bold('not as asked:'), ...told);
  return lines.join('\n');
}

/** The same as one document, in bytes and pages. */
export function bootDocument(booted: NamedBoot): Record<string, unknown> {
  const { machine, kernel, cmdline, from, report } = booted;
  return {
    format: 'cmasim-boot/1',
    machine,
    kernel: kernel.release.id,
    policy: kernel.policy.id,
    reservation: kernel.reservation.id,
    arch: from.input.arch,
    page_size_bytes: from.input.pageSize,
    cmdline,
    crash: report.crash,
    areas: report.areas.map((area) => ({
      index: area.index,
      name: area.name,
      role: area.role,
      nid: area.nid,
      asked_nid: area.slotNid,
      base_pfn: area.basePfn,
      count: area.count,
      order_per_bit: area.orderPerBit,
      zone: area.zone,
    })),
    default: report.defaultArea,
    requests: report.requests.map((request) => ({
      name: request.name,
      nid: request.nid,
      asked_bytes: request.asked,
      size_bytes: request.size,
      base: request.base,
      errno: request.errno === null ? 0 : errnoNumbers[request.errno],
      sentence: request.sentence,
    })),
    log: report.log,
    nodes: report.use.map(({ nid, taken, rounding, lost }) => ({
      nid,
      taken_bytes: taken,
      rounding_bytes: rounding,
      lost_bytes: lost,
    })),
    atomic_pools: report.atomicPools.map(({ gfp, order, fromDefaultArea }) => ({
      gfp,
      order,
      from_default_area: fromDefaultArea,
    })),
    notes: sentences(booted),
  };
}

/** Boots of one file, held against the model. */
export interface BootsFileCheck extends BootsCheck {
  readonly file: string;
}

/** A row per file of recorded boots, and the first difference. */
export function checkText(
  files: readonly BootsFileCheck[],
  first: BootsDifference | null,
  paint: Paint,
): string {
  const lines = table(
    ['recording', ...right('boots', 'equal', 'different', 'values compared')],
    files.map((f) => [f.file, f.compared, f.equal, f.different, f.values]),
  );
  if (first !== null) {
    const { file, line, name, what } = first;
    const where = `${file}:${line}: ${name}: first difference, ${what}`;
    lines.push('', ...differenceText(where, first, paint));
  }
  const notes = new Set(files.flatMap((f) => [...f.notes]));
  if (notes.size > 0) lines.push('', 'not in the recordings:', ...[...notes].map((n) => `  ${n}`));
  return lines.join('\n');
}
