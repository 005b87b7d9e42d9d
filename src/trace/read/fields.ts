/**
 * What stands behind the event's name: `key=value` fields as the kernel, trace-cmd and kprobes
 * print them.
 *
 * One walk over the bytes, no string: keys are recognised by a hash, numbers are read in place.
 * Values come as hex without 0x, as decimal, as `0x1000 (4096)` (option fields), quoted (kprobes)
 * or as lists.
 */
import { ABSENT, directions, kinds, type TraceEvent } from './event.js';

const SPACE = 32;
const QUOTE = 34;
const OPEN = 40;
const CLOSE = 41;
const COMMA = 44;
const EQUALS = 61;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Value of a hex digit per byte, -1 for anything else. */
const hexDigit = new Int8Array(256).fill(-1);
for (let i = 0; i < 10; i++) hexDigit[48 + i] = i;
for (let i = 0; i < 6; i++) {
  hexDigit[65 + i] = 10 + i;
  hexDigit[97 + i] = 10 + i;
}

/** Fields by key; the radix is what the kernel prints without 0x. */
const fieldNames = [
  ['dma_addr', 'hex'],
  ['addr', 'hex'],
  ['dma', 'hex'],
  ['iova', 'hex'],
  ['phys_addr', 'hex'],
  ['paddr', 'hex'],
  ['size', 'decimal'],
  ['virt_addr', 'virt'],
  ['virt', 'virt'],
  ['pfn', 'pfn'],
  ['count', 'decimal'],
  ['request_count', 'decimal'],
  ['available_count', 'decimal'],
  ['total_count', 'decimal'],
  ['align', 'decimal'],
  ['errorno', 'decimal'],
  ['order', 'decimal'],
  ['migratetype', 'decimal'],
  ['unmapped_size', 'decimal'],
  ['dir', 'direction'],
  ['attrs', 'word'],
  ['flags', 'word'],
  ['gfp_flags', 'word'],
  ['gfp', 'word'],
  ['name', 'area'],
  ['device', 'device'],
  ['dev', 'device'],
  ['dma_addrs', 'list'],
  ['sizes', 'list'],
  ['phys_addrs', 'list'],
] as const;

type FieldName = (typeof fieldNames)[number][0];
const fieldCode = Object.fromEntries(fieldNames.map(([name], i) => [name, i + 1])) as Record<
  FieldName,
  number
>;

const KEY_SLOTS = 512;
const keyCodes = new Uint8Array(KEY_SLOTS);
const keyHashes = new Int32Array(KEY_SLOTS);

function keyHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return hash;
}

for (const [name] of fieldNames) {
  const bytes = Buffer.from(name);
  const hash = keyHash(bytes, 0, bytes.length);
  let slot = hash & (KEY_SLOTS - 1);
  while (keyCodes[slot] !== 0) slot = (slot + 1) & (KEY_SLOTS - 1);
  keyCodes[slot] = fieldCode[name];
  keyHashes[slot] = hash;
}

/** Code of the field whose key hashes to `hash`; 0 for one nobody asks for. */
function codeOf(hash: number): number {
  let slot = hash & (KEY_SLOTS - 1);
  for (;;) {
    const code = keyCodes[slot];
    if (code === 0 || keyHashes[slot] === hash) return code;
    slot = (slot + 1) & (KEY_SLOTS - 1);
  }
}

/** Number at `start`, hex when it says 0x or `radix` is 16; NaN when there is none. */
export function numberAt(bytes: Uint8Array, start: number, end: number, radix: number): number {
  let i = start;
  let negative = false;
  if (i < end && bytes[i] === 45) {
    negative = true;
    i++;
  }
  let base = radix;
  if (i + 1 < end && bytes[i] === 48 && (bytes[i + 1] | 32) === 120) {
    base = 16;
    i += 2;
  }
  const first = i;
  let value = 0;
  for (; i < end; i++) {
    const digit = hexDigit[bytes[i]];
    if (digit < 0 || digit >= base) break;
    value = value * base + digit;
  }
  if (i === first) return Number.NaN;
  return negative ? -value : value;
}

