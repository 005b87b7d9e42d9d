/**
 * Payload of a line: `key=value` fields as the kernel, trace-cmd and kprobes print them.
 *
 * Values come as hex without 0x, as decimal, as `0x1000 (4096)` (option fields), quoted (kprobes)
 * or as lists.
 */
import { ABSENT, directions, kinds, probedFunctions, type TraceEvent } from './event.js';

/** Puts one value into the event; what cannot be read leaves it as it was. */
type Setter = (event: TraceEvent, text: string) => void;

/** Number at the start of a text, hex when it says 0x or `radix` is 16; NaN when there is none. */
function numberAt(text: string, radix: number): number {
  return Number.parseInt(text, text[1] === 'x' ? 16 : radix);
}

/** Hex, as the kernel prints addresses. */
function address(name: 'dmaAddr' | 'physAddr'): Setter {
  return (event, text) => {
    const value = numberAt(text, 16);
    if (value >= 0) event[name] = value;
  };
}

type Count = 'count' | 'available' | 'total' | 'align' | 'errno' | 'order' | 'migratetype';

function number(name: Count | 'pfn' | 'unmappedSize', radix = 10): Setter {
  return (event, text) => {
    const value = numberAt(text, radix);
    if (!Number.isNaN(value)) event[name] = value;
  };
}

const word =
  (name: 'gfp' | 'attrs'): Setter =>
  (event, text) => {
    event[name] = event.names.words.id(text);
  };

const device: Setter = (event, text) => {
  event.device = event.names.devices.id(text);
};

/** A 64-bit pointer in two halves: kernel addresses do not fit a double. */
const virt: Setter = (event, text) => {
  const digits = /^(?:0x)?([0-9a-f]*)/i.exec(text)?.[1] ?? '';
  // `(nil)` is a null pointer, `(____ptrval____)` is one the kernel does not tell.
  if (digits === '' && !text.startsWith('(n')) return;
  event.virtHigh = Number.parseInt(digits.slice(-16, -8), 16) || 0;
  event.virtLow = Number.parseInt(digits.slice(-8), 16) || 0;
};

/** Entries of `{0x1000,0x2000}` up to the first that is no number. */
function listOf(text: string): number[] {
  const entries = /^\{([^}]*)/.exec(text)?.[1].split(',') ?? [];
  const values = entries.map((entry) => numberAt(entry, 16));
  const end = values.findIndex(Number.isNaN);
  return end < 0 ? values : values.slice(0, end);
}

const setters = new Map<string, Setter>([
  ['dma_addr', address('dmaAddr')],
  ['addr', address('dmaAddr')],
  ['dma', address('dmaAddr')],
  ['iova', address('dmaAddr')],
  ['phys_addr', address('physAddr')],
  ['paddr', address('physAddr')],
  [
    'size',
    (event, text) => {
      const value = numberAt(text, 10);
      if (value >= 0) event.size = value;
    },
  ],
  ['virt_addr', virt],
  ['virt', virt],
  ['pfn', number('pfn', 16)],
  ['count', number('count')],
  ['request_count', number('count')],
  ['available_count', number('available')],
  ['total_count', number('total')],
  ['align', number('align')],
  ['errorno', number('errno')],
  ['order', number('order')],
  ['migratetype', number('migratetype')],
  ['unmapped_size', number('unmappedSize')],
  [
    'dir',
    (event, text) => {
      const value = numberAt(text, 10);
      const index = Number.isNaN(value) ? directions.indexOf(text) : value;
      event.direction = index <= 3 ? index : ABSENT;
    },
  ],
  ['attrs', word('attrs')],
  ['flags', word('gfp')],
  ['gfp_flags', word('gfp')],
  ['gfp', word('gfp')],
  [
    'name',
    (event, text) => {
      event.area = event.names.areas.id(text);
    },
  ],
  ['device', device],
  ['dev', device],
  [
    'dma_addrs',
    (event, text) => {
      event.dmaAddr = listOf(text)[0] ?? ABSENT;
    },
  ],
  [
    'sizes',
    (event, text) => {
      event.size = listOf(text).reduce((sum, size) => sum + size, 0);
    },
  ],
  [
    'phys_addrs',
    (event, text) => {
      const list = listOf(text);
      event.physAddr = list[0] ?? ABSENT;
      event.entries = list.length;
    },
  ],
]);

/** Stores one field; a key nobody asks for is passed over. */
export function storeField(event: TraceEvent, key: string, value: string): void {
  setters.get(key)?.(event, value);
}

/** Reads the payload, which begins at `start`, into `event`: words and fields between spaces. */
export function readFields(event: TraceEvent, line: string, start: number): void {
  let equals = -1;
  let isFirst = true;
  for (let at = line[start] === '(' ? readProbe(event, line, start) : start; at < line.length; ) {
    let end = indexOr(line, ' ', at);
    // Looked for once per sign, not once per word.
    if (equals < at) equals = indexOr(line, '=', at);
    if (equals < end) {
      const quoted = line[equals + 1] === '"';
      const from = quoted ? equals + 2 : equals + 1;
      if (quoted) end = indexOr(line, '"', from);
      storeField(event, line.slice(at, equals), line.slice(from, end));
    } else if (line[at] === '[') event.truncated = true;
    else if (isFirst && end > at && event.kind <= kinds.dmaError) {
      device(event, line.slice(at, end));
    }
    isFirst &&= end === at;
    at = end + 1;
  }
}

function indexOr(line: string, sign: string, from: number): number {
  const at = line.indexOf(sign, from);
  return at < 0 ? line.length : at;
}

/**
 * A probe's place, `(dma_alloc_attrs+0x0/0x60)` or `(caller+0x5a/0x170 [nvme] <- dma_alloc_attrs)`.
 * Returns where it ends.
 */
function readProbe(event: TraceEvent, line: string, start: number): number {
  const close = line.indexOf(')', start);
  const place = line.slice(start, close < 0 ? line.length : close);
  const space = line.indexOf(' ', start);
  event.probe = event.names.devices.id(line.slice(start, space < 0 ? line.length : space));
  const arrow = place.lastIndexOf('<-');
  const name = /^[^+) ]*/.exec(place.slice(arrow < 0 ? 1 : arrow + 3))?.[0] ?? '';
  // trace-cmd prints the function's address: the event's name must do then.
  const kind = probedFunctions.get(name) ?? event.names.probeKind(event.name);
  if (kind !== kinds.other) {
    event.kind = arrow >= 0 && kind === kinds.dmaAlloc ? kinds.probeAllocReturn : kind;
  }
  return close < 0 ? line.length : close + 1;
}
