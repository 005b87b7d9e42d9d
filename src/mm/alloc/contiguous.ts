/**
 * Facts of one DMA request that decide which steps of a policy hold, and the owner of freed pages.
 *
 * Models dma_alloc_contiguous(), dma_free_contiguous() (kernel/dma/contiguous.c) and the page side
 * of __dma_direct_alloc_pages() (kernel/dma/direct.c). Everything here is decided from what never
 * changes after boot, so every actor may ask without a message. Left out: swiotlb, remapping,
 * encryption.
 */
import { allowBlocking, GFP_DMA, GFP_DMA32 } from '../gfp.js';
import type { MemoryLayout } from '../layout.js';
import { allocSources, conditions, freeOwners, type Policy, type PolicySteps } from '../policy.js';
import { Bytes, type In, NUMA_NO_NODE, Pages, type Pfn } from '../units.js';

const ALLOC_DEVICE = allocSources.indexOf('device');
const ALLOC_PERNUMA = allocSources.indexOf('pernuma');
const ALLOC_NUMA = allocSources.indexOf('numa');
export const ALLOC_NEAREST = allocSources.indexOf('nearest');
export const ALLOC_DEFAULT = allocSources.indexOf('default');
export const ALLOC_BUDDY_NODE = allocSources.indexOf('buddy on node');
export const ALLOC_BUDDY = allocSources.indexOf('buddy');
const FREE_DEVICE = freeOwners.indexOf('device');
const FREE_ANY_PERNUMA = freeOwners.indexOf('any pernuma');
const FREE_ANY_NUMA = freeOwners.indexOf('any numa');
const FREE_PERNUMA = freeOwners.indexOf('pernuma of page');
const FREE_NUMA = freeOwners.indexOf('numa of page');
const FREE_DEFAULT = freeOwners.indexOf('default');

export const NO_AREA = -1;

/** What boot fixed for good: the arrays of contiguous.c, and where each area lies. */
export interface AreaDirectory {
  readonly pageShift: number;
  readonly pageSize: number;
  readonly cmaAlignment: number;
  /** dma_contiguous_pernuma_area[] and dma_contiguous_numa_area[]: nid -> area or NO_AREA. */
  readonly pernuma: Int32Array;
  readonly numa: Int32Array;
  /**
   * dma_contiguous_default_area, or NO_AREA. An area that was not activated is still pointed to.
   */
  readonly defaultArea: number;
  readonly basePfn: Float64Array;
  readonly count: Float64Array;
  /** Node on which each area lies. */
  readonly nid: Int32Array;
  /**
   * Spans of memory by ascending first pfn, for page_to_nid(); a span ends where the next begins.
   */
  readonly spanStart: Float64Array;
  readonly spanNid: Int32Array;
  /** Active areas by ascending first pfn, to tell whose bitmap a page belongs to. */
  readonly areaStart: Float64Array;
  readonly areaAt: Int32Array;
}

export function areaDirectory(layout: MemoryLayout): AreaDirectory {
  const { areas } = layout;
  const nids = layout.nodes.map((node) => node.nid);
  const top = 1 + Math.max(0, ...nids, ...areas.map((area) => area.slotNid));
  const slots = (role: string): Int32Array => {
    const array = new Int32Array(top).fill(NO_AREA);
    for (const area of areas) if (area.role === role) array[area.slotNid] = area.index;
    return array;
  };
  return {
    pageShift: layout.pageShift,
    pageSize: 2 ** layout.pageShift,
    cmaAlignment: layout.cmaAlignment,
    pernuma: slots('pernuma'),
    numa: slots('numa'),
    defaultArea: layout.defaultArea,
    basePfn: Float64Array.from(areas, (area) => area.basePfn),
    count: Float64Array.from(areas, (area) => area.count),
    nid: Int32Array.from(areas, (area) => area.nid),
    ...spans(layout),
    ...activeAreas(layout),
  };
}

function spans(layout: MemoryLayout): Pick<AreaDirectory, 'spanStart' | 'spanNid'> {
  const all = layout.nodes.flatMap(({ nid, zones }) =>
    zones.flatMap((zone) => zone.ranges.map(([start]) => ({ start, nid }))),
  );
  all.sort((a, b) => a.start - b.start);
  return {
    spanStart: Float64Array.from(all, (span) => span.start),
    spanNid: Int32Array.from(all, (span) => span.nid),
  };
}

