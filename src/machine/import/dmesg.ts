/**
 * Memory of a machine as its kernel log tells it: ranges by node, early reservations, CMA's
 * messages.
 *
 * Text in, data out. Reads "Early memory node ranges", NODE_DATA, RAMDISK, ACPI tables,
 * crashkernel, the release and the command line; `lacks` says what a boot would need and the log
 * does not have. Left out: logs without NUMA, memblock=debug.
 */

import type { MemRegion } from '../../mm/boot/memblock.js';
import type { Range } from '../../mm/ranges.js';

export class KernelLog {
  /** `7.2.13+deb14-arm64`; empty when the first line is missing. */
  version = '';
  arch: 'arm64' | 'x86' = 'x86';
  /** Bytes; read off the flavour in the version, 4096 without one. */
  pageSize = 4_096;
  /** Empty when the log has no "Command line" line. */
  commandLine = '';
  readonly memory: MemRegion[] = [];
  /** Nodes that were given a struct pglist_data, ascending: online when areas are reserved. */
  online: readonly number[] = [];
  /** Nodes the firmware names, ascending. */
  possible: readonly number[] = [];
  /** Reserved before the first area, in bytes, as far as the log says. */
  readonly reserved: Range[] = [];
  /** Messages of the boot about CMA, in order, without time stamps. */
  readonly cma: string[] = [];
  /** "DMA: preallocated ..." lines, in order. */
  readonly atomicPools: string[] = [];
  /** Parameters the kernel said it does not know. */
  readonly unknownParameters: string[] = [];
  /** Gaps that a boot would need filled, a sentence each. */
  lacks: readonly string[] = [];
}

const time = /^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s/;
const range = String.raw`\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]`;

/** Messages of boot in mm/cma.c, kernel/dma/contiguous.c and mm/hugetlb.c, none of allocation. */
const cmaMessages = [
  'Reserved',
  'Failed to reserve',
  'Not enough slots',
  'Region at',
  'Size \\(',
  'CMA area',
  'dma_\\w+_reserve:',
  'invalid node',
  'Config string',
];

function rangeOf(match: RegExpExecArray): Range {
  const [start, last] = match.slice(-2).map(Number);
  return [start, last + 1];
}

function withNode(nids: readonly number[], nid: string): number[] {
  return [...new Set([...nids, Number(nid)])].sort((a, b) => a - b);
}

function reserve(log: KernelLog, match: RegExpExecArray): void {
  log.reserved.push(rangeOf(match));
}

type Take = (log: KernelLog, match: RegExpExecArray) => void;

/** Lines that say something of the machine, and the place it goes to. */
const forms: readonly (readonly [form: RegExp, take: Take])[] = [
  [/^Linux version (\S+)/, (log, match) => (log.version ||= match[1])],
  [/^(?:Kernel command|Command) line: (.*)/, (log, match) => (log.commandLine ||= match[1])],
  [
    new RegExp(String.raw`^\s+node\s+(\d+): ${range}`),
    (log, match) => {
      const [start, end] = rangeOf(match);
      log.memory.push({ base: start, size: end - start, nid: Number(match[1]) });
    },
  ],
  [
    /SRAT: Node (\d+) PXM \d+ \[mem|SRAT: PXM \d+ -> .*Node (\d+)/,
    (log, match) => (log.possible = withNode(log.possible, match[1] ?? match[2])),
  ],
  [
    new RegExp(String.raw`^NODE_DATA\((\d+)\) allocated ${range}`),
    (log, match) => {
      log.online = withNode(log.online, match[1]);
      log.possible = withNode(log.possible, match[1]);
      reserve(log, match);
    },
  ],
  [new RegExp(`^RAMDISK: ${range}`), reserve],
  [new RegExp(String.raw`^ACPI: Reserving \S+ table memory at ${range}`), reserve],
  [new RegExp(`^found SMP MP-table at ${range}`), reserve],
  [
    new RegExp(`^(?:cma: (?:${cmaMessages.join('|')})|hugetlb_cma: )`),
    (log, { input }) => log.cma.push(input),
  ],
  [/^DMA: preallocated /, (log, { input }) => log.atomicPools.push(input)],
  [
    /^Unknown kernel command line parameters "([^"]*)"/,
    (log, match) => log.unknownParameters.push(...match[1].split(/\s+/)),
  ],
];

function pageSizeOf(version: string): number {
  if (/-16k\b/.test(version)) return 16384;
  return /-64k\b/.test(version) ? 65536 : 4096;
}

function lacking(log: KernelLog, known: { image: boolean }): string[] {
  const lacks: string[] = [];
  if (log.version === '') lacks.push('no "Linux version" line: which kernel it was');
  if (log.memory.length === 0) {
    lacks.push('no "Early memory node ranges": which addresses belong to which node');
  }
  if (log.online.length === 0) {
    lacks.push('no NODE_DATA lines: which nodes were online, and what lies at their upper ends');
  }
  if (!known.image) {
    lacks.push('where the kernel image lies, which no line says (iomem has it where root read it)');
  }
  lacks.push(
    'early page tables and what firmware handed over beyond ACPI tables and RAM disk ' +
      '(memblock=debug would print them)',
  );
  lacks.push('the kernel configuration (CONFIG_CMA_*, CONFIG_DMA_NUMA_CMA)');
  return lacks;
}

/** Kernel code, data and bss of /proc/iomem, where it was read by root. */
function imageRanges(iomem: string): Range[] {
  const line = /^\s*([0-9a-f]+)-([0-9a-f]+) : Kernel (?:code|rodata|data|bss)$/gm;
  return Array.from(iomem.matchAll(line), (m): Range => {
    return [Number.parseInt(m[1], 16), Number.parseInt(m[2], 16) + 1];
  }).filter(([start]) => start > 0);
}

/**
 * Reads a kernel log. `iomem` is /proc/iomem of the same machine, empty if there is none.
 *
 * Never fails: what is not there is empty, and `lacks` says so.
 */
export function readKernelLog(text: string, iomem = ''): KernelLog {
  const log = new KernelLog();
  const image = imageRanges(iomem);
  log.reserved.push(...image);
  for (const raw of text.split('\n')) {
    const line = raw.replace(time, '').trimEnd();
    for (const [form, take] of forms) {
      const match = form.exec(line);
      if (match !== null) take(log, match);
    }
  }
  if (/arm64|aarch64/.test(text.slice(0, 2_000))) log.arch = 'arm64';
  log.pageSize = pageSizeOf(log.version);
  log.lacks = lacking(log, { image: image.length > 0 });
  return log;
}
