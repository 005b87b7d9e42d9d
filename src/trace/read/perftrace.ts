/**
 * Reader of `perf trace` with tracepoints: `  388.446 rmmod/2667 cma:cma_release(name: "numa0",
 * pfn: 384528)`.
 *
 * Times are milliseconds since the start. Output of the traced command may stand between a line's
 * head and its event. Numbers are decimal unless they say 0x; perf trace prints no `dir` and no
 * `errorno` of 0.
 */
import { ABSENT, type TraceEvent } from './event.js';
import { storeField } from './fields.js';

const HEAD = /^\s*(\d+\.\d+)(?: \( *[\d.]* ?(?:ms)? ?\):)? (\S.*?)\/(\d+)(?: |$)/;
const EVENT = /(?<![^ ])[a-z_0-9]{1,64}:([a-z_0-9]{1,64})\(/;
const ARGUMENT = /(?<![a-z_0-9])([a-z_0-9]{1,64}): (?:"([^"]*)"|([^,]*))(?:,|$)/g;

export class PerfTraceLines {
  readonly #event: TraceEvent;
  #time = 0;
  #pid = ABSENT;

  constructor(event: TraceEvent) {
    this.#event = event;
  }

  /**
   * The head of a line whose event follows on another: perf and the command wrote to one terminal.
   */
  opens(text: string): boolean {
    const match = HEAD.exec(text);
    if (match === null) return false;
    this.#time = Math.round(Number(match[1]) * 1e6);
    this.#pid = Number(match[3]);
    return true;
  }

  /** Reads one line into the event; false when it is none. */
  read(text: string): boolean {
    const line = text.trimEnd();
    const match = line.endsWith(')') ? EVENT.exec(line) : null;
    if (match === null) return false;
    if (!this.opens(line) && match.index > 1) return false;
    const event = this.#event;
    const name = match[1];
    event.begin(name);
    event.time = this.#time;
    event.pid = this.#pid;
    event.tgid = ABSENT;
    event.cpu = ABSENT;
    event.comm = '';
    const fields = line.slice(match.index + match[0].length, -1);
    for (const [, key, quoted, bare] of fields.matchAll(ARGUMENT)) {
      const value = quoted ?? bare ?? '';
      // perf trace prints pfn as a decimal number, the one field the kernel prints in hex.
      const isPfn = key === 'pfn' && /^\d+$/.test(value);
      storeField(event, key, isPfn ? `0x${Number(value).toString(16)}` : value);
    }
    // A field that is zero is left out.
    if (name === 'cma_alloc_finish' && event.errno === 1) event.errno = 0;
    return true;
  }
}
