/**
 * Storage of pending events: fixed-width records in chunks of one typed array, payloads in slots.
 *
 * A record is four words: low word of the time, destination and type, priority and source,
 * sequence. Its position is the index of the first word. A payload of eight doubles takes a slot
 * only if one of them is not zero; the number of the slot stands in a column that no other event
 * touches.
 */

/** Words per record. */
export const RECORD = 4;
const CHUNK_SHIFT = 6;
/** Words per chunk: 16 records. */
export const CHUNK = 1 << CHUNK_SHIFT;
/** Doubles per payload. */
export const PAYLOAD = 8;
/** Bit of the second word: the record has a payload. */
export const HAS_PAYLOAD = 1;

export class RecordPool {
  /** Chunk 0 is never used: position 0 means none. */
  records = new Int32Array(64 * CHUNK);
  /** Payload slot per record, valid where HAS_PAYLOAD is set. */
  slots = new Int32Array((64 * CHUNK) / RECORD);
  /** Slot 0 stays zero: it is what an event without payload shows. */
  payload = new Float64Array(64 * PAYLOAD);
  /** The same as words, for the fingerprint. */
  payloadWords = new Int32Array(this.payload.buffer);
  /** Chunk that follows each chunk, in a bucket's chain or in the free list; 0 ends it. */
  next = new Int32Array(64);
  private freeChunk = 0;
  private chunkTop = 1;
  private slotNext = new Int32Array(64);
  private freeSlot = 0;
  private slotTop = 1;
  private spare = new Int32Array(64);
  private spareCount = 0;

  /** A chunk that nothing follows, as its first position. */
  takeChunk(): number {
    let chunk = this.freeChunk;
    if (chunk !== 0) {
      this.freeChunk = this.next[chunk];
      this.next[chunk] = 0;
    } else {
      chunk = this.chunkTop++;
      if (chunk === this.next.length) this.growChunks();
    }
    return chunk << CHUNK_SHIFT;
  }

  /** Gives back the chain of chunks from `first` to `last`, both positions. */
  giveChain(first: number, last: number): void {
    this.next[last >>> CHUNK_SHIFT] = this.freeChunk;
    this.freeChunk = first >>> CHUNK_SHIFT;
  }

  /** Position of the chunk after the one at `at`, 0 if it is the last. */
  after(at: number): number {
    return this.next[at >>> CHUNK_SHIFT] << CHUNK_SHIFT;
  }

  link(last: number, at: number): void {
    this.next[last >>> CHUNK_SHIFT] = at >>> CHUNK_SHIFT;
  }

  /** A single record, for what is not kept in a bucket. */
  takeSpare(): number {
    if (this.spareCount === 0) {
      const at = this.takeChunk();
      for (let i = CHUNK - RECORD; i >= 0; i -= RECORD) this.giveSpare(at + i);
    }
    return this.spare[--this.spareCount];
  }

  giveSpare(at: number): void {
    if (this.spareCount === this.spare.length) {
      const spare = new Int32Array(this.spare.length * 2);
      spare.set(this.spare);
      this.spare = spare;
    }
    this.spare[this.spareCount++] = at;
  }

  /** Writes a record without payload. */
  write(at: number, low: number, word: number, order: number, sequence: number): void {
    const { records } = this;
    records[at] = low;
    records[at + 1] = word;
    records[at + 2] = order;
    records[at + 3] = sequence;
  }

  /** Gives the record at `at` the payload `from[offset]` and following. */
  attach(at: number, from: Float64Array, offset: number): void {
    let slot = this.freeSlot;
    if (slot !== 0) {
      this.freeSlot = this.slotNext[slot];
    } else {
      slot = this.slotTop++;
      if (slot === this.slotNext.length) this.growSlots();
    }
    const payload = this.payload;
    const to = slot * PAYLOAD;
    for (let i = 0; i < PAYLOAD; i++) payload[to + i] = from[offset + i];
    this.records[at + 1] |= HAS_PAYLOAD;
    this.slots[at >>> 2] = slot;
  }

  giveSlot(slot: number): void {
    this.slotNext[slot] = this.freeSlot;
    this.freeSlot = slot;
  }

  private growChunks(): void {
    const count = this.next.length * 2;
    const next = new Int32Array(count);
    next.set(this.next);
    this.next = next;
    const records = new Int32Array(count * CHUNK);
    records.set(this.records);
    this.records = records;
    const slots = new Int32Array((count * CHUNK) / RECORD);
    slots.set(this.slots);
    this.slots = slots;
  }

  private growSlots(): void {
    const count = this.slotNext.length * 2;
    const slotNext = new Int32Array(count);
    slotNext.set(this.slotNext);
    this.slotNext = slotNext;
    const payload = new Float64Array(count * PAYLOAD);
    payload.set(this.payload);
    this.payload = payload;
    this.payloadWords = new Int32Array(payload.buffer);
  }
}
