/**
 * Mappings that are live: (device, DMA address) -> when it was mapped, and how much.
 *
 * Maps outnumber allocations by up to 250 to 1, so this is a flat hash table in typed arrays.
 * Bounded: a recording that never unmaps (NVMe on 7.2 without an IOMMU) must not grow without end,
 * so beyond `LIVE_MAX` entries old ones are forgotten and counted.
 */
const LIVE_MAX = 1 << 19;
const EMPTY = -1;

export class LiveMaps {
  #device = new Int32Array(1_024).fill(EMPTY);
  #address = new Float64Array(1_024);
  #time = new Float64Array(1_024);
  #bytes = new Float64Array(1_024);
  #count = 0;
  #hand = 0;
  /** Entries dropped because the table was full. */
  forgotten = 0;
  /** What remove() found. */
  removedTime = 0;
  removedBytes = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * Records a mapping. Returns false when the address was mapped already: its unmap was not seen.
   */
  add(device: number, address: number, time: number, bytes: number): boolean {
    let slot = this.#find(device, address);
    const fresh = this.#device[slot] === EMPTY;
    if (fresh) {
      if (this.#count >= LIVE_MAX) this.#forget();
      else if (this.#count * 2 >= this.#device.length) this.#grow();
      slot = this.#find(device, address);
      this.#device[slot] = device;
      this.#address[slot] = address;
      this.#count++;
    }
    this.#time[slot] = time;
    this.#bytes[slot] = bytes;
    return fresh;
  }

  /** Removes a mapping; false when it is not known: it was made before the recording began. */
  remove(device: number, address: number): boolean {
    const slot = this.#find(device, address);
    if (this.#device[slot] === EMPTY) return false;
    this.removedTime = this.#time[slot];
    this.removedBytes = this.#bytes[slot];
    this.#clear(slot);
    return true;
  }

  /** Live mappings and their bytes per device id. */
  perDevice(): Map<number, { maps: number; bytes: number }> {
    const result = new Map<number, { maps: number; bytes: number }>();
    for (let slot = 0; slot < this.#device.length; slot++) {
      const device = this.#device[slot];
      if (device === EMPTY) continue;
      const row = result.get(device) ?? { maps: 0, bytes: 0 };
      row.maps++;
      row.bytes += this.#bytes[slot];
      result.set(device, row);
    }
    return result;
  }

  #home(device: number, address: number): number {
    const high = Math.floor(address / 0x1_0000_0000) | 0;
    let hash = Math.imul(address | 0, 0x9e3779b1) ^ Math.imul(high + device * 7919, 0x85ebca6b);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x2c1b3c6d) >>> 0;
  }

  /** Slot that holds the key, or the empty one where it would go. */
  #find(device: number, address: number): number {
    const mask = this.#device.length - 1;
    let slot = this.#home(device, address) & mask;
    for (;;) {
      const found = this.#device[slot];
      if (found === EMPTY || (found === device && this.#address[slot] === address)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Empties a slot and moves up what was pushed past it, so that no search stops early. */
  #clear(slot: number): void {
    const mask = this.#device.length - 1;
    let hole = slot;
    let next = (slot + 1) & mask;
    while (this.#device[next] !== EMPTY) {
      const home = this.#home(this.#device[next], this.#address[next]) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#move(next, hole);
        hole = next;
      }
      next = (next + 1) & mask;
    }
    this.#device[hole] = EMPTY;
    this.#count--;
  }

  #move(from: number, to: number): void {
    this.#device[to] = this.#device[from];
    this.#address[to] = this.#address[from];
    this.#time[to] = this.#time[from];
    this.#bytes[to] = this.#bytes[from];
  }

  #forget(): void {
    const mask = this.#device.length - 1;
    while (this.#device[this.#hand] === EMPTY) this.#hand = (this.#hand + 1) & mask;
    this.#clear(this.#hand);
    this.forgotten++;
  }

  #grow(): void {
    const device = this.#device;
    const address = this.#address;
    const time = this.#time;
    const bytes = this.#bytes;
    const length = device.length * 2;
    this.#device = new Int32Array(length).fill(EMPTY);
    this.#address = new Float64Array(length);
    this.#time = new Float64Array(length);
    this.#bytes = new Float64Array(length);
    for (let i = 0; i < device.length; i++) {
      if (device[i] === EMPTY) continue;
      const slot = this.#find(device[i], address[i]);
      this.#device[slot] = device[i];
      this.#address[slot] = address[i];
      this.#time[slot] = time[i];
      this.#bytes[slot] = bytes[i];
    }
  }
}
