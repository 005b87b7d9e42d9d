/**
 * Counts of what a reader saw in one input, event or not: enough to say truthfully what was read
 * and what was not.
 */
import type { Names, TraceEvent, TraceSink } from './event.js';
import type { Clock } from './head.js';

/** A line no reader understood. */
export interface Unrecognised {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export class Tally {
  /** Form of the input, in words: `ftrace text`, `perf script`. */
  format = '';
  clock: Clock = 'ns';
  bytes = 0;
  lines = 0;
  events = 0;
  /** Events per id of names.events. */
  readonly byName: number[] = [];
  comments = 0;
  blank = 0;
  /** Lines of stack traces, perf's and ftrace's. */
  stack = 0;
  /** Lines around the events: `cpus=8`, `CPU 3 is empty`. */
  preamble = 0;
  /** Records without an event's name: `<stack trace>`, the function tracer's. */
  nameless = 0;
  lostMarkers = 0;
  /** Events the markers speak of; markers without a number count as none. */
  lostEvents = 0;
  /** Events overwritten before the recording was read: header entries-in-buffer/entries-written. */
  overwritten = 0;
  unrecognised = 0;
  firstUnrecognised: Unrecognised | null = null;
  oversize = 0;
  /** The input ends within a line, or its compressed stream breaks off. */
  cutOff = false;
  /** The last line has no line end: it may be whole or not. */
  unfinished = false;
  /** Event names without a column that is needed were guessed from their fields (perf's JSON). */
  guessedNames = false;
  first = Number.NaN;
  last = Number.NaN;
  /** Pairs of lines whose time stamps go backwards. */
  backwards = 0;

  /** Counts an event of line `line` and hands it on. */
  take(event: TraceEvent, sink: TraceSink, line: number): void {
    const { name, time } = event;
    event.line = line;
    this.events++;
    this.byName[name] = (this.byName[name] ?? 0) + 1;
    if (this.events === 1) this.first = time;
    else if (time < this.last) this.backwards++;
    this.last = time;
    sink.event(event);
  }

  /** Notes a line, or a sample, that nobody understood. */
  unknown(found: Unrecognised): void {
    this.unrecognised++;
    this.firstUnrecognised ??= found;
  }

  /** Events per name, most frequent first, markers left out as they are no kernel event. */
  byEvent(names: Names): Record<string, number> {
    const rows = this.byName.flatMap((count, id) => [[names.events.text(id), count] as const]);
    rows.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    return Object.fromEntries(rows);
  }
}
