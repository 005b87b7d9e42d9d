/**
 * Reserving one CMA area: cma_declare_contiguous_nid() and cma_declare_contiguous_multi() of
 * mm/cma.c.
 *
 * Says what happened in the kernel's words and with its errno; releases differ by columns of
 * release.ts. Arithmetic is that of a 64-bit phys_addr_t, which wraps. Left out: high memory of
 * 32-bit kernels.
 */

import type { Range } from '../ranges.js';
import { fillMessage, type Release } from '../release.js';
import { NUMA_NO_NODE } from '../units.js';
import type { PageGeometry } from './kconfig.js';
import type { Memblock } from './memblock.js';

export type DeclareErrno = 'EINVAL' | 'EBUSY' | 'ENOMEM' | 'ENOSPC';

export const errnoNumbers: Readonly<Record<DeclareErrno, number>> = {
  EINVAL: -22,
  EBUSY: -16,
  ENOMEM: -12,
  ENOSPC: -28,
};

/** What the kernel knows while areas are reserved. */
export interface CmaBoot {
  readonly release: Release;
  readonly geometry: PageGeometry;
  readonly memblock: Memblock;
  /** Entries of cma_areas[]. */
  readonly slots: number;
  /** Whether CONFIG_NUMA is set; without it no node is asked for. */
  readonly numa: boolean;
  readonly areas: ReservedArea[];
  readonly log: string[];
}

/** One entry of cma_areas[] before it is activated. */
interface ReservedArea {
  readonly name: string;
  readonly orderPerBit: number;
  /** Node it was asked for; NUMA_NO_NODE: any. */
  readonly askedNid: number;
  /** Bytes; more than one range only with cma_declare_contiguous_multi(). */
  readonly ranges: readonly Range[];
}

export interface CmaDeclaration {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Address to lie at or above; 0: any. */
  readonly base: number;
  /** Address to end at or below; 0: the end of DRAM. */
  readonly limit: number;
  /** Bytes; 0: the smallest there is. */
  readonly alignment: number;
  readonly orderPerBit: number;
  /** Exactly at `base`. */
  readonly fixed: boolean;
  readonly nid: number;
}

/** Anywhere on one node: what cma_declare_contiguous_nid(0, size, 0, 0, 0, false, …, nid) asks. */
export function anywhereOn(
  nid: number,
  { name, size }: { name: string; size: number },
): CmaDeclaration {
  return { name, size, base: 0, limit: 0, alignment: 0, orderPerBit: 0, fixed: false, nid };
}

/** Outcome of one declaration; `size` is after rounding, as far as it came. */
export type Declared =
  | { readonly area: ReservedArea; readonly errno: null; readonly size: number }
  | { readonly area: null; readonly errno: DeclareErrno; readonly size: number };

const GiB = 2 ** 30;
const wrap = (value: number) => (value >= 2 ** 64 ? value - 2 ** 64 : value);
const align = (value: number, to: number) => wrap(Math.ceil(value / to) * to);

/** %pa. */
export function phys(address: number): string {
  return `0x${BigInt(address).toString(16).padStart(16, '0')}`;
}

export const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);

/** cma_alloc_mem(), and its ancestors inside cma_declare_contiguous_nid(). */
function place(boot: CmaBoot, d: CmaDeclaration, limit: number): number | null {
  const { memblock, release } = boot;
  const { size, alignment, nid } = d;
  const reach = {
    never: Number.NEGATIVE_INFINITY,
    'end of DRAM': memblock.endOfDram,
    limit,
  }[release.bottomUpFrom4G];
  if (!memblock.bottomUp && reach >= 4 * GiB + size) {
    memblock.bottomUp = true;
    const search = { size, align: alignment, start: 4 * GiB, end: limit, nid };
    const found = memblock.alloc(search, release.exactNid);
    memblock.bottomUp = false;
    if (found !== null) return found;
  }
  const search = { size, align: alignment, start: d.base, end: limit, nid };
  return memblock.alloc(search, release.exactNid);
}

type Refused = {
  readonly area: null;
  readonly errno: DeclareErrno;
  readonly size: number;
  /** "Failed to reserve" follows in every release. */
  readonly isLoud: boolean;
};

function refused(errno: DeclareErrno, size: number, how: { isLoud: boolean }): Refused {
  return { area: null, errno, size, ...how };
}

/** Arguments made sane, in the order in which the kernel finds fault with them. */
function sanitise(boot: CmaBoot, d: CmaDeclaration): CmaDeclaration | Refused {
  const { memblock, release, log, geometry } = boot;
  const alignment = Math.max(d.alignment, geometry.minAlignment);
  if (d.fixed && d.base % alignment !== 0) {
    log.push(`cma: Region at ${phys(d.base)} must be aligned to ${phys(alignment)} bytes`);
    return refused('EINVAL', d.size, { isLoud: true });
  }
  const base = align(d.base, alignment);
  const size = align(d.size, alignment);
  const fixed = d.fixed && base !== 0;
  if ((size / geometry.pageSize) % 2 ** d.orderPerBit !== 0) {
    return refused('EINVAL', size, { isLoud: false });
  }
  const end = memblock.endOfDram;
  if (release.highmemBoundary && fixed && base < end && base + size > end) {
    log.push(`cma: Region at ${phys(base)} defined on low/high memory boundary (${phys(end)})`);
    return refused('EINVAL', size, { isLoud: true });
  }
  const rounded = Math.floor(d.limit / alignment) * alignment;
  const limit = rounded === 0 ? end : Math.min(rounded, end);
  const nid = boot.numa ? d.nid : NUMA_NO_NODE;
  return { ...d, alignment, base, size, fixed, nid, limit };
}

