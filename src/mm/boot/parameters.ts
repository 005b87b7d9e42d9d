/**
 * Kernel variables that the command line has set when memory is reserved.
 *
 * Named after the variables of kernel/dma/contiguous.c, kernel/dma/pool.c and mm/hugetlb.c. The
 * text is read by scenario/cmdline.ts. Sizes and addresses are in bytes; beyond 2^53 they are
 * rounded to a double, which is exact for every multiple of a page.
 */

/** As an empty command line leaves them. */
export class KernelVariables {
  /** size_cmdline; null: cma= was not given. */
  cmaSize: number | null = null;
  cmaBase = 0;
  cmaLimit = 0;
  /** pernuma_size_bytes from the command line; null: not given, the configuration's size holds. */
  everySize: number | null = null;
  /** numa_cma_size[], by node. */
  readonly sizeByNode = new Map<number, number>();
  /** numa_cma_configured: one of the two parameters above was there, whatever it said. */
  numaCmaConfigured = false;
  /** hugetlb_cma_size and hugetlb_cma_size_in_node[]. */
  hugetlbSize = 0;
  readonly hugetlbByNode = new Map<number, number>();
  /** atomic_pool_size; 0: not given. */
  atomicPoolSize = 0;
  /** numa=off. */
  numaOff = false;
  /** mem=; null: not given. */
  mem: number | null = null;
}

export type BootParameters = Readonly<Omit<KernelVariables, 'sizeByNode' | 'hugetlbByNode'>> & {
  readonly sizeByNode: ReadonlyMap<number, number>;
  readonly hugetlbByNode: ReadonlyMap<number, number>;
};
