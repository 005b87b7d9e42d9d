/**
 * GFP flags, as far as they decide where DMA memory comes from (include/linux/gfp_types.h).
 *
 * The bit numbers are ours: the kernel's move between releases, so recordings are read by name.
 */

export const GFP_DMA = 1 << 0;
export const GFP_DMA32 = 1 << 1;
export const GFP_HIGHMEM = 1 << 2;
export const GFP_MOVABLE = 1 << 3;
const GFP_RECLAIMABLE = 1 << 4;
export const GFP_HIGH = 1 << 5;
const GFP_IO = 1 << 6;
const GFP_FS = 1 << 7;
const GFP_ZERO = 1 << 8;
export const GFP_DIRECT_RECLAIM = 1 << 9;
const GFP_KSWAPD_RECLAIM = 1 << 10;
const GFP_NOWARN = 1 << 11;
const GFP_NORETRY = 1 << 12;
const GFP_COMP = 1 << 13;
const GFP_THISNODE = 1 << 14;

const GFP_RECLAIM = GFP_DIRECT_RECLAIM | GFP_KSWAPD_RECLAIM;

/** The names drivers and recordings write, composed as include/linux/gfp_types.h composes them. */
export const gfpNames: Readonly<Record<string, number>> = {
  KERNEL: GFP_RECLAIM | GFP_IO | GFP_FS,
  ATOMIC: GFP_HIGH | GFP_KSWAPD_RECLAIM,
  NOWAIT: GFP_KSWAPD_RECLAIM,
  NOIO: GFP_RECLAIM,
  NOFS: GFP_RECLAIM | GFP_IO,
  USER: GFP_RECLAIM | GFP_IO | GFP_FS,
  DMA: GFP_DMA,
  DMA32: GFP_DMA32,
  HIGHMEM: GFP_HIGHMEM,
  MOVABLE: GFP_MOVABLE,
  ZERO: GFP_ZERO,
  NOWARN: GFP_NOWARN,
  NORETRY: GFP_NORETRY,
  COMP: GFP_COMP,
  THISNODE: GFP_THISNODE,
  HIGH: GFP_HIGH,
  IO: GFP_IO,
  FS: GFP_FS,
  RECLAIM: GFP_RECLAIM,
  DIRECT_RECLAIM: GFP_DIRECT_RECLAIM,
  KSWAPD_RECLAIM: GFP_KSWAPD_RECLAIM,
  RECLAIMABLE: GFP_RECLAIMABLE,
};

export const GFP_KERNEL = gfpNames.KERNEL!;
export const GFP_ATOMIC = gfpNames.ATOMIC!;

/**
 * `KERNEL|DMA32`, `GFP_KERNEL|__GFP_NOWARN` -> bits; undefined names are returned for the message.
 */
export function parseGfp(text: string): { bits: number; unknown: readonly string[] } {
  let bits = 0;
  const unknown: string[] = [];
  for (const part of text.split('|')) {
    const name = part.trim().replace(/^(?:___?)?GFP_/, '');
    const value = gfpNames[name];
    if (value === undefined) unknown.push(part);
    else bits |= value;
  }
  return { bits, unknown };
}

/** gfpflags_allow_blocking(): cma_alloc() may sleep, so only such requests reach it. */
export function allowBlocking(gfp: number): boolean {
  return (gfp & GFP_DIRECT_RECLAIM) !== 0;
}
