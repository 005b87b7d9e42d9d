/**
 * Reader of the line formats: ftrace text with all its options, trace-cmd report, perf script, perf
 * trace.
 *
 * Every line is judged by itself, so files of several recordings one after the other, or with a
 * damaged part, give what they hold. Lines that are no event are counted by what they are.
 */
import { type Names, TraceEvent, type TraceSink } from './event.js';
import { readFields } from './fields.js';
import { head, readHead } from './head.js';
import { excerpt } from './input.js';
import { type LineSink, LineSplitter } from './lines.js';
import { PerfTraceLines } from './perftrace.js';
import { Tally } from './tally.js';

/** Frames of a call graph: ftrace's ` => dma_alloc_attrs`, perf's `  ffffffff8ba9a3e5 dma+0xf5`. */
const frame = /^(?:[ \t]*=>|[ \t]+[0-9a-f]+ [^\0- ])/;
/** `# entries-in-buffer/entries-written: 529/1200`, `# latency: 0 us, #3088/3088,`. */
const buffer = /^# (?:entries-in-buffer\/entries-written: |latency: [^#]*#)(\d+)\/(\d+)/;
/** Gaps: `CPU:1 [LOST 2279 EVENTS]`, `CPU:1 [EVENTS DROPPED]`, `PERF_RECORD_LOST lost 12`. */
const gap = /^CPU:\d+ \[(?:LOST (\d+) EVENTS|(\d+ )?EVENTS? DROPPED)/;
const perfGap = /PERF_RECORD_LOST(?:_SAMPLES)?:? (?:lost )?(\d+)/;
const preamble =
  /^(?:CPU:\d+ \[SUBBUFFER STARTED|cpus=\d+|version = |CPU ?\d+ is empty|trace-cmd |\[\d+ )/;

export class TextReader implements LineSink {
  readonly tally = new Tally();
  readonly #event: TraceEvent;
  readonly #sink: TraceSink;
  readonly #splitter = new LineSplitter(this);
  readonly #perfTrace: PerfTraceLines;
  /** Events by the form of their head. */
  readonly #layouts = { 'perf trace': 0, ftrace: 0, perf: 0, latency: 0 };
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
    this.tally.lines++;
    if (text.startsWith('#')) {
      this.#comment(text);
      return;
    }
    const found = text.startsWith('\t') ? 'none' : readHead(this.#event, text);
    if (found === 'event') this.#take(text);
    else if (found === 'nameless') this.tally.nameless++;
    else this.#other(text);
  }

  #take(text: string): void {
    const { kind } = this.#event;
    this.#layouts[head.layout]++;
    if (head.flags) this.#withFlags++;
    if (head.tgid) this.#withTgid++;
    if (head.clock !== 'ns') this.tally.clock = head.clock;
    // Others' payloads are text, not fields.
    const hasFields = kind !== 'other' && kind !== 'marker';
    if (hasFields || text[head.payload] === '(') readFields(this.#event, text, head.payload);
    this.tally.take(this.#event, this.#sink, this.tally.lines);
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

  /** A line that is no event of its own: around the events, of perf trace, or unknown. */
  #other(line: string): void {
    const tally = this.tally;
    const text = line.slice(0, 4_096);
    if (/^[ \t]*$/.test(line)) tally.blank++;
    else if (frame.test(line)) tally.stack++;
    else if (this.#perfTrace.read(text)) {
      this.#layouts['perf trace']++;
      tally.clock = 'relative';
      tally.take(this.#event, this.#sink, tally.lines);
    } else if (this.#gap(text)) tally.lostMarkers++;
    else if (preamble.test(text)) {
      this.#cpusLine ||= text.startsWith('cpus=');
      tally.preamble++;
    } else if (this.#perfTrace.opens(text)) tally.preamble++;
    else {
      const first = text.search(/[^ \t]/);
      const found = { line: tally.lines, column: first + 1, text: excerpt(text.slice(first)) };
      tally.unknown(found);
    }
  }

  /** Marker of lost events. */
  #gap(text: string): boolean {
    const match = gap.exec(text) ?? perfGap.exec(text);
    if (match === null) return false;
    this.tally.lostEvents += Number(match[1] ?? match[2] ?? 0);
    this.#sink.lost();
    return true;
  }

  #format(): string {
    const rows = Object.entries(this.#layouts);
    const [layout, events] = rows.reduce((most, row) => (row[1] > most[1] ? row : most));
    if (events === 0) return this.tally.comments > 0 ? 'ftrace text without events' : 'unknown';
    if (layout === 'perf trace') return layout;
    if (layout === 'perf') return 'perf script';
    if (layout === 'latency') return 'ftrace text, latency format';
    if (this.#cpusLine) return 'trace-cmd report';
    const tgid = this.#withTgid > 0 ? ', TGID' : '';
    return `ftrace text${tgid}${this.#withFlags === 0 ? ', no flags' : ''}`;
  }
}