function activeAreas(layout: MemoryLayout): Pick<AreaDirectory, 'areaStart' | 'areaAt'> {
  const active = layout.areas.filter((area) => area.count > 0);
  active.sort((a, b) => a.basePfn - b.basePfn);
  return {
    areaStart: Float64Array.from(active, (area) => area.basePfn),
    areaAt: Int32Array.from(active, (area) => area.index),
  };
}

/** Index of the last start at or below `pfn`; -1 if there is none. */
function lastAtOrBelow(starts: Float64Array, pfn: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= pfn) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** page_to_nid(): node of a page of RAM. */
export function pageToNid(directory: AreaDirectory, pfn: In<Pfn>): number {
  const at = lastAtOrBelow(directory.spanStart, pfn);
  return at < 0 ? NUMA_NO_NODE : directory.spanNid[at];
}

/** The area in which a page lies, whoever may use it; NO_AREA if none. */
export function areaOfPage(directory: AreaDirectory, pfn: In<Pfn>): number {
  const at = lastAtOrBelow(directory.areaStart, pfn);
  const area = at < 0 ? NO_AREA : directory.areaAt[at];
  return areaHolds(directory, area, pfn) ? area : NO_AREA;
}

/**
 * get_order(): the smallest order whose block holds `size` bytes; 52 for size 0, as the kernel's.
 */
export function getOrder(size: In<Bytes>, pageShift: number): number {
  if (size === 0) return 52;
  const pages = Math.ceil(size / 2 ** pageShift);
  return pages === 1 ? 0 : Math.ceil(Math.log2(pages));
}

/** Pages asked from CMA: size >> PAGE_SHIFT, rounded down (a caller that aligned loses nothing). */
export function cmaCount(size: In<Bytes>, pageShift: number): Pages {
  return Pages(Math.floor(size / 2 ** pageShift));
}

/** Pages given back to CMA: PAGE_ALIGN(size) >> PAGE_SHIFT. */
export function releaseCount(size: In<Bytes>, pageShift: number): Pages {
  return Pages(Math.ceil(size / 2 ** pageShift));
}

export function pageAlign(size: In<Bytes>, pageShift: number): Bytes {
  return Bytes(releaseCount(size, pageShift) * 2 ** pageShift);
}

/** Area of node `nid` in one of the arrays; out of range is an empty slot. */
function slot(array: Int32Array, nid: number): number {
  return nid >= 0 && nid < array.length ? array[nid] : NO_AREA;
}

/** The bits of `conditions` that hold for a request. */
export function factsOf(
  directory: AreaDirectory,
  gfp: number,
  devNode: number,
  devArea: number,
): number {
  const zoned = (gfp & (GFP_DMA | GFP_DMA32)) !== 0;
  const known = devNode !== NUMA_NO_NODE;
  const served =
    known &&
    !zoned &&
    (slot(directory.pernuma, devNode) !== NO_AREA || slot(directory.numa, devNode) !== NO_AREA);
  const { defaultArea } = directory;
  let facts = zoned ? conditions['zone flag'] : conditions['no zone flag'];
  facts |= devArea === NO_AREA ? conditions['no device area'] : conditions['device area'];
  if (allowBlocking(gfp)) facts |= conditions.blocking;
  if (known) facts |= conditions['node known'];
  if (!served) facts |= conditions['no node area'];
  if (defaultArea !== NO_AREA) {
    facts |= conditions['default exists'];
    if (known && directory.nid[defaultArea] === devNode) facts |= conditions['default on node'];
  }
  return facts;
}

/** The conditions of a step that do not hold, as bits. */
export function missingFacts({ needs }: PolicySteps, step: number, facts: number): number {
  return needs[step] & ~facts;
}

export function sizeFits({ minSize, maxSize }: PolicySteps, step: number, size: number): boolean {
  return size >= minSize[step] && size <= maxSize[step];
}

/** First step at or after `from` whose conditions hold; steps.source.length when there is none. */
export function nextStep(steps: PolicySteps, from: number, facts: number, size: number): number {
  let step = from;
  while (
    step < steps.source.length &&
    (missingFacts(steps, step, facts) !== 0 || !sizeFits(steps, step, size))
  ) {
    step++;
  }
  return step;
}

/**
 * The area a step names for this request; NO_AREA when its slot is empty or it names no area.
 * `nid`: the request's node, or for `nearest` the other node whose turn it is.
 */
