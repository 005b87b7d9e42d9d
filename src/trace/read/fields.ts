/**
 * Payload of a line: `key=value` fields as the kernel, trace-cmd and kprobes print them.
 *
 * Values come as hex without 0x, as decimal, as `0x1000 (4096)` (option fields), quoted (kprobes)
 * or as lists.
 */
import { ABSENT, isDma, probedFunctions, type TraceEvent } from './event.js';

/** Puts one value into the event; what cannot be read leaves it as it was. */
type Setter = (event: TraceEvent, text: string) => void;

/** Number at the start of a text, hex when it says 0x or `radix` is 16; NaN when there is none. */
function numberAt(text: string, radix: number): number {
  return Number.parseInt(text, text[1] === 'x' ? 16 : radix);
}

type NumberField = 'pfn' | 'count' | 'available' | 'total' | 'align' | 'errno';

function number(name: NumberField, radix = 10): Setter {
  return (event, text) => {
    const value = numberAt(text, radix);
    if (!Number.isNaN(value)) event[name] = value;
  };
}

/** Bytes, or an address: in hex, as the kernel prints it. */
function positive(name: 'size' | 'dmaAddr' | 'physAddr', radix = 16): Setter {
  return (event, text) => {
    const value = numberAt(text, radix);
    if (value >= 0) event[name] = value;
  };
}

const word =
  (name: 'gfp' | 'attrs'): Setter =>
  (event, text) =>
    (event[name] = event.names.words.id(text));

const device: Setter = (event, text) => (event.device = event.names.devices.id(text));

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
  ['dma_addr', positive('dmaAddr')],
  ['addr', positive('dmaAddr')],
  ['dma', positive('dmaAddr')],
  ['iova', positive('dmaAddr')],
  ['phys_addr', positive('physAddr')],
  ['paddr', positive('physAddr')],
  ['size', positive('size', 10)],
  ['virt_addr', virt],
  ['virt', virt],
  ['pfn', number('pfn', 16)],
  ['count', number('count')],
  ['request_count', number('count')],
  ['available_count', number('available')],
  ['total_count', number('total')],
  ['align', number('align')],
  ['errorno', number('errno')],
  ['attrs', word('attrs')],
  ['flags', word('gfp')],
  ['gfp_flags', word('gfp')],
  ['gfp', word('gfp')],
  ['name', (event, text) => (event.area = event.names.areas.id(text))],
  ['device', device],
  ['dev', device],
  ['dma_addrs', (event, text) => (event.dmaAddr = listOf(text)[0] ?? ABSENT)],
  ['phys_addrs', (event, text) => (event.physAddr = listOf(text)[0] ?? ABSENT)],
  ['sizes', (event, text) => (event.size = listOf(text).reduce((sum, size) => sum + size, 0))],
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
    } else if (isFirst && end > at && line[at] !== '[' && mayNameDevice(event)) {
      device(event, line.slice(at, end));
    }
    isFirst &&= end === at;
    at = end + 1;
  }
}

/** Events whose first word is the device; a probe that people named may be one. */
function mayNameDevice({ kind }: TraceEvent): boolean {
  return isDma(kind) || kind === 'other' || kind === 'marker';
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
  const close = indexOr(line, ')', start);
  const place = line.slice(start, close);
  event.probe = event.names.devices.id(line.slice(start, indexOr(line, ' ', start)));
  const arrow = place.lastIndexOf('<-');
  const name = /^[^+) ]*/.exec(place.slice(arrow < 0 ? 1 : arrow + 3))?.[0] ?? '';
  // trace-cmd prints the function's address: the event's name must do then.
  const kind = probedFunctions.get(name) ?? event.names.probeKind(event.name);
  if (kind !== 'other') {
    event.kind = arrow >= 0 && kind === 'dmaAlloc' ? 'probeAllocReturn' : kind;
  }
  return close + 1;
}