/** A 64-bit pointer in two halves: kernel addresses do not fit a double. */
function readVirt(event: TraceEvent, bytes: Uint8Array, start: number, end: number): void {
  let i = start;
  if (i + 1 < end && bytes[i] === 48 && (bytes[i + 1] | 32) === 120) i += 2;
  let high = 0;
  let low = 0;
  const first = i;
  for (; i < end; i++) {
    const digit = hexDigit[bytes[i]];
    if (digit < 0) break;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  // `(nil)` is a null pointer, `(____ptrval____)` is one the kernel does not tell.
  if (i === first) {
    if (bytes[start] !== OPEN || bytes[start + 1] !== 110) return;
  }
  event.virtHigh = high;
  event.virtLow = low;
}

/** `{0x1000,0x2000}`: how many entries, their sum and the first; returns the end of the list. */
const list = { count: 0, sum: 0, first: ABSENT };

function readList(bytes: Uint8Array, start: number, end: number): void {
  list.count = 0;
  list.sum = 0;
  list.first = ABSENT;
  if (bytes[start] !== OPEN_BRACE) return;
  let i = start + 1;
  while (i < end && bytes[i] !== CLOSE_BRACE) {
    const value = numberAt(bytes, i, end, 16);
    if (Number.isNaN(value)) return;
    if (list.count === 0) list.first = value;
    list.count++;
    list.sum += value;
    while (i < end && bytes[i] !== COMMA && bytes[i] !== CLOSE_BRACE) i++;
    if (bytes[i] === COMMA) i++;
  }
}

function readDirection(bytes: Uint8Array, start: number, end: number): number {
  const value = numberAt(bytes, start, end, 10);
  if (!Number.isNaN(value)) return value <= 3 ? value : ABSENT;
  for (let d = 0; d < directions.length; d++) {
    const name = directions[d];
    if (name.length === end - start && bytes[start] === name.charCodeAt(0)) return d;
  }
  return ABSENT;
}

/** Puts one field into `event`; unknown keys and unreadable numbers leave it as it was. */
function store(event: TraceEvent, code: number, bytes: Uint8Array, from: number, to: number): void {
  let value: number;
  switch (code) {
    case fieldCode.dma_addr:
    case fieldCode.addr:
    case fieldCode.dma:
    case fieldCode.iova:
      value = numberAt(bytes, from, to, 16);
      if (value >= 0) event.dmaAddr = value;
      return;
    case fieldCode.phys_addr:
    case fieldCode.paddr:
      value = numberAt(bytes, from, to, 16);
      if (value >= 0) event.physAddr = value;
      return;
    case fieldCode.size:
      value = numberAt(bytes, from, to, 10);
      if (value >= 0) event.size = value;
      return;
    case fieldCode.virt_addr:
    case fieldCode.virt:
      readVirt(event, bytes, from, to);
      return;
    case fieldCode.device:
    case fieldCode.dev:
      event.device = event.names.devices.id(bytes, from, to);
      return;
    case fieldCode.dir:
      event.direction = readDirection(bytes, from, to);
      return;
    case fieldCode.attrs:
      event.attrs = event.names.words.id(bytes, from, to);
      return;
    case fieldCode.flags:
    case fieldCode.gfp_flags:
    case fieldCode.gfp:
      event.gfp = event.names.words.id(bytes, from, to);
      return;
    default:
      storeRare(event, code, bytes, from, to);
  }
}

/** Fields of events that are a hundred times rarer than maps. */
function storeRare(
  event: TraceEvent,
  code: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  if (code >= fieldCode.dma_addrs) {
    readList(bytes, from, to);
    if (code === fieldCode.sizes) event.size = list.sum;
    else if (code === fieldCode.dma_addrs) event.dmaAddr = list.first;
    else {
      event.physAddr = list.first;
      event.entries = list.count;
    }
    return;
  }
  if (code === fieldCode.name) {
    event.area = event.names.areas.id(bytes, from, to);
    return;
  }
  const value = numberAt(bytes, from, to, code === fieldCode.pfn ? 16 : 10);
  if (Number.isNaN(value)) return;
  switch (code) {
    case fieldCode.pfn:
      event.pfn = value;
      break;
    case fieldCode.count:
    case fieldCode.request_count:
      event.count = value;
      break;
    case fieldCode.available_count:
      event.available = value;
      break;
    case fieldCode.total_count:
      event.total = value;
      break;
    case fieldCode.align:
      event.align = value;
      break;
    case fieldCode.errorno:
      event.errno = value;
      break;
    case fieldCode.order:
      event.order = value;
      break;
    case fieldCode.migratetype:
      event.migratetype = value;
      break;
    case fieldCode.unmapped_size:
      event.unmappedSize = value;
      break;
  }
}

/**
 * Stores one field whose key and value are apart (JSON, perf trace). Returns false for an unknown
 * key.
 */
export function storeField(event: TraceEvent, key: string, value: string): boolean {
  const keyBytes = Buffer.from(key, 'latin1');
  const code = codeOf(keyHash(keyBytes, 0, keyBytes.length));
  if (code === 0) return false;
  const bytes = Buffer.from(value, 'latin1');
  store(event, code, bytes, 0, bytes.length);
  return true;
}

/** Reads bytes[start, end), the payload, into `event`. */
export function readFields(event: TraceEvent, bytes: Uint8Array, start: number, end: number): void {
  let i = start;
  if (bytes[i] === OPEN && i < end) i = readProbe(event, bytes, i, end);
  let position = 0;
  while (i < end) {
    while (i < end && bytes[i] === SPACE) i++;
    const token = i;
    let hash = 0;
    let c = 0;
    while (i < end) {
      c = bytes[i];
      if (c === SPACE || c === EQUALS) break;
      hash = (Math.imul(hash, 31) + c) | 0;
      i++;
    }
    if (i < end && c === EQUALS) {
      i = readValue(event, codeOf(hash), bytes, i + 1, end);
    } else if (i > token) {
      if (position === 0) {
        if (event.kind <= kinds.dmaError) event.device = event.names.devices.id(bytes, token, i);
      } else if (bytes[token] === 91) event.truncated = true;
    }
    position++;
  }
}

function readValue(
  event: TraceEvent,
  code: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let from = start;
  let stop = SPACE;
  if (bytes[from] === QUOTE && from < end) {
    from++;
    stop = QUOTE;
  }
  let to = from;
  while (to < end && bytes[to] !== stop) to++;
  if (code !== 0) store(event, code, bytes, from, to);
  return stop === QUOTE && to < end ? to + 1 : to;
}

/**
 * A probe's place, `(dma_alloc_attrs+0x0/0x60)` or `(caller+0x5a/0x170 [nvme] <- dma_alloc_attrs)`.
 */
function readProbe(event: TraceEvent, bytes: Uint8Array, start: number, end: number): number {
  let to = start;
  while (to < end && bytes[to] !== SPACE) to++;
  event.probe = event.names.devices.id(bytes, start, to);
  let close = start;
  while (close < end && bytes[close] !== CLOSE) close++;
  let arrow = false;
  let name = start + 1;
  for (let i = start; i + 1 < close; i++) {
    if (bytes[i] === 60 && bytes[i + 1] === 45) {
      arrow = true;
      name = i + 3;
    }
  }
  const kind = probedKind(event, bytes, name, close);
  if (kind !== kinds.other) {
    event.kind = arrow && kind === kinds.dmaAlloc ? kinds.probeAllocReturn : kind;
  }
  return Math.min(close + 1, end);
}

/**
 * Meaning of the function a probe stands on; trace-cmd prints its address, the event's name must do
 * then.
 */
function probedKind(event: TraceEvent, bytes: Uint8Array, start: number, end: number): number {
  let to = start;
  while (to < end && bytes[to] !== 43 && bytes[to] !== CLOSE && bytes[to] !== SPACE) to++;
  const probes = event.names.probes;
  const known = probes.get(event.names.words.id(bytes, start, to));
  if (known !== undefined) return known;
  return event.names.probeKind(event.name);
}
