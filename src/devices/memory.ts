/**
 * A device's memory, said once: a list of allocations in the order of their handles.
 *
 * The list numbers the handles, says how each is asked for, and is the device's footprint. An entry
 * of no bytes keeps handles in reserve, for what is asked for only after a change or a refusal.
 */

/** What of the machine and the kernel decides how much memory a device asks for. */
export interface DeviceEnvironment {
  /** Bytes. */
  readonly pageSize: number;
  readonly maxPageOrder: number;
  /** CONFIG_CMA_ALIGNMENT. */
  readonly cmaAlignment: number;
  /** CONFIG_DMA_CMA. */
  readonly dmaCma: boolean;
  /** CPUs that are online. */
  readonly cpus: number;
}

/** Allocations alike, one handle each. */
export interface Allocation {
  readonly purpose: string;
  /** The call that asks: dma_alloc_coherent() unless given; `atomic` is that with GFP_ATOMIC. */
  readonly how?: How;
  /** Bytes of one; 0 keeps the handle in reserve. */
  readonly bytes: number;
  /** One unless given. */
  readonly count?: number;
  /** True for what is asked for when the interface is opened, not by the probe. */
  readonly open?: boolean;
}

/**
 * `pages`: alloc_pages_node(), one block. `bulk`: pages that need not lie together. `cma`:
 * cma_alloc() on the device's area, aligned as dma_alloc_from_contiguous() does.
 */
type How = 'coherent' | 'atomic' | 'pages' | 'bulk' | 'cma';

/** Allocations that come in turn, `times` over: the queues of a pair, the planes of a buffer. */
interface Repeated {
  readonly times: number;
  readonly each: readonly Allocation[];
}

export type MemoryList = readonly (Allocation | Repeated)[];

/** One kind of memory a device allocates over its life. */
export interface FootprintRow {
  readonly purpose: string;
  /** Bytes of one allocation. */
  readonly bytes: number;
  readonly count: number;
  /** More than a page of dma_alloc_coherent() may come from CMA; a pool of pages never. */
  readonly cma: boolean;
}

/** A stretch of handles, `times` over: each allocation of `each` has `count` handles in a row. */
interface Stretch {
  readonly first: number;
  readonly end: number;
  readonly span: number;
  readonly each: readonly Allocation[];
}

export class DeviceMemory {
  /** All handles. */
  readonly handles: number;
  /** Handles from 0 on that have room from the start: those behind are in reserve. */
  readonly resident: number;
  /** Handles of the probe: those before the first that comes with `open`. */
  readonly probed: number;
  readonly #stretches: readonly Stretch[];

  constructor(list: MemoryList) {
    const stretches: Stretch[] = [];
    let handles = 0;
    let resident = 0;
    let probed: number | undefined;
    for (const entry of list) {
      const { times, each } = 'each' in entry ? entry : { times: 1, each: [entry] };
      const span = each.reduce((sum, { count = 1 }) => sum + count, 0);
      const end = handles + times * span;
      if (each.some(({ open }) => open)) probed ??= handles;
      if (end > handles) stretches.push({ first: handles, end, span, each });
      if (each.some(({ bytes }) => bytes > 0)) resident = end;
      handles = end;
    }
    this.handles = handles;
    this.resident = resident;
    this.probed = probed ?? handles;
    this.#stretches = stretches;
  }

  /** @throws Error if there is no such handle. */
  at(handle: number): Allocation {
    for (const { first, end, span, each } of this.#stretches) {
      if (handle >= end) continue;
      let left = (handle - first) % span;
      for (const allocation of each) {
        left -= allocation.count ?? 1;
        if (left < 0) return allocation;
      }
    }
    throw new Error(`handle ${handle}, expected one of ${this.handles}`);
  }

  /** What the device asks for as it is configured, a row for each purpose. */
  footprint(pageSize: number): FootprintRow[] {
    return this.#stretches.flatMap(({ first, end, span, each }) => {
      const rows = new Map<string, FootprintRow>();
      for (const { purpose, how = 'coherent', bytes, count: once = 1 } of each) {
        const count = (once * (end - first)) / span + (rows.get(purpose)?.count ?? 0);
        if (bytes === 0 || count === 0) continue;
        const cma = how === 'cma' || (how === 'coherent' && bytes > pageSize);
        rows.set(purpose, { purpose, bytes, count, cma });
      }
      return [...rows.values()];
    });
  }
}

/** A model's memory for one configuration. */
export function memoryOf(
  model: { memory(config: unknown, environment: DeviceEnvironment): MemoryList },
  config: unknown,
  environment: DeviceEnvironment,
): DeviceMemory {
  return new DeviceMemory(model.memory(config, environment));
}
