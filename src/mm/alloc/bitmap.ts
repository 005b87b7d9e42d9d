/**
 * A bitmap of `size` bits searched as the kernel searches a CMA area, with an index that skips full
 * parts.
 *
 * Models lib/bitmap.c (bitmap_find_next_zero_area_off, bitmap_set, bitmap_clear) on 32-bit words.
 *
 * The index: bits are grouped in blocks of 256, and a block in slots of 2^k bits. For each block
 * and k it knows the longest run of zeroes at the start of any slot, learnt when a search walks the
 * block in vain and kept up when bits are cleared. A window aligned to 2^k begins where a slot
 * does, so a block whose best slot is shorter than the request cannot hold its beginning, and is
 * skipped. Setting bits leaves an entry too large at worst: the block is walked once more. Results
 * are those of the plain search.
 *
 * Left out: bitmaps of 2^31 bits and more.
 */

export interface Bitmap {
  /** Bits. */
  readonly size: number;
  /** Where bit 0 lies in its block: slots are aligned as pages are, not as bits are. */
  readonly phase: number;
  readonly blocks: number;
  /**
   * Bit i is bit i % 32 of word i / 32. Empty until the first bit is set: an idle area costs
   * nothing.
   */
  words: Int32Array;
  /**
   * [k * blocks + block]: 1 + longest run of zeroes at the start of a slot of 2^k bits; 0 = not
   * known.
   */
  slots: Uint16Array;
  /** Set bits. */
  weight: number;
}

/**
 * 256 bits, the alignment CMA asks for at most by default. Measured: 128 is a fifth faster in 16
 * MiB of 4 KiB pages and half as fast in 1 GiB, 512 the other way round.
 */
const blockOrder = 8;
const blockSize = 1 << blockOrder;
const noWords = new Int32Array(0);
const noSlots = new Uint16Array(0);

/**
 * `offset`: bit 0 in units of bits from an address every alignment divides, as base_pfn >>
 * order_per_bit.
 */
export function bitmapZalloc(size: number, offset = 0): Bitmap {
  const phase = offset % blockSize;
  const blocks = Math.ceil((phase + size) / blockSize);
  return { size, phase, blocks, words: noWords, slots: noSlots, weight: 0 };
}

