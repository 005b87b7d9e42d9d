/**
 * Recorded boots: what a kernel started from, and what it made of it.
 *
 * Reads the rows of boots.jsonl, the first three lines of an operation file (meta, boot, areas),
 * and the kernel log of a machine. Text in, data out; what a recording does not hold is null and is
 * not compared.
 */

import type { KernelLog, ZoneInfo } from '../machine/dmesg.js';
import type { MemRegion, Range } from '../mm/memblock.js';
import { releases } from '../mm/release.js';
import type { Arch } from '../mm/reservation.js';
import { InputError } from './input.js';

export interface RecordedArea {
  readonly name: string;
  readonly basePfn: number;
  readonly count: number;
  readonly nid: number;
  readonly zone: string;
  readonly orderPerBit: number;
}

/** Columns of a zone that do not change after boot. */
export interface RecordedZone {
  readonly nid: number;
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
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

interface MemblockRow {
  readonly max_pfn_mapped: number;
  readonly bottom_up: number;
  readonly memory: readonly [base: number, size: number, nid: number][];
  readonly reserved: readonly [base: number, size: number][];
  readonly online: readonly [nid: number, online: number][];
}

interface BootRow {
  readonly pre: MemblockRow;
  readonly post: MemblockRow;
  readonly log: readonly string[];
}

interface AreasRow {
  readonly areas: readonly {
    readonly name: string;
    readonly base_pfn: number;
    readonly count: number;
    readonly order_per_bit: number;
    readonly nid: number;
    readonly zone: string;
  }[];
  readonly default: number;
  readonly cpus: readonly { readonly node: number }[];
  readonly nodes: readonly {
    readonly nid: number;
    readonly online: number;
    readonly zones: readonly {
      readonly name: string;
      readonly start_pfn: number;
      readonly spanned: number;
      readonly present: number;
    }[];
  }[];
}

interface MetaRow {
  readonly name: string;
  readonly kernel: string;
  readonly cmdline: string;
  readonly crash?: boolean;
  readonly config: {
    readonly page_shift: number;
    readonly max_numnodes: number;
    readonly cma_alignment: number;
    readonly max_cma_areas: number;
  } | null;
}

const range = ([base, size]: readonly [number, number]): Range => [base, base + size];

function outcomeOf(boot: BootRow, areas: AreasRow | null, crashed: boolean): BootOutcome {
  const zones = areas?.nodes.flatMap(({ nid, zones }) =>
    zones.map(({ name, start_pfn, spanned, present }): RecordedZone => {
      return { nid, name, startPfn: start_pfn, spanned, present };
    }),
  );
  return {
    crashed,
    log: boot.log,
    areas:
      areas?.areas.map((a): RecordedArea => {
        const { name, count, nid, zone } = a;
        return { name, basePfn: a.base_pfn, count, nid, zone, orderPerBit: a.order_per_bit };
      }) ?? null,
    defaultArea: areas?.default ?? null,
    reserved: boot.post.reserved.map(range),
    online: areas?.nodes.filter((n) => n.online === 1).map((n) => n.nid) ?? null,
    zones: zones ?? null,
    atomicPools: null,
    totals: null,
  };
}

/** Configuration from what a row says of it, and from the kernel it names. */
function configOf(meta: MetaRow, areas: AreasRow | null, pageSize: number) {
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
  meta: MetaRow,
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
    outcome: outcomeOf(boot, areas, meta.crash === true),
  };
}

function parseLine(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(file, `${line}`, 'no JSON, expected one value per line');
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A row with a memblock before and after, and the messages between. */
function isBoot(value: unknown): boolean {
  return isObject(value) && isObject(value.pre) && isObject(value.post) && 'log' in value;
}

/**
 * The boots of a JSON Lines file: every row of a boots.jsonl, or the one an operation file begins
 * with.
 *
 * @throws InputError with file and line where the text is neither.
 */
export function readBoots(file: string, text: string): RecordedBoot[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const first = lines[0] === undefined ? null : parseLine(file, 1, lines[0]);
  if (isObject(first) && first.type === 'meta') {
    const [boot, areas] = [2, 3].map((n) => parseLine(file, n, lines[n - 1] ?? 'null'));
    if (!isBoot(boot))
      throw new InputError(file, '2', 'expected a boot row with pre, post and log');
    if (!isObject(areas) || areas.type !== 'areas') {
      throw new InputError(file, '3', 'expected an areas row');
    }
    const rows = { boot: boot as unknown as BootRow, areas: areas as unknown as AreasRow };
    return [jsonlBoot({ file, line: 2 }, first as unknown as MetaRow, rows)];
  }
  if (first === null) throw new InputError(file, '', 'empty, expected recorded boots');
  return lines.map((textOfLine, i) => {
    const row = i === 0 ? first : parseLine(file, i + 1, textOfLine);
    if (!isObject(row) || !isBoot(row.boot) || typeof row.cmdline !== 'string') {
      throw new InputError(file, `${i + 1}`, 'expected a recorded boot (boot, cmdline, areas)');
    }
    const rows = {
      boot: row.boot as unknown as BootRow,
      areas: (row.areas ?? null) as AreasRow | null,
    };
    return jsonlBoot({ file, line: i + 1 }, row as unknown as MetaRow, rows);
  });
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
    return [m[1]!, Number(m[2])] as [string, number];
  });
}

/** A boot from a machine's kernel log and, where they are there, its zones and areas. */
export function bootOfLog(
  at: { file: string; name: string },
  log: KernelLog,
  rest: { zones: readonly ZoneInfo[] | null; totals: readonly [string, number][] | null },
): RecordedBoot {
  const unknown = log.unknownParameters.some((p) => /^(?:cma_pernuma|numa_cma)\b/.test(p));
  const zones = rest.zones?.map(
    ({ nid, zone, startPfn, spanned, present }): RecordedZone => ({
      nid,
      name: zone,
      startPfn,
      spanned,
      present,
    }),
  );
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
      crashed: false,
      log: log.cma,
      areas: null,
      defaultArea: null,
      reserved: null,
      online: null,
      zones: zones ?? null,
      atomicPools: log.atomicPools,
      totals: rest.totals,
    },
    notes: log.lacks,
  };
}
