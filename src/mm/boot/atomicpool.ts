/**
 * The DMA atomic pools, which take pages of the default area before the first driver probes.
 *
 * Models dma_atomic_pool_init() and atomic_pool_expand() of kernel/dma/pool.c, and
 * dma_atomic_pool_init() of kernel/dma/remap.c before v5.8. Says what each pool asks for and from
 * where; whoever owns the areas allocates. Left out: growth at run time.
 */

import { cmaAlloc, cmaAreaFromLayout } from '../alloc/cma.js';
import type { AreaLayout, MemoryLayout } from '../layout.js';
import type { Release } from '../release.js';
import type { Kconfig, PageGeometry } from './kconfig.js';
import type { BootParameters } from './parameters.js';

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

export interface AtomicPoolInput {
  readonly release: Release;
  readonly config: Kconfig;
  readonly geometry: PageGeometry;
  readonly parameters: BootParameters;
  /** totalram_pages(). */
  readonly totalPages: number;
  /** Last byte of the default area plus one; 0: there is none, or it is not active. */
  readonly defaultEnd: number;
  /** Highest address of ZONE_DMA and of ZONE_DMA32 plus one, in bytes; 0: not configured. */
  readonly dmaEnd: number;
  readonly dma32End: number;
  readonly managed: { readonly dma: boolean; readonly dma32: boolean };
}

const KiB = 1024;
const GiB = 2 ** 30;

/** get_order(). */
function getOrder(size: number, pageSize: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.ceil(size / pageSize))));
}

function poolOf(
  input: AtomicPoolInput,
  gfp: AtomicPool['gfp'],
  { order, zoneEnd }: { order: number; zoneEnd: number },
): AtomicPool {
  const { fromCma } = input.release.atomicPools;
  const inZone = input.defaultEnd <= zoneEnd || fromCma === 'always';
  const kib = (input.geometry.pageSize / KiB) * 2 ** order;
  const name = gfp === null ? '' : `${gfp} `;
  return {
    gfp,
    order,
    fromDefaultArea: fromCma !== 'never' && input.defaultEnd > 0 && inZone,
    message: `DMA: preallocated ${kib} KiB ${name}pool for atomic allocations`,
  };
}

/** The pools in the order in which they are filled; none without CONFIG_DMA_COHERENT_POOL. */
export function dmaAtomicPoolInit(input: AtomicPoolInput): AtomicPool[] {
  const { config, geometry, parameters, release } = input;
  const { pools, dma, dma32 } = release.atomicPools;
  if (!config.DMA_COHERENT_POOL) return [];
  const { pageSize, maxPageOrder } = geometry;
  if (pools === 'one') {
    const order = getOrder(parameters.atomicPoolSize || 256 * KiB, pageSize);
    return [poolOf(input, null, { order, zoneEnd: Number.POSITIVE_INFINITY })];
  }
  // 128 KiB per GiB of RAM, at least that, at most the largest block.
  const byRam = Math.floor(input.totalPages / (GiB / (128 * KiB)));
  const size =
    parameters.atomicPoolSize || Math.max(Math.min(byRam, 2 ** maxPageOrder) * pageSize, 128 * KiB);
  const order = Math.min(getOrder(size, pageSize), maxPageOrder);
  const result = [poolOf(input, 'GFP_KERNEL', { order, zoneEnd: Number.POSITIVE_INFINITY })];
  if (config.ZONE_DMA && (dma === 'configured' || input.managed.dma)) {
    result.push(poolOf(input, 'GFP_KERNEL|GFP_DMA', { order, zoneEnd: input.dmaEnd }));
  }
  if (config.ZONE_DMA32 && (dma32 === 'configured' || input.managed.dma32)) {
    result.push(poolOf(input, 'GFP_KERNEL|GFP_DMA32', { order, zoneEnd: input.dma32End }));
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
