/**
 * Mappings that are live: (device, DMA address) -> when it was mapped.
 *
 * Bounded: a recording that never unmaps (NVMe on 7.2 without an IOMMU) must not grow without end,
 * so beyond `LIVE_MAX` entries old ones are forgotten and counted.
 */
const LIVE_MAX = 1 << 19;

export class LiveMaps {
  readonly #devices = new Map<number, Map<number, number>>();
  #count = 0;
  readonly #hand = this.#roundabout();
  /** Entries dropped because the table was full. */
  forgotten = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * Records a mapping. Returns false when the address was mapped already: its unmap was not seen.
   */
  add(device: number, address: number, time: number): boolean {
    let times = this.#devices.get(device);
    if (times === undefined) {
      times = new Map();
      this.#devices.set(device, times);
    }
    const isFresh = !times.has(address);
    if (isFresh) {
      if (this.#count >= LIVE_MAX) this.#forget();
      this.#count++;
    }
    times.set(address, time);
    return isFresh;
  }

  /**
   * Removes a mapping and gives its time; undefined when it is not known: it was made before the
   * recording began.
   */
  remove(device: number, address: number): number | undefined {
    const times = this.#devices.get(device);
    const time = times?.get(address);
    if (times?.delete(address)) this.#count--;
    return time;
  }

  #forget(): void {
    const { times, address } = this.#hand.next().value;
    times.delete(address);
    this.#count--;
    this.forgotten++;
  }

  /** All entries, device by device, oldest first, again and again; needs one to stop at. */
  *#roundabout(): Generator<{ times: Map<number, number>; address: number }, never> {
    for (;;) {
      for (const times of this.#devices.values()) {
        for (const address of times.keys()) yield { times, address };
      }
    }
  }
}
