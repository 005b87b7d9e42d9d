/**
 * Reads the line formats: ftrace text with all its options, trace-cmd report, perf script, perf
 * trace.
 *
 * Every line is judged by itself, so files of several recordings one after the other, or with a
 * damaged part, give what they hold. Lines that are no event are counted by what they are.
 */
import { ABSENT, kinds, type Names, TraceEvent, type TraceSink } from './event.js';
import { readFields } from './fields.js';
import { clocks, head, layouts, readHead } from './head.js';
import { excerpt } from './input.js';
import { type LineSink, LineSplitter } from './lines.js';
import { PerfTraceLines } from './perftrace.js';
import { Tally } from './tally.js';

const TAB = 9;
const SPACE = 32;
const HASH = 35;
const EQUALS = 61;

/** Payloads of these are text, not fields. */
const isText = (kind: number): boolean => kind === kinds.other || kind === kinds.marker;

export class TextReader implements LineSink {
  readonly tally = new Tally();
  readonly #event: TraceEvent;
  readonly #sink: TraceSink;
  readonly #splitter = new LineSplitter(this);
  readonly #perfTrace: PerfTraceLines;
  readonly #layouts = [0, 0, 0, 0];
  #withFlags = 0;
  #withTgid = 0;
  #cpusLine = false;

  constructor(names: Names, sink: TraceSink) {
    this.#event = new TraceEvent(names);
    this.#sink = sink;
    this.#perfTrace = new PerfTraceLines(this.#event);
  }

  push(chunk: Uint8Array): void {
    this.tally.bytes += chunk.length;
    this.#splitter.push(chunk);
  }

  end(): Tally {
    const events = this.tally.events;
    if (this.#splitter.end()) {
      this.tally.unfinished = true;
      this.tally.cutOff = this.tally.events === events;
    }
    this.tally.format = this.#format();
    return this.tally;
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    const tally = this.tally;
    tally.lines++;
    if (start === end) {
      tally.blank++;
      return;
    }
    const c = bytes[start];
    if (c === HASH) {
      this.#comment(bytes, start, end);
      return;
    }
    const event = this.#event;
    const payload = c === TAB ? -1 : readHead(event, bytes, start, end);
    if (payload < 0) {
      if (payload === -2) tally.nameless++;
      else this.#other(bytes, start, end);
      return;
    }
    this.#take(event, bytes, payload, end);
  }

  #take(event: TraceEvent, bytes: Uint8Array, payload: number, end: number): void {
    const tally = this.tally;
    event.line = tally.lines;
    event.clear();
    event.kind = event.names.kind(event.name);
    const layout = head.layout;
    this.#layouts[layout]++;
    if (head.flags) this.#withFlags++;
    if (head.tgid) this.#withTgid++;
    if (head.clock !== clocks.seconds) {
      tally.clock = head.clock === clocks.ticks ? 'ticks' : 'relative';
    }
    if (!isText(event.kind) || bytes[payload] === 40) readFields(event, bytes, payload, end);
    tally.count(event.name, event.time);
    this.#sink.event(event);
  }

  oversize(_length: number): void {
    this.tally.lines++;
    this.tally.oversize++;
  }

  /**
   * `# entries-in-buffer/entries-written: 529/1200`, `# latency: 0 us, #3088/3088,`: overwritten
   * events.
   */
  #comment(bytes: Uint8Array, start: number, end: number): void {
    this.tally.comments++;
    if (end - start > 200 || end - start < 12) return;
    const text = latin1(bytes, start, end);
    const match = /^# (?:entries-in-buffer\/entries-written: |latency: .*#)(\d+)\/(\d+)/.exec(text);
    if (match === null) return;
    this.tally.overwritten += Math.max(0, Number(match[2]) - Number(match[1]));
  }

  /**
   * A line that is no event: a gap, a stack, something around the events, perf trace, or unknown.
   */
  #other(bytes: Uint8Array, start: number, end: number): void {
    const tally = this.tally;
    let first = start;
    while (first < end && (bytes[first] === SPACE || bytes[first] === TAB)) first++;
    if (first === end) {
      tally.blank++;
      return;
    }
    const arrow = bytes[first] === EQUALS && bytes[first + 1] === 62;
    if (arrow || (first > start && isFrame(bytes, first, end))) {
      tally.stack++;
      return;
    }
    const text = latin1(bytes, start, Math.min(end, start + 4_096));
    if (this.#perfTrace.read(text)) {
      const event = this.#event;
      event.line = tally.lines;
      this.#layouts[layouts.none]++;
      tally.clock = 'relative';
      tally.count(event.name, event.time);
      this.#sink.event(event);
      return;
    }
    if (this.#gap(text)) return;
    if (/^(?:cpus=\d+|version = |CPU ?\d+ is empty|trace-cmd |\[\d+ )/.test(text)) {
      this.#cpusLine ||= text.startsWith('cpus=');
      tally.preamble++;
    } else if (this.#perfTrace.opens(text)) tally.preamble++;
    else this.#unknown(bytes, start, end, first);
  }

  /** `CPU:1 [LOST 2279 EVENTS]`, `CPU:1 [EVENTS DROPPED]`, `PERF_RECORD_LOST lost 12`. */
  #gap(text: string): boolean {
    const match =
      /^CPU:(\d+) \[(?:LOST (\d+) EVENTS|(\d+ )?EVENTS? DROPPED|SUBBUFFER STARTED)/.exec(text) ??
      /\[?(\d+)?\]?.*PERF_RECORD_LOST(?:_SAMPLES)?:? (?:lost )?(\d+)/.exec(text);
    if (match === null) return false;
    if (text.includes('SUBBUFFER')) {
      this.tally.preamble++;
      return true;
    }
    const lost = Number(match[2] ?? match[3] ?? 0);
    this.tally.lostMarkers++;
    this.tally.lostEvents += lost;
    this.#sink.lost(match[1] === undefined ? ABSENT : Number(match[1]), lost);
    return true;
  }

  #unknown(bytes: Uint8Array, start: number, end: number, first: number): void {
    const tally = this.tally;
    tally.unrecognised++;
    tally.firstUnrecognised ??= {
      line: tally.lines,
      column: first - start + 1,
      text: excerpt(bytes, first, end),
    };
  }

  #format(): string {
    const [perfTrace, ftrace, perf, latency] = this.#layouts as [number, number, number, number];
    const most = Math.max(perfTrace, ftrace, perf, latency);
    if (most === 0) return this.tally.comments > 0 ? 'ftrace text without events' : 'unknown';
    if (most === perfTrace) return 'perf trace';
    if (most === perf) return 'perf script';
    if (most === latency) return 'ftrace text, latency format';
    if (this.#cpusLine) return 'trace-cmd report';
    const options = [
      ...(this.#withTgid > 0 ? ['TGID'] : []),
      ...(this.#withFlags === 0 ? ['no flags'] : []),
    ];
    return ['ftrace text', ...options].join(', ');
  }
}

/** perf's frame of a call graph: `ffffffff8ba9a3e5 dma_alloc_attrs+0xf5 ([kernel.kallsyms])`. */
function isFrame(bytes: Uint8Array, first: number, end: number): boolean {
  let i = first;
  while (i < end && ((bytes[i] >= 48 && bytes[i] <= 57) || (bytes[i] >= 97 && bytes[i] <= 102)))
    i++;
  return i > first && i + 1 < end && bytes[i] === SPACE && bytes[i + 1] > SPACE;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
