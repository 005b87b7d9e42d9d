/**
 * Page tables of an IOMMU for what its devices have allocated: how many pages they take.
 *
 * Models io-pgtable-arm.c with a four-level table of the kernel's page size: a leaf table maps
 * pageSize / 8 pages, whole blocks of that need none, and tables are never freed while the domain
 * lives. Addresses are handed out without holes. Left out: streaming mappings, concatenated roots.
 */

/** The root and what is between it and the leaves, for less than a block of the level above. */
const UPPER_TABLES = 3;

export class PageTables {
  readonly #blockBytes: number;
  /** Device -> bytes mapped by leaf tables, and tables it has. */
  readonly #mapped = new Map<number, { bytes: number; tables: number }>();

  constructor(pageSize: number) {
    this.#blockBytes = pageSize * (pageSize / 8);
  }

  /** Tables to be added so that `size` more bytes can be mapped. */
  map(device: number, size: number): number {
    const state = this.#mapped.get(device) ?? { bytes: 0, tables: 0 };
    state.bytes += size % this.#blockBytes;
    const needed = UPPER_TABLES + Math.ceil(state.bytes / this.#blockBytes);
    const more = Math.max(0, needed - state.tables);
    state.tables += more;
    this.#mapped.set(device, state);
    return more;
  }

  unmap(device: number, size: number): void {
    this.#mapped.get(device)!.bytes -= size % this.#blockBytes;
  }
}
