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

export type SizeSelector = 'MBYTES' | 'PERCENTAGE' | 'MIN' | 'MAX';

export interface Kconfig {
  readonly DMA_CMA: boolean;
  readonly CMA_AREAS: number;
  /** Order, 2 to 12. */
  readonly CMA_ALIGNMENT: number;
  /** MiB. */
  readonly CMA_SIZE_MBYTES: number;
  /** Percent of all memory. */
  readonly CMA_SIZE_PERCENTAGE: number;
  readonly CMA_SIZE_SEL: SizeSelector;
  /** MiB per node; only the 2020 series reads it. */
  readonly CMA_PERNUMA_SIZE_MBYTES: number;
  readonly DMA_PERNUMA_CMA: boolean;
  readonly DMA_NUMA_CMA: boolean;
  readonly CMA_SIZE_PERNUMA: boolean;
  readonly DMA_COHERENT_POOL: boolean;
  readonly HUGETLB_PAGE: boolean;
  readonly NUMA: boolean;
  /** MAX_NUMNODES is 2 to this power. */
  readonly NODES_SHIFT: number;
  readonly ZONE_DMA: boolean;
  readonly ZONE_DMA32: boolean;
  /** Upper bound of pageblock_order. */
  readonly PAGE_BLOCK_MAX_ORDER: number;
}

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

/** What does not depend on the release; the rest is filled in below. */
const base: Kconfig = {
  DMA_CMA: true,
  CMA_AREAS: 0,
  CMA_ALIGNMENT: 8,
  CMA_SIZE_MBYTES: 0,
  CMA_SIZE_PERCENTAGE: 0,
  CMA_SIZE_SEL: 'MBYTES',
  CMA_PERNUMA_SIZE_MBYTES: 0,
  DMA_PERNUMA_CMA: false,
  DMA_NUMA_CMA: false,
  CMA_SIZE_PERNUMA: false,
  DMA_COHERENT_POOL: false,
  HUGETLB_PAGE: true,
  NUMA: true,
  NODES_SHIFT: 6,
  ZONE_DMA: true,
  ZONE_DMA32: true,
  PAGE_BLOCK_MAX_ORDER: 99,
};

/** Symbols a scenario's `config:` may set; a leading `CONFIG_` is allowed. */
export const kconfigSymbols: readonly string[] = Object.keys(base);

type Writable = { -readonly [K in keyof Kconfig]: Kconfig[K] };

function defaults(release: Release, reservation: Reservation, arch: Arch): Writable {
  const isOn = (symbol: string) =>
    reservation.kconfig === symbol && reservation.kconfigDefaultOn.includes(arch);
  const arm64 = { CMA_SIZE_MBYTES: 16, CMA_SIZE_PERCENTAGE: 10, DMA_COHERENT_POOL: true };
  return {
    ...base,
    ...(arch === 'arm64' ? { ...arm64, NODES_SHIFT: release.arm64NodesShift } : {}),
    CMA_AREAS: release.slotsDefault[1],
    CMA_PERNUMA_SIZE_MBYTES: reservation.sizeMbytes?.[arch] ?? 0,
    DMA_PERNUMA_CMA: isOn('DMA_PERNUMA_CMA'),
    DMA_NUMA_CMA: isOn('DMA_NUMA_CMA'),
  };
}

const selectors: readonly string[] = ['MBYTES', 'PERCENTAGE', 'MIN', 'MAX'];
const ranges: Readonly<Record<string, readonly [number, number]>> = {
  CMA_ALIGNMENT: [2, 12],
  // A request names its area in 13 bits (wire/request.ts).
  CMA_AREAS: [0, 2 ** 13 - 2],
  CMA_SIZE_PERCENTAGE: [0, 100],
  NODES_SHIFT: [0, 10],
  PAGE_BLOCK_MAX_ORDER: [1, 99],
};

/** One value of a configuration, as a scenario, `--set` or a .config writes it. */
function kconfigValue(symbol: string, like: unknown, value: unknown): boolean | number | string {
  const wrong = (expected: string) =>
    new ConfigError(`config.${symbol}: ${String(value)}, expected ${expected}`);
  if (typeof like === 'boolean') {
    if (value === true || value === 'y') return true;
    if (value === false || value === 'n') return false;
    throw wrong('y or n');
  }
  if (typeof like === 'string') {
    if (typeof value === 'string' && selectors.includes(value)) return value;
    throw wrong(selectors.join(', '));
  }
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  const [low, high] = ranges[symbol] ?? [0, 2 ** 20];
  if (typeof number === 'number' && Number.isInteger(number) && number >= low && number <= high) {
    return number;
  }
  throw wrong(`an integer from ${low} to ${high}`);
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
    if (!Object.hasOwn(base, symbol)) {
      throw new ConfigError(
        `config.${name}: no such symbol, expected ${kconfigSymbols.join(', ')}`,
      );
    }
    given[symbol] = kconfigValue(symbol, base[symbol as keyof Kconfig], value);
  }
  if (given.NUMA === false) {
    config.NODES_SHIFT = 0;
    config.CMA_AREAS = release.slotsDefault[0];
  }
  return Object.assign(config, given);
}

/** Entries of cma_areas[]. */
export function areaSlots(release: Release, config: Kconfig): number {
  return config.CMA_AREAS + release.slotsExtra;
}
