/**
 * Table of what is live, by owner and address, that forgets its oldest entries when it is full.
 *
 * A recording that never frees (NVMe on 7.2 without an IOMMU never unmaps) must not grow without
 * end. One hand goes round owner by owner: a search from the front would pass, each time, all that
 * was deleted before it.
 */
export class LiveTable<Owner, Value> {
  readonly #owners = new Map<Owner, Map<number, Value>>();
  readonly #limit: number;
  readonly #hand = this.#roundabout();
  #size = 0;
  /** Entries dropped because the table was full. */
  forgotten = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /** Records what is live at an address. Returns false when something was live there already. */
  add(owner: Owner, address: number, value: Value): boolean {
    let entries = this.#owners.get(owner);
    if (entries === undefined) {
      entries = new Map();
      this.#owners.set(owner, entries);
    }
    const isFresh = !entries.has(address);
    if (isFresh) {
      if (this.#size >= this.#limit) this.#forget();
      this.#size++;
    }
    entries.set(address, value);
    return isFresh;
  }

  /** Removes an entry and gives its value; undefined when nothing is known to be live there. */
  remove(owner: Owner, address: number): Value | undefined {
    const entries = this.#owners.get(owner);
    const value = entries?.get(address);
    if (entries?.delete(address)) this.#size--;
    return value;
  }

  /** Values of one owner, oldest first. */
  of(owner: Owner): Iterable<Value> {
    return this.#owners.get(owner)?.values() ?? [];
  }

  /** Values owner by owner, oldest first. */
  *values(): Generator<Value> {
    for (const entries of this.#owners.values()) yield* entries.values();
  }

  #forget(): void {
    const { entries, address } = this.#hand.next().value;
    entries.delete(address);
    this.#size--;
    this.forgotten++;
  }

  /** All entries, again and again; needs one to stop at. */
  *#roundabout(): Generator<{ entries: Map<number, Value>; address: number }, never> {
    for (;;) {
      for (const entries of this.#owners.values()) {
        for (const address of entries.keys()) yield { entries, address };
      }
    }
  }
}
