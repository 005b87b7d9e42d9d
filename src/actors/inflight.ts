/**
 * Requests that an actor has begun and not ended, as rows of numbers.
 *
 * A ticket is a row; rows are reused. No object per request: a rack has tens of thousands at once.
 */

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
} as const;
const WIDTH = 15;

export class InFlight {
  rows = new Float64Array(WIDTH * 16);
  #free: number[] = [];
  #count = 0;

  /** Copies a request in; returns the offset of its row in `rows`, which is its ticket. */
  open(m: Float64Array, at: number): number {
    const row = this.#free.pop() ?? this.#grow();
    for (let i = 0; i < 8; i++) this.rows[row + i] = m[at + i]!;
    this.rows.fill(0, row + 8, row + WIDTH);
    return row;
  }

  close(row: number): void {
    this.#free.push(row);
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