export function areaOfSource(
  directory: AreaDirectory,
  source: number,
  nid: number,
  devArea: number,
): number {
  switch (source) {
    case ALLOC_DEVICE:
      return devArea;
    case ALLOC_PERNUMA:
      return slot(directory.pernuma, nid);
    case ALLOC_NUMA:
      return slot(directory.numa, nid);
    case ALLOC_NEAREST: {
      const area = slot(directory.pernuma, nid);
      return area === NO_AREA ? slot(directory.numa, nid) : area;
    }
    case ALLOC_DEFAULT:
      return directory.defaultArea;
    default:
      return NO_AREA;
  }
}

/**
 * cma_release()'s test before 6.15: the first page lies in the area. An inactive area takes
 * nothing.
 */
function areaHolds(directory: AreaDirectory, area: number, pfn: number): boolean {
  if (area === NO_AREA) return false;
  const offset = pfn - directory.basePfn[area];
  return offset >= 0 && offset < directory.count[area];
}

function anyHolds(directory: AreaDirectory, array: Int32Array, pfn: number): number {
  for (let nid = 0; nid < array.length; nid++) {
    if (areaHolds(directory, array[nid], pfn)) return array[nid];
  }
  return NO_AREA;
}

/** A page that is given back. `nid`: page_to_nid(page). */
interface FreedPage {
  readonly pfn: number;
  readonly nid: number;
}

/**
 * dma_free_contiguous(): the area that takes the page back, or NO_AREA when it goes to the buddy.
 * The order of owners is the policy's.
 */
export function releaseOwner(
  directory: AreaDirectory,
  policy: Policy,
  request: { gfp: number; devNode: number; devArea: number; size: number },
  page: FreedPage,
): number {
  const { free } = policy;
  const facts = factsOf(directory, request.gfp, request.devNode, request.devArea);
  for (let i = 0; ; i++) {
    i = nextStep(free, i, facts, request.size);
    if (i === free.source.length) return NO_AREA;
    const area = ownerAsked(directory, free.source[i], request.devArea, page);
    if (areaHolds(directory, area, page.pfn)) return area;
  }
}

function ownerAsked(
  directory: AreaDirectory,
  owner: number,
  devArea: number,
  { pfn, nid }: FreedPage,
): number {
  switch (owner) {
    case FREE_DEVICE:
      return devArea;
    case FREE_ANY_PERNUMA:
      return anyHolds(directory, directory.pernuma, pfn);
    case FREE_ANY_NUMA:
      return anyHolds(directory, directory.numa, pfn);
    case FREE_PERNUMA:
      return slot(directory.pernuma, nid);
    case FREE_NUMA:
      return slot(directory.numa, nid);
    case FREE_DEFAULT:
      return directory.defaultArea;
    default:
      return NO_AREA;
  }
}

/** Where the zones of a machine end, as the direct mapping sees them. Bytes, inclusive. */
export interface DmaLimits {
  /** zone_dma_limit: last byte of ZONE_DMA, or 0 without that zone. */
  readonly dma: number;
  /** Last byte of ZONE_DMA32, or 0 without that zone. */
  readonly dma32: number;
}

/** DMA_BIT_MASK(): exact below 53 bits, and beyond any memory above. */
export function dmaBitMask(bits: number): number {
  return bits >= 53 ? Infinity : 2 ** bits - 1;
}

/** dma_direct_optimal_gfp_mask(): the zone flag a coherent mask asks for at the first try. */
export function optimalGfpMask(limits: DmaLimits, maskBits: number): number {
  const limit = dmaBitMask(maskBits);
  if (limits.dma > 0 && limit <= limits.dma) return GFP_DMA;
  if (limit <= 2 ** 32 - 1) return GFP_DMA32;
  return 0;
}

/** dma_coherent_ok(): the whole range is addressable. */
export function coherentOk(
  pfn: In<Pfn>,
  size: In<Bytes>,
  pageShift: number,
  maskBits: number,
): boolean {
  return pfn * 2 ** pageShift + size - 1 <= dmaBitMask(maskBits);
}

/** The zone flags of the next try after a page out of reach, or -1 when there is none. */
export function retryGfp(limits: DmaLimits, gfp: number, maskBits: number): number {
  const zoned = gfp & (GFP_DMA | GFP_DMA32);
  if (limits.dma32 > 0 && maskBits < 64 && zoned === 0) return gfp | GFP_DMA32;
  if (limits.dma > 0 && (gfp & GFP_DMA) === 0) return (gfp & ~GFP_DMA32) | GFP_DMA;
  return -1;
}
