/**
 * What the kernel command line has left in the kernel's variables when memory is reserved.
 *
 * Named after the variables of kernel/dma/contiguous.c, kernel/dma/pool.c and mm/hugetlb.c. The
 * text is read by scenario/cmdline.ts. Sizes and addresses are in bytes; beyond 2^53 they are
 * rounded to a double, which is exact for every multiple of a page.
 */

export interface BootParameters {
  /** size_cmdline; null: cma= was not given. */
  readonly cmaSize: number | null;
  readonly cmaBase: number;
  readonly cmaLimit: number;
  /** pernuma_size_bytes from the command line; null: not given, the configuration's size holds. */
  readonly everySize: number | null;
  /** numa_cma_size[], by node. */
  readonly sizeByNode: ReadonlyMap<number, number>;
  /** numa_cma_configured: one of the two parameters above was there, whatever it said. */
  readonly numaCmaConfigured: boolean;
  /** hugetlb_cma_size and hugetlb_cma_size_in_node[]. */
  readonly hugetlbSize: number;
  readonly hugetlbByNode: ReadonlyMap<number, number>;
  /** atomic_pool_size; 0: not given. */
  readonly atomicPoolSize: number;
  /** numa=off. */
  readonly numaOff: boolean;
  /** mem=; null: not given. */
  readonly mem: number | null;
  readonly movableNode: boolean;
}

/** An empty command line. */
export const noParameters: BootParameters = {
  cmaSize: null,
  cmaBase: 0,
  cmaLimit: 0,
  everySize: null,
  sizeByNode: new Map(),
  numaCmaConfigured: false,
  hugetlbSize: 0,
  hugetlbByNode: new Map(),
  atomicPoolSize: 0,
  numaOff: false,
  mem: null,
  movableNode: false,
};
