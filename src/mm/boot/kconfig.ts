/**
 * The Kconfig symbols that decide about CMA, with the defaults of each release, and what follows
 * from the page size: orders, pageblocks, the smallest unit of an area.
 *
 * Defaults are those of the Kconfig files (kernel/dma/Kconfig, mm/Kconfig, arch), not of a
 * defconfig or a distribution: arm64's defconfig, for one, sets CMA_SIZE_MBYTES to 32.
 */

import { ConfigError } from '../configError.js';
import type { Release } from '../release.js';
import type { Arch, Reservation } from './reservation.js';

const flag = (value: boolean) => ({ value });
const integer = (value: number, [least, most] = [0, 2 ** 20]) => ({ value, least, most });
const word = <Word extends string>(value: Word, words: readonly Word[]) => ({ value, words });

/** Every symbol with what it is where neither release nor architecture says otherwise. */
const symbols = {
  DMA_CMA: flag(true),
  /** A request names its area in 13 bits (wire/request.ts). */
  CMA_AREAS: integer(0, [0, 2 ** 13 - 2]),
  /** Order. */
  CMA_ALIGNMENT: integer(8, [2, 12]),
  /** MiB. */
  CMA_SIZE_MBYTES: integer(0),
  /** Percent of all memory. */
  CMA_SIZE_PERCENTAGE: integer(0, [0, 100]),
  CMA_SIZE_SEL: word('MBYTES', ['MBYTES', 'PERCENTAGE', 'MIN', 'MAX']),
  /** MiB per node; only the 2020 series reads it. */
  CMA_PERNUMA_SIZE_MBYTES: integer(0),
  DMA_PERNUMA_CMA: flag(false),
  DMA_NUMA_CMA: flag(false),
  CMA_SIZE_PERNUMA: flag(false),
  DMA_COHERENT_POOL: flag(false),
  HUGETLB_PAGE: flag(true),
  NUMA: flag(true),
  /** MAX_NUMNODES is 2 to this power. */
  NODES_SHIFT: integer(6, [0, 10]),
  ZONE_DMA: flag(true),
  ZONE_DMA32: flag(true),
  /** Upper bound of pageblock_order. */
  PAGE_BLOCK_MAX_ORDER: integer(99, [1, 99]),
};

type KconfigSymbol = keyof typeof symbols;
export type Kconfig = {
  readonly [Name in KconfigSymbol]: (typeof symbols)[Name]['value'];
};

/** Symbols a scenario's `config:` may set; a leading `CONFIG_` is allowed. */
export const kconfigSymbols: readonly string[] = Object.keys(symbols);

const isSymbol = (name: string): name is KconfigSymbol => Object.hasOwn(symbols, name);

/** Orders that follow from the page size (arm64; 4096 holds for x86 too). */
const geometry: Readonly<Record<number, { pageShift: number; largest: number; huge: number }>> = {
  4096: { pageShift: 12, largest: 10, huge: 9 },
  16384: { pageShift: 14, largest: 11, huge: 11 },
  65536: { pageShift: 16, largest: 13, huge: 13 },
};

export interface PageGeometry {
  readonly pageSize: number;
  readonly pageShift: number;
  /** Largest order of the buddy, inclusive. */
  readonly maxPageOrder: number;
  readonly pageblockOrder: number;
  /** Order of a huge page (PMD). */
  readonly hugePageOrder: number;
  /** Order of a gigantic page (PUD, or contiguous PMDs), which hugetlb_cma= is for. */
  readonly giganticPageOrder: number;
  /** CMA_MIN_ALIGNMENT_BYTES. */
  readonly minAlignment: number;
}

const giganticBytes: Readonly<Record<number, number>> = {
  4096: 2 ** 30,
  16384: 2 ** 30,
  65536: 2 ** 34,
};

/** @throws ConfigError for a page size no architecture here has. */
export function pageGeometry(release: Release, config: Kconfig, pageSize: number): PageGeometry {
  const g = geometry[pageSize];
  if (!g) throw new ConfigError(`page size ${pageSize}: expected 4096, 16384 or 65536`);
  const pageblockOrder = Math.min(g.huge, g.largest, config.PAGE_BLOCK_MAX_ORDER);
  const unit =
    release.minAlignment === 'pageblock' ? pageblockOrder : Math.max(g.largest, pageblockOrder);
  return {
    pageSize,
    pageShift: g.pageShift,
    maxPageOrder: g.largest,
    pageblockOrder,
    hugePageOrder: g.huge,
    giganticPageOrder: Math.log2(giganticBytes[pageSize] / pageSize),
    minAlignment: pageSize * 2 ** unit,
  };
}

function defaults(release: Release, reservation: Reservation, arch: Arch): Kconfig {
  const isOn = (symbol: string) =>
    reservation.kconfig === symbol && reservation.kconfigDefaultOn.includes(arch);
  const arm64 = { CMA_SIZE_MBYTES: 16, CMA_SIZE_PERCENTAGE: 10, DMA_COHERENT_POOL: true };
  const values = Object.entries(symbols).map(([name, { value }]) => [name, value]);
  return {
    // Entries have lost that there is one for each symbol.
    ...(Object.fromEntries(values) as Kconfig),
    ...(arch === 'arm64' ? { ...arm64, NODES_SHIFT: release.arm64NodesShift } : {}),
    CMA_AREAS: release.slotsDefault[1],
    CMA_PERNUMA_SIZE_MBYTES: reservation.sizeMbytes?.[arch] ?? 0,
    DMA_PERNUMA_CMA: isOn('DMA_PERNUMA_CMA'),
    DMA_NUMA_CMA: isOn('DMA_NUMA_CMA'),
  };
}

/** One value of a configuration, as a scenario, `--set` or a .config writes it. */
function kconfigValue(symbol: KconfigSymbol, value: unknown): boolean | number | string {
  const wrong = (expected: string) =>
    new ConfigError(`config.${symbol}: ${String(value)}, expected ${expected}`);
  const known = symbols[symbol];
  if ('words' in known) {
    const chosen = known.words.find((one) => one === value);
    if (chosen === undefined) throw wrong(known.words.join(', '));
    return chosen;
  }
  if ('least' in known) {
    const { least, most } = known;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    const isInteger = typeof number === 'number' && Number.isInteger(number);
    if (isInteger && number >= least && number <= most) return number;
    throw wrong(`an integer from ${least} to ${most}`);
  }
  if (value === true || value === 'y') return true;
  if (value === false || value === 'n') return false;
  throw wrong('y or n');
}

/**
 * The configuration of a release with what `overrides` says otherwise.
 *
 * @throws ConfigError naming the symbol, its value and what was expected.
 */
export function kconfigOf(
  release: Release,
  reservation: Reservation,
  arch: Arch,
  overrides: Readonly<Record<string, unknown>> = {},
): Kconfig {
  const config = defaults(release, reservation, arch);
  const given: Record<string, boolean | number | string> = {};
  for (const [name, value] of Object.entries(overrides)) {
    const symbol = name.replace(/^CONFIG_/, '');
    if (!isSymbol(symbol)) {
      throw new ConfigError(
        `config.${name}: no such symbol, expected ${kconfigSymbols.join(', ')}`,
      );
    }
    given[symbol] = kconfigValue(symbol, value);
  }
  const uma = { NODES_SHIFT: 0, CMA_AREAS: release.slotsDefault[0] };
  return { ...config, ...(given.NUMA === false ? uma : {}), ...given };
}

/** Entries of cma_areas[]. */
export function areaSlots(release: Release, config: Kconfig): number {
  return config.CMA_AREAS + release.slotsExtra;
}
