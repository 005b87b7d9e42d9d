/**
 * The DMA atomic pools, which take pages of the default area before the first driver probes.
 *
 * Models dma_atomic_pool_init() and atomic_pool_expand() of kernel/dma/pool.c, and
 * dma_atomic_pool_init() of kernel/dma/remap.c before v5.8. Says what each pool asks for and from
 * where; whoever owns the areas allocates. Left out: growth at run time.
 */

import { cmaAlloc, cmaAreaFromLayout } from '../alloc/cma.js';
import type { AreaLayout, MemoryLayout, NodeLayout } from '../layout.js';
import type { Boot } from './state.js';

export interface AtomicPool {
  /** GFP flags as the kernel prints them. */
  readonly gfp: 'GFP_KERNEL' | 'GFP_KERNEL|GFP_DMA' | 'GFP_KERNEL|GFP_DMA32' | null;
  /** Order of the block asked for first; on failure the next smaller one. */
  readonly order: number;
  /**
   * Asked from the default area first, aligned to min(order, CMA_ALIGNMENT); else from the buddy.
   */
  readonly fromDefaultArea: boolean;
  /** The kernel's message when the first block was had. */
  readonly message: string;
}

const KiB = 1024;
const GiB = 2 ** 30;

/** get_order(). */
function getOrder(size: number, pageSize: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.ceil(size / pageSize))));
}

/**
 * The pools in the order in which they are filled, once `nodes` have their pages; none without
 * CONFIG_DMA_COHERENT_POOL. `area`: the default one.
 */
export function dmaAtomicPoolInit(
  { input, release, geometry, zones: ends }: Boot,
  area: AreaLayout | undefined,
  nodes: readonly NodeLayout[],
): AtomicPool[] {
  const { config, parameters } = input;
  const { pools, fromCma, dma, dma32 } = release.atomicPools;
  if (!config.DMA_COHERENT_POOL) return [];
  const { pageSize, maxPageOrder } = geometry;
  const areaEnd = area && area.count > 0 ? (area.basePfn + area.count) * pageSize : 0;
  const pool = (gfp: AtomicPool['gfp'], order: number, zoneEnd = Infinity): AtomicPool => ({
    gfp,
    order,
    fromDefaultArea:
      fromCma !== 'never' && areaEnd > 0 && (areaEnd <= zoneEnd || fromCma === 'always'),
    message: ['DMA: preallocated', (pageSize / KiB) * 2 ** order, 'KiB', ...(gfp ? [gfp] : [])]
      .concat('pool for atomic allocations')
      .join(' '),
  });
  if (pools === 'one') {
    return [pool(null, getOrder(parameters.atomicPoolSize || 256 * KiB, pageSize))];
  }
  const zones = nodes.flatMap((node) => node.zones);
  const isManaged = (name: string) => zones.some((z) => z.name === name && z.managed > 0);
  const totalPages = zones.reduce((sum, zone) => sum + zone.managed, 0);
  // 128 KiB per GiB of RAM, at least that, at most the largest block.
  const byRam = Math.min(Math.floor(totalPages / (GiB / (128 * KiB))), 2 ** maxPageOrder);
  const size = parameters.atomicPoolSize || Math.max(byRam * pageSize, 128 * KiB);
  const order = Math.min(getOrder(size, pageSize), maxPageOrder);
  const result = [pool('GFP_KERNEL', order)];
  if (config.ZONE_DMA && (dma === 'configured' || isManaged('DMA'))) {
    result.push(pool('GFP_KERNEL|GFP_DMA', order, ends.dma));
  }
  if (config.ZONE_DMA32 && (dma32 === 'configured' || isManaged('DMA32'))) {
    result.push(pool('GFP_KERNEL|GFP_DMA32', order, 2 ** 32));
  }
  return result;
}

/** Where the pools lie in an area nobody has used before: [pfn, pages]. */
export function poolPlaces(
  layout: AreaLayout,
  pools: readonly AtomicPool[],
  { cmaAlignment }: MemoryLayout,
): (readonly [pfn: number, pages: number])[] {
  const area = cmaAreaFromLayout(layout);
  return pools.flatMap(({ order, fromDefaultArea }) => {
    if (!fromDefaultArea) return [];
    const { errno, pfn } = cmaAlloc(area, 2 ** order, Math.min(order, cmaAlignment));
    return errno === 0 ? [[pfn, 2 ** order] as const] : [];
  });
}