/** Index of the lowest set bit of a word that is not 0. */
function ffs(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Number of set bits of a word. */
function hweight32(word: number): number {
  let w = word - ((word >>> 1) & 0x55555555);
  w = (w & 0x33333333) + ((w >>> 2) & 0x33333333);
  return Math.imul((w + (w >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** First zero bit in [from, limit), or limit. */
function findNextZeroBit(words: Int32Array, from: number, limit: number): number {
  if (from >= limit) return limit;
  const last = (limit - 1) >>> 5;
  let w = from >>> 5;
  let zeroes = ~words[w] & (-1 << (from & 31));
  while (zeroes === 0) {
    if (w === last) return limit;
    w += 1;
    zeroes = ~words[w];
  }
  const bit = (w << 5) + ffs(zeroes);
  return bit < limit ? bit : limit;
}

/** First set bit in [from, limit), or limit. */
function findNextBit(words: Int32Array, from: number, limit: number): number {
  if (from >= limit) return limit;
  const last = (limit - 1) >>> 5;
  let w = from >>> 5;
  let ones = words[w] & (-1 << (from & 31));
  while (ones === 0) {
    if (w === last) return limit;
    w += 1;
    ones = words[w];
  }
  const bit = (w << 5) + ffs(ones);
  return bit < limit ? bit : limit;
}

/**
 * bitmap_find_next_zero_area_off(): the smallest i >= start such that i + alignOffset is a multiple
 * of alignMask + 1 and the bits [i, i + nr) are zero; -1 if there is none. nr >= 1; alignMask + 1
 * is a power of two; 0 <= alignOffset <= alignMask.
 */
export function bitmapFindNextZeroAreaOff(
  map: Bitmap,
  start: number,
  nr: number,
  alignMask: number,
  alignOffset: number,
): number {
  const words = map.words;
  const size = map.size;
  if (words.length === 0) {
    const index = ((start + alignOffset + alignMask) & ~alignMask) - alignOffset;
    return index + nr <= size ? index : -1;
  }
  const order = 32 - Math.clz32(alignMask);
  const row = order < blockOrder ? order : blockOrder;
  // Slots begin where windows of this request may begin only if both count from the same address.
  if (((map.phase ^ alignOffset) & alignMask & (blockSize - 1)) !== 0) {
    return findInWords(words, size, start, nr, alignMask, alignOffset);
  }
  const slot = 1 << row;
  const need = nr < slot ? nr : slot;
  const { phase, slots } = map;
  const rowEnd = (row + 1) * map.blocks;
  let from = start;
  while (from < size) {
    let at = row * map.blocks + ((from + phase) >>> blockOrder);
    const first = at;
    // Unknown is 0, and 0 - 1 >>> 0 is larger than any need.
    while (at < rowEnd && (slots[at] - 1) >>> 0 < need) at += 1;
    if (at === rowEnd) return -1;
    const blockStart = ((at - row * map.blocks) << blockOrder) - phase;
    if (at !== first) from = blockStart;
    const blockEnd = blockStart + blockSize < size ? blockStart + blockSize : size;
    const whole = from <= blockStart || from === 0;
    let longest = 0;
    for (;;) {
      const zero = findNextZeroBit(words, from, blockEnd);
      const index = ((zero + alignOffset + alignMask) & ~alignMask) - alignOffset;
      if (index >= blockEnd) {
        from = index;
        break;
      }
      const end = index + nr;
      if (end > size) return -1;
      const set = findNextBit(words, index, end);
      if (set === end) return index;
      if (set - index > longest) longest = set - index;
      from = set + 1;
    }
    // A wider alignment than a block's looked at some slots only.
    if (whole && order === row) slots[at] = 1 + (longest < slot ? longest : slot);
  }
  return -1;
}

/** The search as lib/bitmap.c writes it, for windows that do not begin where slots do. */
function findInWords(
  words: Int32Array,
  size: number,
  start: number,
  nr: number,
  alignMask: number,
  alignOffset: number,
): number {
  let from = start;
  for (;;) {
    const zero = findNextZeroBit(words, from, size);
    const index = ((zero + alignOffset + alignMask) & ~alignMask) - alignOffset;
    const end = index + nr;
    if (end > size) return -1;
    const set = findNextBit(words, index, end);
    if (set === end) return index;
    from = set + 1;
  }
}

/**
 * bitmap_set(): sets [start, start + nr), which must lie in the bitmap; returns how many were zero.
 */
export function bitmapSet(map: Bitmap, start: number, nr: number): number {
  if (map.words.length === 0) {
    map.words = new Int32Array((map.size + 31) >>> 5);
    map.slots = new Uint16Array((blockOrder + 1) * map.blocks);
  }
  const words = map.words;
  const last = (start + nr - 1) >>> 5;
  let w = start >>> 5;
  let mask = -1 << (start & 31);
  let changed = 0;
  for (; w <= last; w++) {
    if (w === last) mask &= -1 >>> (31 - ((start + nr - 1) & 31));
    const zeroes = mask & ~words[w];
    changed += hweight32(zeroes);
    words[w] |= mask;
    mask = -1;
  }
  map.weight += changed;
  return changed;
}

/**
 * bitmap_clear(): clears [start, start + nr), which must lie in the bitmap; returns how many were
 * set. Fewer than nr: the kernel does not look, so a free of too many pages passes here unseen.
 */
export function bitmapClear(map: Bitmap, start: number, nr: number): number {
  if (map.words.length === 0) return 0;
  const words = map.words;
  const last = (start + nr - 1) >>> 5;
  let w = start >>> 5;
  let mask = -1 << (start & 31);
  let changed = 0;
  for (; w <= last; w++) {
    if (w === last) mask &= -1 >>> (31 - ((start + nr - 1) & 31));
    changed += hweight32(mask & words[w]);
    words[w] &= ~mask;
    mask = -1;
  }
  map.weight -= changed;
  if (changed !== 0) widen(map, start, start + nr);
  return changed;
}

/**
 * Brings the index up to date with [start, end) having become zero. Only slots that begin in the
 * run of zeroes around it have grown, and the first of them has grown longest.
 */
function widen(map: Bitmap, start: number, end: number): void {
  const { words, slots, size, phase, blocks } = map;
  const last = (end - 1 + phase) >>> blockOrder;
  for (let block = (start + phase) >>> blockOrder; block <= last; block++) {
    const blockStart = (block << blockOrder) - phase;
    const low = blockStart < 0 ? 0 : blockStart;
    const high = blockStart + blockSize < size ? blockStart + blockSize : size;
    const from = start > low ? findRunStart(words, low, start) : low;
    const to = end < high ? findNextBit(words, end, high) : high;
    for (let row = 0, at = block; row <= blockOrder; row++, at += blocks) {
      const slot = 1 << row;
      const first = ((from + phase + slot - 1) & -slot) - phase;
      if (first >= to) break;
      const known = 1 + (to - first < slot ? to - first : slot);
      if (slots[at] !== 0 && known > slots[at]) slots[at] = known;
    }
  }
}

/**
 * Start of the run of zero bits that ends before `end`; not below `low`, which is less than `end`.
 */
function findRunStart(words: Int32Array, low: number, end: number): number {
  const first = low >>> 5;
  let w = (end - 1) >>> 5;
  let ones = words[w] & (-1 >>> (31 - ((end - 1) & 31)));
  while (ones === 0) {
    if (w === first) return low;
    w -= 1;
    ones = words[w];
  }
  const bit = (w << 5) + 32 - Math.clz32(ones);
  return bit > low ? bit : low;
}

/** Set bits in [start, start + nr), which must lie in the bitmap. */
export function bitmapWeight(map: Bitmap, start: number, nr: number): number {
  if (map.words.length === 0 || nr === 0) return 0;
  const last = (start + nr - 1) >>> 5;
  let mask = -1 << (start & 31);
  let weight = 0;
  for (let w = start >>> 5; w <= last; w++) {
    if (w === last) mask &= -1 >>> (31 - ((start + nr - 1) & 31));
    weight += hweight32(mask & map.words[w]);
    mask = -1;
  }
  return weight;
}

/** Bit `index` of the bitmap, 0 or 1. */
export function bitmapTest(map: Bitmap, index: number): number {
  if (map.words.length === 0) return 0;
  return (map.words[index >>> 5] >>> (index & 31)) & 1;
}

/** Longest run of zero bits. */
export function bitmapMaxZeroRun(map: Bitmap): number {
  const { words, size } = map;
  if (words.length === 0) return size;
  let longest = 0;
  for (let from = 0; from < size; ) {
    const zero = findNextZeroBit(words, from, size);
    from = findNextBit(words, zero, size);
    if (from - zero > longest) longest = from - zero;
  }
  return longest;
}

/** Runs of set bits, as [start, length] in ascending order. */
export function bitmapRanges(map: Bitmap): [start: number, length: number][] {
  const { words, size } = map;
  const ranges: [number, number][] = [];
  if (words.length === 0) return ranges;
  for (let from = 0; ; ) {
    const set = findNextBit(words, from, size);
    if (set === size) return ranges;
    from = findNextZeroBit(words, set, size);
    ranges.push([set, from - set]);
  }
}

/** Number of runs of set bits: bits whose lower neighbour is zero. */
export function bitmapRuns(map: Bitmap): number {
  let runs = 0;
  let carry = 0;
  for (const word of map.words) {
    runs += hweight32(word & ~((word << 1) | carry));
    carry = word >>> 31;
  }
  return runs;
}

/** 32-bit FNV-1a over the bitmap's bytes; bit i is bit i % 8 of byte i / 8. */
export function bitmapHash(map: Bitmap): number {
  const { words, size } = map;
  const bytes = (size + 7) >>> 3;
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes; i++) {
    const byte = words.length === 0 ? 0 : (words[i >>> 2] >>> ((i & 3) << 3)) & 0xff;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}
