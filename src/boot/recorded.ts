/**
 * Recorded boots: what a kernel started from, and what it made of it.
 *
 * Reads the rows of boots.jsonl, the first three lines of an operation file (meta, boot, areas),
 * and the kernel log of a machine. Text in, data out; what a recording does not hold is null and is
 * not compared.
 */

import { emptyFile } from '../files/read.js';
import type { KernelLog } from '../machine/import/dmesg.js';
import type { ZoneFacts } from '../machine/import/facts.js';
import type { MemRegion } from '../mm/boot/memblock.js';
import type { Arch } from '../mm/boot/reservation.js';
import type { AreaLayout, ZoneLayout } from '../mm/layout.js';
import type { Range } from '../mm/ranges.js';
import { releases } from '../mm/release.js';
import { InputError } from '../trace/read/input.js';
import {
  type AreasRow,
  areasRow,
  type BootedRow,
  type BootRow,
  bootedRow,
  bootRow,
  linesOf,
  type RecordedLine,
  readRow,
} from './recordedRows.js';

export type RecordedArea = Pick<
  AreaLayout,
  'name' | 'basePfn' | 'count' | 'nid' | 'zone' | 'orderPerBit'
>;

/** Columns of a zone that do not change after boot. */
export interface RecordedZone
  extends Pick<ZoneLayout, 'name' | 'startPfn' | 'spanned' | 'present'> {
  readonly nid: number;
}

/** What came of a boot; null: the recording does not say. */
export interface BootOutcome {
  readonly crashed: boolean;
  readonly log: readonly string[] | null;
  readonly areas: readonly RecordedArea[] | null;
  readonly defaultArea: number | null;
  readonly reserved: readonly Range[] | null;
  readonly online: readonly number[] | null;
  readonly zones: readonly RecordedZone[] | null;
  readonly atomicPools: readonly string[] | null;
  /** Names and page counts of /sys/kernel/mm/cma. */
  readonly totals: readonly (readonly [name: string, pages: number])[] | null;
}

export interface RecordedBoot {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  /** Id of a release when the recording says which. */
  readonly release: string | null;
  readonly arch: Arch;
  readonly pageSize: number;
  readonly cmdline: string;
  /** Kconfig values the recording gives or stands for. */
  readonly config: Readonly<Record<string, unknown>>;
  /** MAX_CMA_AREAS. */
  readonly slots: number | null;
  readonly memory: readonly MemRegion[];
  readonly reserved: readonly Range[];
  readonly nodes: readonly {
    readonly nid: number;
    readonly online: boolean;
    readonly cpus: number;
  }[];
  readonly limit: number | null;
  readonly bottomUp: boolean;
  /**
   * The memblock was taken right before the first area, when nodes are known and struct pages are
   * not yet taken; false: it is put together from a log, the boot starts before numa_init().
   */
  readonly isAfterNumaInit: boolean;
  readonly outcome: BootOutcome;
  /** What the recording lacks or stands for, a sentence each. */
  readonly notes: readonly string[];
}

/** The kernels of the recordings by the letter their files give them (their README). */
const recordedKernels: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  A: { CMA_SIZE_MBYTES: 0, CMA_AREAS: 20, CMA_ALIGNMENT: 8, NODES_SHIFT: 6 },
  B: { CMA_SIZE_MBYTES: 16, CMA_AREAS: 7, CMA_ALIGNMENT: 12, NODES_SHIFT: 6 },
  C: { CMA_SIZE_MBYTES: 0, CMA_AREAS: 20, CMA_ALIGNMENT: 8, NODES_SHIFT: 6 },
};

const range = ([base, size]: readonly [number, number, ...unknown[]]): Range => [base, base + size];

/** What a recording says nothing of. */
const notRecorded = {
  areas: null,
  defaultArea: null,
  reserved: null,
  online: null,
  zones: null,
  atomicPools: null,
  totals: null,
};

/** What the row with areas says of them and of the nodes; nothing where there is no such row. */
const areasOf = ({ areas, nodes, ...row }: AreasRow) => ({
  areas: areas.map(({ name, base_pfn, count, nid, zone, order_per_bit }): RecordedArea => {
    return { name, basePfn: base_pfn, count, nid, zone, orderPerBit: order_per_bit };
  }),
  defaultArea: row.default,
  online: nodes.filter(({ online }) => online === 1).map(({ nid }) => nid),
  zones: nodes.flatMap(({ nid, zones }) =>
    zones.map(({ name, start_pfn, spanned, present }): RecordedZone => {
      return { nid, name, startPfn: start_pfn, spanned, present };
    }),
  ),
});

/** Configuration from what a row says of it, and from the kernel it names. */
function configOf(meta: BootedRow, areas: AreasRow | null, pageSize: number) {
  const named = recordedKernels[meta.kernel];
  const notes: string[] = [];
  const config: Record<string, unknown> = { DMA_NUMA_CMA: true, ...named };
  if (meta.config) {
    config.NODES_SHIFT = Math.log2(meta.config.max_numnodes);
    config.CMA_ALIGNMENT = meta.config.cma_alignment;
  }
  const isSized = /(?:^|\s)cma=/.test(meta.cmdline);
  const standard = areas?.areas.find((area) => area.name === 'reserved');
  if (!named && !isSized && standard) {
    const mib = (standard.count * pageSize) / 2 ** 20;
    config.CMA_SIZE_MBYTES = mib;
    notes.push(`CONFIG_CMA_SIZE_MBYTES is not recorded: ${mib} taken from the area itself`);
  }
  return { config, notes };
}

