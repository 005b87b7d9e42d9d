/**
 * Requests that an actor has begun and not ended, as rows of numbers with a view each.
 *
 * A ticket is the number of a row; rows are reused and never move. No object is made per request:
 * a rack has tens of thousands at once.
 */

import { Ns, Pages } from '../mm/units.js';
import { doubles, record } from '../wire/record.js';
import { type Request, requestFields } from '../wire/request.js';

/** What one cma_alloc() spends its time on, in ns; positions from a flight's `parts` on. */
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

/** The request, then what the attempt in hand adds. */
export const Flight = record(
  {
    ...requestFields,
    ticket: Number,
    /** Position of the node whose CPU runs the call. */
    place: Number,
    area: Number,
    /** First bit of the window claimed. */
    bit: Number,
    count: Pages,
    order: Number,
    retries: Number,
    /** When the window was claimed, and when cma_alloc() was entered. */
    since: Ns,
    entered: Ns,
    /** Time already spent here but not yet waited for. */
    work: Ns,
    /** Page of the area up to which this request has moved everything out of its way. */
    emptied: Number,
    /** Of the window in hand: pages to copy elsewhere, and clean ones to drop. */
    copies: Pages,
    drops: Pages,
    /** Page of the area that does not go away, or -1. */
    stuck: Number,
    /** Pages copied to this node, while others are asked for the rest. */
    local: Pages,
    /** Isolated pageblocks [blockFrom, blockTo), counted from pfn 0. */
    blockFrom: Number,
    blockTo: Number,
    parts: doubles(PARTS),
  },
  64,
);
export type Flight = InstanceType<typeof Flight>;

/** Adds to a part of what a request has spent. */
export function spend(flight: Flight, which: number, ns: number): void {
  flight.m[flight.parts + which] += ns;
}

/** Rows that are made at once. */
const CHUNK = 16;

export class InFlight {
  readonly #flights: Flight[] = [];
  readonly #free: Flight[] = [];
  #rows = new Float64Array(0);

  /** Begins a request: a row with what it asks, and zeros. */
  open(request: Request): Flight {
    const flight = this.#free.pop() ?? this.#grow();
    const { m, at } = flight;
    const { ticket } = flight;
    m.fill(0, at, at + Flight.width);
    flight.copy(request.m, request.at);
    flight.ticket = ticket;
    return flight;
  }

  /** @throws Error if nothing is in flight under that number. */
  of(ticket: number): Flight {
    const flight = this.#flights[ticket];
    if (!flight) throw new Error(`ticket ${ticket}, expected one of ${this.#flights.length}`);
    return flight;
  }

  close(flight: Flight): void {
    this.#free.push(flight);
  }

  /** Requests begun and not ended. */
  get size(): number {
    return this.#flights.length - this.#free.length;
  }

  #grow(): Flight {
    const ticket = this.#flights.length;
    const row = ticket % CHUNK;
    if (row === 0) this.#rows = new Float64Array(CHUNK * Flight.width);
    const flight = new Flight().on(this.#rows, row * Flight.width);
    flight.ticket = ticket;
    this.#flights.push(flight);
    return flight;
  }
}
