/**
 * A binary heap of record positions, ordered by (time, priority, source actor, sequence).
 *
 * The queue keeps in it what lands in the bucket being served: few events, all within 2^31 ns of
 * each other, which is what lets it compare the low words of their times.
 */

import { tieAfter } from './sort.js';

export class EventHeap {
  items = new Int32Array(64);
  size = 0;

  push(at: number, records: Int32Array): void {
    if (this.size === this.items.length) {
      const items = new Int32Array(this.size * 2);
      items.set(this.items);
      this.items = items;
    }
    const items = this.items;
    let i = this.size++;
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      if (!after(records, items[parent], at)) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = at;
  }

  /** Removes the first record; the heap must not be empty. */
  pop(records: Int32Array): number {
    const items = this.items;
    const top = items[0];
    const count = --this.size;
    const last = items[count];
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= count) break;
      if (child + 1 < count && after(records, items[child], items[child + 1])) child++;
      if (!after(records, last, items[child])) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = last;
    return top;
  }
}

function after(records: Int32Array, a: number, b: number): boolean {
  const d = (records[a] - records[b]) | 0;
  return d !== 0 ? d > 0 : tieAfter(records, a, b);
}
