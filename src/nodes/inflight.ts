/**
 * Requests that an actor has begun and not ended, as rows of numbers.
 *
 * A ticket is a row; rows are reused. No object per request: a rack has tens of thousands at once.
 */

/** What one cma_alloc() spends its time on, in ns; positions from `ticket.parts` on. */
export const partNames = [
  'lock', // cma->lock and the allocation mutex: waiting, not holding
  'search', // bitmap_find_next_zero_area_off()
  'isolate', // start_isolate_page_range()
  'drain_pcp', // drain_all_pages()
  'drain_lru', // lru_cache_disable()
  'migrate', // migrate_pages(), tries on pages that stay among it
  'drop', // reclaim_clean_pages_from_list()
  'freeze', // test_pages_isolated(), isolate_freepages_range()
  'undo', // undo_isolate_page_range()
] as const;
export const PARTS = partNames.length;
export const part = {
  lock: 0,
  search: 1,
  isolate: 2,
  drainPcp: 3,
  drainLru: 4,
  migrate: 5,
  drop: 6,
  freeze: 7,
  undo: 8,
} as const;

/** Row: the eight doubles of the request, then what the attempt in hand adds. */
export const ticket = {
  area: 8,
  /** First bit of the window claimed. */
  bit: 9,
  count: 10,
  align: 11,
  retries: 12,
  /** When the window was claimed, ns. */
  since: 13,
  /** End of the time already spent here but not yet waited for, ns after `now`. */
  work: 14,
  /** When cma_alloc() was entered, ns. */
  entered: 15,
  /** Page of the area up to which this request has moved everything out of its way. */
  emptied: 16,
  /** Of the window in hand: pages to copy elsewhere and clean ones to drop, before anything that stays. */
  copies: 17,
  drops: 18,
  /** Page of the area that does not go away, or -1. */
  stuck: 19,
  /** Pages copied to this node, while others are asked for the rest. */
  local: 20,
  /** Isolated pageblocks [from, to), counted from pfn 0. */
  blockFrom: 21,
  blockTo: 22,
  parts: 23,
} as const;
const WIDTH = ticket.parts + PARTS;

export class InFlight {
  rows = new Float64Array(WIDTH * 16);
  #free: number[] = [];
  #count = 0;

  /** Copies a request in; returns the offset of its row in `rows`, which is its ticket. */
  open(m: Float64Array, at: number): number {
    const row = this.#free.pop() ?? this.#grow();
    for (let i = 0; i < 8; i++) this.rows[row + i] = m[at + i];
    this.rows.fill(0, row + 8, row + WIDTH);
    return row;
  }

  close(row: number): void {
    this.#free.push(row);
  }

  /** Adds to a part of what a request has spent. */
  spend(row: number, which: number, ns: number): void {
    this.rows[row + ticket.parts + which] += ns;
  }

  /** Requests begun and not ended. */
  get size(): number {
    return this.#count - this.#free.length;
  }

  #grow(): number {
    const row = this.#count * WIDTH;
    if (row + WIDTH > this.rows.length) {
      const rows = new Float64Array(this.rows.length * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.#count++;
    return row;
  }
}
