/**
 * Byte strings stored once, numbered in the order of their first appearance.
 *
 * Recordings repeat a few hundred names millions of times: looking them up by their bytes makes no
 * string. Bounded: beyond `limit` names all new ones share the last id, whose text says so.
 */

/** No kernel name is longer; a damaged line may be. */
const MAX_LENGTH = 512;

export class Interner {
  readonly #texts: string[] = [];
  #hashes = new Int32Array(256);
  #starts = new Int32Array(256);
  #lengths = new Int32Array(256);
  #pool = new Uint8Array(4_096);
  #poolUsed = 0;
  #slots = new Int32Array(1_024).fill(-1);
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#texts.length;
  }

  text(id: number): string {
    return this.#texts[id] ?? '';
  }

  idOf(text: string): number {
    const bytes = Buffer.from(text, 'latin1');
    return this.id(bytes, 0, bytes.length);
  }

  /** Id of bytes[start, end), or of their first MAX_LENGTH. */
  id(bytes: Uint8Array, start: number, stop: number): number {
    const end = stop - start > MAX_LENGTH ? start + MAX_LENGTH : stop;
    let hash = end - start;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
    const mask = this.#slots.length - 1;
    let slot = Math.imul(hash, 0x9e3779b1) >>> 7;
    for (;;) {
      slot &= mask;
      const id = this.#slots[slot];
      if (id < 0) return this.#add(bytes, start, end, hash, slot);
      if (this.#hashes[id] === hash && this.#same(id, bytes, start, end)) return id;
      slot++;
    }
  }

  #same(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (this.#lengths[id] !== length) return false;
    const at = this.#starts[id];
    const pool = this.#pool;
    for (let i = 0; i < length; i++) if (pool[at + i] !== bytes[start + i]) return false;
    return true;
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const id = this.#texts.length;
    if (id >= this.#limit) return this.#limit - 1;
    if (id === this.#limit - 1) {
      this.#texts.push('(more names than are kept)');
      return id;
    }
    this.#grow(id, end - start);
    this.#pool.set(bytes.subarray(start, end), this.#poolUsed);
    this.#starts[id] = this.#poolUsed;
    this.#lengths[id] = end - start;
    this.#hashes[id] = hash;
    this.#poolUsed += end - start;
    this.#texts.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
    this.#slots[slot] = id;
    if (this.#texts.length * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #grow(id: number, length: number): void {
    if (id >= this.#hashes.length) {
      this.#hashes = grown(this.#hashes);
      this.#starts = grown(this.#starts);
      this.#lengths = grown(this.#lengths);
    }
    while (this.#poolUsed + length > this.#pool.length) {
      const pool = new Uint8Array(this.#pool.length * 2);
      pool.set(this.#pool);
      this.#pool = pool;
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    // The shared last id has no bytes of its own and stands in no slot.
    const count = Math.min(this.#texts.length, this.#limit - 1);
    for (let id = 0; id < count; id++) {
      let slot = (Math.imul(this.#hashes[id], 0x9e3779b1) >>> 7) & mask;
      while (slots[slot] >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}
