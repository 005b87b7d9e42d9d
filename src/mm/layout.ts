/**
 * What a kernel knows about its memory once it has booted: areas, zones, zonelists.
 *
 * Plain data. Boot (boot.ts) makes it from a machine and a command line; a recording
 * (replay/operationFile.ts) brings its own. The actors are built from it and from nothing else, so
 * a run and a replay share every line.
 */

/**
 * One CMA area as cma_areas[] holds it. `count` 0: it could not be activated; slot and name stay.
 */
export interface AreaLayout {
  /** Position in cma_areas[]. */
  readonly index: number;
  /** `pernuma1`, `numa1`, `reserved`, or the name a device tree gives. */
  readonly name: string;
  readonly basePfn: number;
  /** Pages. */
  readonly count: number;
  /** Pages per bitmap bit, as a power of two. */
  readonly orderPerBit: number;
  /** Node on which the pages lie. */
  readonly nid: number;
  readonly zone: string;
  /** Which array of kernel/dma/contiguous.c points to it; `private`: only devices that name it. */
  readonly role: 'pernuma' | 'numa' | 'default' | 'private';
  /**
   * Node the kernel's array files it under, which a kernel before exact_nid may have placed
   * elsewhere.
   */
  readonly slotNid: number;
}

/** One zone of one node; all counts in pages. */
export interface ZoneLayout {
  /** `DMA`, `DMA32`, `Normal`, `Movable`. */
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  /** Free in the buddy when the first request arrives, CMA pages included. */
  readonly free: number;
  readonly freeCma: number;
  /** Half-open pfn ranges that the buddy manages, ascending, CMA areas included. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
}

export interface NodeLayout {
  readonly nid: number;
  readonly online: boolean;
  readonly hasMemory: boolean;
  readonly zones: readonly ZoneLayout[];
}

export interface MemoryLayout {
  /** log2 of the page size in bytes. */
  readonly pageShift: number;
  /** Largest buddy order, inclusive. */
  readonly maxPageOrder: number;
  readonly pageblockOrder: number;
  /** CONFIG_CMA_ALIGNMENT: cap of the alignment order of one request. */
  readonly cmaAlignment: number;
  readonly areas: readonly AreaLayout[];
  /** Index of dma_contiguous_default_area, or -1. */
  readonly defaultArea: number;
  readonly nodes: readonly NodeLayout[];
  /**
   * Per node id the nodes of its zonelist, nearest first ("Fallback order for Node n"). Each
   * contributes its zones from the highest allowed to the lowest.
   */
  readonly fallback: ReadonlyMap<number, ArrayLike<number>>;
  /** CPU -> node whose memory it allocates from (numa_mem_id). */
  readonly cpuNode: readonly number[];
}
