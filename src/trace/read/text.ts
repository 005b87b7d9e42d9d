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

/** Frames of a call graph: ftrace's ` => dma_alloc_attrs`, perf's `  ffffffff8ba9a3e5 dma+0xf5`. */
const frame = /^(?:[ \t]*=>|[ \t]+[0-9a-f]+ [^\0- ])/;
/** `# entries-in-buffer/entries-written: 529/1200`, `# latency: 0 us, #3088/3088,`. */
const buffer = /^# (?:entries-in-buffer\/entries-written: |latency: [^#]*#)(\d+)\/(\d+)/;
/** Gaps: `CPU:1 [LOST 2279 EVENTS]`, `CPU:1 [EVENTS DROPPED]`, `PERF_RECORD_LOST lost 12`. */
const gap = /^CPU:(\d+) \[(?:LOST (\d+) EVENTS|(\d+ )?EVENTS? DROPPED|SUBBUFFER STARTED)/;
const perfGap = /^\[?(\d{1,9})?.*PERF_RECORD_LOST(?:_SAMPLES)?:? (?:lost )?(\d+)/;
const preamble = /^(?:cpus=\d+|version = |CPU ?\d+ is empty|trace-cmd |\[\d+ )/;

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
    this.#splitter.push(
      Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1'),
    );
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

  line(text: string): void {
    const tally = this.tally;
    tally.lines++;
    if (text.startsWith('#')) {
      this.#comment(text);
      return;
    }
    const found = text.startsWith('\t') ? 'none' : readHead(this.#event, text);
    if (found === 'event') this.#take(text);
    else if (found === 'nameless') tally.nameless++;
    else this.#other(text);
  }

  #take(text: string): void {
    const tally = this.tally;
    const event = this.#event;
    event.line = tally.lines;
    event.clear();
    event.kind = event.names.kind(event.name);
    this.#layouts[head.layout]++;
    if (head.flags) this.#withFlags++;
    if (head.tgid) this.#withTgid++;
    if (head.clock !== clocks.seconds) {
      tally.clock = head.clock === clocks.ticks ? 'ticks' : 'relative';
    }
    if (!isText(event.kind) || text[head.payload] === '(') readFields(event, text, head.payload);
    tally.count(event.name, event.time);
    this.#sink.event(event);
  }

  oversize(): void {
    this.tally.lines++;
    this.tally.oversize++;
  }

  #comment(text: string): void {
    this.tally.comments++;
    const match = buffer.exec(text);
    if (match === null) return;
    this.tally.overwritten += Math.max(0, Number(match[2]) - Number(match[1]));
  }

  /**
   * A line that is no event: a gap, a stack, something around the events, perf trace, or unknown.
   */
  #other(line: string): void {
    const tally = this.tally;
    if (/^[ \t]*$/.test(line)) {
      tally.blank++;
      return;
    }
    if (frame.test(line)) {
      tally.stack++;
      return;
    }
    const text = line.slice(0, 4_096);
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
    if (preamble.test(text)) {
      this.#cpusLine ||= text.startsWith('cpus=');
      tally.preamble++;
    } else if (this.#perfTrace.opens(text)) tally.preamble++;
    else this.#unknown(text);
  }

  #gap(text: string): boolean {
    const match = gap.exec(text) ?? perfGap.exec(text);
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

  #unknown(text: string): void {
    const tally = this.tally;
    tally.unrecognised++;
    const first = text.search(/[^ \t]/);
    tally.firstUnrecognised ??= {
      line: tally.lines,
      column: first + 1,
      text: excerpt(text.slice(first)),
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