/** __cma_declare_contiguous_nid(): no message about success or failure as such. */
function declareSilently(boot: CmaBoot, given: CmaDeclaration): Declared | Refused {
  const { memblock, log } = boot;
  if (boot.areas.length === boot.slots) {
    log.push('cma: Not enough slots for CMA reserved regions!');
    return refused('ENOSPC', given.size, { isLoud: false });
  }
  if (given.size === 0) return refused('EINVAL', 0, { isLoud: false });
  const d = sanitise(boot, given);
  if ('errno' in d) return d;
  const { name, size, nid, orderPerBit } = d;
  if (wrap(d.base + size) > d.limit) {
    const what = `Size (${phys(size)}) of region at ${phys(d.base)}`;
    log.push(`cma: ${what} exceeds limit (${phys(d.limit)})`);
    return refused('EINVAL', size, { isLoud: true });
  }
  let base: number | null = d.base;
  if (d.fixed) {
    if (memblock.isReserved(base, size)) return refused('EBUSY', size, { isLoud: true });
    memblock.reserve(base, size);
  } else {
    base = place(boot, d, d.limit);
    if (base === null) return refused('ENOMEM', size, { isLoud: true });
  }
  const area: ReservedArea = { name, orderPerBit, askedNid: nid, ranges: [[base, base + size]] };
  boot.areas.push(area);
  return { area, errno: null, size };
}

/** cma_declare_contiguous_nid(): reserves one area or says why not. */
export function cmaDeclareContiguousNid(boot: CmaBoot, d: CmaDeclaration): Declared {
  const { messages } = boot.release;
  const declared = declareSilently(boot, d);
  const size = mib(messages.sizePrinted === 'given' ? d.size : declared.size);
  const node = boot.numa ? d.nid : NUMA_NO_NODE;
  if (declared.area) {
    const base = phys(declared.area.ranges[0][0]);
    boot.log.push(fillMessage(messages.reserved, { mib: size, base, node }));
  } else if (messages.failedAfter === 'every error' || ('isLoud' in declared && declared.isLoud)) {
    boot.log.push(fillMessage(messages.failed, { mib: size, node }));
  }
  return declared;
}

/** CMA_MAX_RANGES. */
const maxRanges = 8;

/**
 * The largest free ranges above 4 GiB that together hold `size`, ascending, the last one cut; or
 * null.
 */
function manyRanges(boot: CmaBoot, d: CmaDeclaration): Range[] | null {
  const unit = boot.geometry.pageSize * 2 ** d.orderPerBit;
  const alignment = Math.max(d.alignment, boot.geometry.minAlignment);
  const free: Range[] = [];
  for (const [start, end] of boot.memblock.freeRanges(d.nid)) {
    if (start < 4 * GiB) continue;
    const from = Math.ceil(start / alignment) * alignment;
    const to = Math.floor(end / alignment) * alignment;
    const size = Math.floor((to - from) / unit) * unit;
    if (size > 0) free.push([from, from + size]);
  }
  const length = ([from, to]: Range) => to - from;
  const largest = free.sort((a, b) => length(b) - length(a)).slice(0, maxRanges);
  if (largest.reduce((sum, r) => sum + length(r), 0) < d.size) return null;
  let sum = 0;
  const enough = largest.filter((r) => {
    const isNeeded = sum < d.size;
    sum += length(r);
    return isNeeded;
  });
  let left = d.size;
  return enough
    .sort((a, b) => a[0] - b[0])
    .map(([from, to]): Range => {
      const size = Math.min(left, to - from);
      left -= size;
      return [from, from + size];
    })
    .filter((r) => length(r) > 0);
}

/** cma_declare_contiguous_multi() (v6.15): several ranges where one does not do. */
export function cmaDeclareContiguousMulti(boot: CmaBoot, d: CmaDeclaration): Declared {
  const single = declareSilently(boot, d);
  const failed = `cma: Failed to reserve ${mib(d.size)} MiB`;
  if (single.errno !== 'ENOMEM') {
    boot.log.push(single.area ? `cma: Reserved ${mib(d.size)} MiB in 1 range` : failed);
    return single;
  }
  const ranges = manyRanges(boot, d);
  if (ranges === null) {
    boot.log.push(failed);
    return single;
  }
  for (const [from, to] of ranges) boot.memblock.reserve(from, to - from);
  const area = { name: d.name, orderPerBit: d.orderPerBit, askedNid: d.nid, ranges };
  boot.areas.push(area);
  const plural = ranges.length === 1 ? '' : 's';
  boot.log.push(`cma: Reserved ${mib(d.size)} MiB in ${ranges.length} range${plural}`);
  return { area, errno: null, size: d.size };
}