function jsonlBoot(
  at: { file: string; line: number },
  meta: BootedRow,
  { boot, areas }: { boot: BootRow; areas: AreasRow | null },
): RecordedBoot {
  const pageSize = 2 ** (meta.config?.page_shift ?? 12);
  const { pre } = boot;
  const cpus = (nid: number) => areas?.cpus.filter((cpu) => cpu.node === nid).length ?? 0;
  return {
    ...at,
    name: meta.name,
    release: null,
    arch: 'x86',
    pageSize,
    cmdline: meta.cmdline,
    ...configOf(meta, areas, pageSize),
    slots: meta.config?.max_cma_areas ?? null,
    memory: pre.memory.map(([base, size, nid]) => ({ base, size, nid })),
    reserved: pre.reserved.map(range),
    nodes: pre.online.map(([nid, online]) => ({ nid, online: online === 1, cpus: cpus(nid) })),
    limit: pre.max_pfn_mapped * pageSize,
    bottomUp: pre.bottom_up === 1,
    isAfterNumaInit: true,
    outcome: {
      ...notRecorded,
      crashed: meta.crash === true,
      log: boot.log,
      reserved: boot.post.reserved.map(range),
      ...(areas === null ? {} : areasOf(areas)),
    },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The boots of a JSON Lines file: every row of a boots.jsonl, or the one an operation file begins
 * with.
 *
 * @throws InputError with file and line where the text is neither.
 */
export function readBoots(file: string, text: string): RecordedBoot[] {
  const [first] = linesOf(file, text, 1);
  if (first === undefined) throw emptyFile(file, 'recorded boots');
  if (isObject(first.value) && first.value.type === 'meta') {
    return [operationBoot(file, linesOf(file, text, 3))];
  }
  return linesOf(file, text).map(({ line, value }) => {
    if (!isObject(value) || !('boot' in value)) {
      throw new InputError(file, `${line}:1`, 'expected a recorded boot (boot, cmdline, areas)');
    }
    const meta = readRow(bootedRow, value, { file, line });
    const boot = readRow(bootRow, value.boot, { file, line, root: 'boot' });
    const hasAreas = value.areas !== undefined && value.areas !== null;
    const areas = hasAreas ? readRow(areasRow, value.areas, { file, line, root: 'areas' }) : null;
    return jsonlBoot({ file, line }, meta, { boot, areas });
  });
}

/** The boot of an operation file: its first three lines. */
function operationBoot(file: string, lines: readonly RecordedLine[]): RecordedBoot {
  const [first, second, third] = lines;
  if (third === undefined) {
    throw new InputError(file, '1:1', 'ends before the lines with memblock and areas');
  }
  const { line } = second;
  const meta = readRow(bootedRow, first.value, { file, line: first.line });
  const boot = readRow(bootRow, second.value, { file, line });
  const areas = readRow(areasRow, third.value, { file, line: third.line });
  return jsonlBoot({ file, line }, meta, { boot, areas });
}

/** The newest release that is not newer than `version`; release candidates are never meant. */
export function releaseOfVersion(version: string): string | null {
  const parse = (text: string) => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number);
  const wanted = parse(version);
  if (!wanted) return null;
  const [major, minor] = wanted as [number, number];
  const fits = releases.filter(({ id }) => {
    const [a, b] = parse(id) as [number, number];
    return !id.includes('-') && (a < major || (a === major && b <= minor));
  });
  return fits.at(-1)?.id ?? null;
}

/** Pages per area from the lines `./NAME/total_pages:N`. */
export function readCmaTotals(text: string): [name: string, pages: number][] {
  return Array.from(text.matchAll(/^\.?\/?([^/\n]+)\/total_pages:(\d+)$/gm), (m) => {
    return [m[1], Number(m[2])] as [string, number];
  });
}

/** A boot from a machine's kernel log and, where they are there, its zones and areas. */
export function bootOfLog(
  at: { file: string; name: string },
  log: KernelLog,
  rest: { zones: readonly ZoneFacts[] | null; totals: readonly [string, number][] | null },
): RecordedBoot {
  const unknown = log.unknownParameters.some((p) => /^(?:cma_pernuma|numa_cma)\b/.test(p));
  const zones = rest.zones?.map(({ nid, name, startPfn, spanned, present }): RecordedZone => {
    return { nid, name, startPfn, spanned, present };
  });
  return {
    ...at,
    line: 1,
    release: releaseOfVersion(log.version),
    arch: log.arch,
    pageSize: log.pageSize,
    cmdline: log.commandLine,
    config: {
      // Not recorded; the kernel says so when it does not know a parameter.
      DMA_NUMA_CMA: !unknown,
      NODES_SHIFT: 10,
      DMA_COHERENT_POOL: log.atomicPools.length > 0,
    },
    slots: null,
    memory: log.memory,
    reserved: log.reserved,
    nodes: log.possible.map((nid) => ({ nid, online: log.online.includes(nid), cpus: 0 })),
    limit: null,
    bottomUp: false,
    isAfterNumaInit: false,
    outcome: {
      ...notRecorded,
      crashed: false,
      log: log.cma,
      zones: zones ?? null,
      atomicPools: log.atomicPools,
      totals: rest.totals,
    },
    notes: log.lacks,
  };
}
