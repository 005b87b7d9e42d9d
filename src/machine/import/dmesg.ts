/**
 * A machine's memory as its kernel log tells it: ranges by node, what was reserved early, what CMA
 * said.
 *
 * Text in, data out. Reads "Early memory node ranges", NODE_DATA, RAMDISK, ACPI tables,
 * crashkernel, the release and the command line; `lacks` says what a boot would need and the log
 * does not have. Left out: logs without NUMA, memblock=debug.
 */

import type { MemRegion, Range } from '../../mm/boot/memblock.js';

export interface KernelLog {
  /** `7.2.13+deb14-arm64`; empty when the first line is missing. */
  readonly version: string;
  readonly arch: 'arm64' | 'x86';
  /** Bytes; read off the flavour in the version, 4096 without one. */
  readonly pageSize: number;
  /** Empty when the log has no "Command line" line. */
  readonly commandLine: string;
  readonly memory: readonly MemRegion[];
  /** Nodes that were given a struct pglist_data, ascending: online when areas are reserved. */
  readonly online: readonly number[];
  /** Nodes the firmware names. */
  readonly possible: readonly number[];
  /** Reserved before the first area, in bytes, as far as the log says. */
  readonly reserved: readonly Range[];
  /** Messages of the boot about CMA, in order, without time stamps. */
  readonly cma: readonly string[];
  /** "DMA: preallocated ..." lines, in order. */
  readonly atomicPools: readonly string[];
  /** Parameters the kernel said it does not know. */
  readonly unknownParameters: readonly string[];
  /** What the log does not say and a boot would need, a sentence each. */
  readonly lacks: readonly string[];
}

const time = /^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s/;
const nodeRange = /^\s+node\s+(\d+): \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]/;
const nodeData = /^NODE_DATA\((\d+)\) allocated \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]/;
const srat = /SRAT: Node (\d+) PXM \d+ \[mem|SRAT: PXM \d+ -> .*Node (\d+)/;

/** Lines of the form "... [mem a-b]" that name memory in use before the first area. */
const reservations: readonly RegExp[] = [
  /^RAMDISK: \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]/,
  /^ACPI: Reserving \S+ table memory at \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]/,
  /^found SMP MP-table at \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\]/,
  nodeData,
];

/**
 * What boot prints of mm/cma.c, kernel/dma/contiguous.c and mm/hugetlb.c; allocations print other
 * things.
 */
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
const bootMessage = new RegExp(`^(?:cma: (?:${cmaMessages.join('|')})|hugetlb_cma: )`);

function rangeOf(match: RegExpExecArray): Range {
  const [start, last] = match.slice(-2).map(Number) as [number, number];
  return [start, last + 1];
}

function pageSizeOf(version: string): number {
  if (/-16k\b/.test(version)) return 16384;
  return /-64k\b/.test(version) ? 65536 : 4096;
}

/** Start and end of the zones' lines are enough to know them for what they are. */
function lacking(log: Omit<KernelLog, 'lacks'>, known: { image: boolean }): string[] {
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

const ascending = (set: ReadonlySet<number>) => [...set].sort((a, b) => a - b);

/**
 * Reads a kernel log. `iomem` is /proc/iomem of the same machine, empty if there is none.
 *
 * Never fails: what is not there is empty, and `lacks` says so.
 */
export function readKernelLog(text: string, iomem = ''): KernelLog {
  const memory: MemRegion[] = [];
  const image = imageRanges(iomem);
  const reserved: Range[] = [...image];
  const online = new Set<number>();
  const possible = new Set<number>();
  const cma: string[] = [];
  const atomicPools: string[] = [];
  const unknownParameters: string[] = [];
  let version = '';
  let commandLine = '';
  for (const raw of text.split('\n')) {
    const line = raw.replace(time, '').trimEnd();
    version ||= /^Linux version (\S+)/.exec(line)?.[1] ?? '';
    commandLine ||= /^(?:Kernel command|Command) line: (.*)/.exec(line)?.[1] ?? '';
    const range = nodeRange.exec(line);
    if (range) {
      const [start, end] = rangeOf(range);
      memory.push({ base: start, size: end - start, nid: Number(range[1]) });
    }
    const pgdat = nodeData.exec(line);
    if (pgdat) online.add(Number(pgdat[1]));
    const node = srat.exec(line);
    if (node) possible.add(Number(node[1] ?? node[2]));
    for (const pattern of reservations) {
      const match = pattern.exec(line);
      if (match) reserved.push(rangeOf(match));
    }
    if (bootMessage.test(line)) cma.push(line);
    if (line.startsWith('DMA: preallocated ')) atomicPools.push(line);
    const unknown = /^Unknown kernel command line parameters "([^"]*)"/.exec(line);
    if (unknown) unknownParameters.push(...unknown[1].split(/\s+/));
  }
  for (const nid of online) possible.add(nid);
  const log = {
    version,
    arch: /arm64|aarch64/.test(text.slice(0, 2000)) ? ('arm64' as const) : ('x86' as const),
    pageSize: pageSizeOf(version),
    commandLine,
    memory,
    online: ascending(online),
    possible: ascending(possible),
    reserved,
    cma,
    atomicPools,
    unknownParameters,
  };
  return { ...log, lacks: lacking(log, { image: image.length > 0 }) };
}

/** Zone columns of /proc/zoneinfo: what does not change after boot. */
export interface ZoneInfo {
  readonly nid: number;
  readonly zone: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
}

/** Zones with pages, in the order of the file. */
export function readZoneinfo(text: string): ZoneInfo[] {
  const zones: ZoneInfo[] = [];
  for (const block of text.split(/^(?=Node \d+, zone)/m)) {
    const head = /^Node (\d+), zone\s+(\S+)/.exec(block);
    const number = (name: string) =>
      Number(new RegExp(`^\\s+${name}\\s+(\\d+)$`, 'm').exec(block)?.[1]);
    const startPfn = Number(/^\s+start_pfn:\s+(\d+)$/m.exec(block)?.[1]);
    const spanned = number('spanned');
    if (!head || !(spanned > 0)) continue;
    const nid = Number(head[1]);
    zones.push({ nid, zone: head[2], startPfn, spanned, present: number('present') });
  }
  return zones;
}
