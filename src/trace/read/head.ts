/**
 * Head of a line: task, CPU, flags, time and the event's name, as ftrace (with and without TGID,
 * flags, latency format), trace-cmd report and perf script print it.
 *
 * Each form is one regular expression. Task names may hold spaces, brackets and hyphens, so the
 * shortest text is tried that leaves a number, a CPU and a time behind it. Every repetition that
 * could be tried again from another place is bounded, so no line costs more than its length.
 */
import { ABSENT, type TraceEvent } from './event.js';

/**
 * Forms of a head: `TASK-PID [CPU] FLAGS TIME: event:` of ftrace and trace-cmd, `COMMAND PID [CPU]
 * TIME: system:event:` of perf script, `COMMAND-PID CPUFLAGS TIME: event:` of option
 * latency-format.
 */
export type Layout = 'ftrace' | 'perf' | 'latency';

/**
 * Unit of the time stamps: seconds with a fraction and microseconds since the first event are kept
 * in ns; integers without a unit are events (clock counter) or cycles (clock x86-tsc).
 */
export type Clock = 'ns' | 'ticks' | 'relative';

/** Forms of the head that was read last, and where the payload behind it starts. */
export const head = {
  layout: 'ftrace' as Layout,
  clock: 'ns' as Clock,
  flags: false,
  tgid: false,
  payload: 0,
};

/** `TASK-PID`, `COMMAND PID`, `COMMAND PID/TID`, each with `(TGID)` behind it or not. */
const task =
  String.raw`[ \t]*(?![ \t])(.{0,64}?) {0,20}(?:(-)| (?:(\d{1,10})\/)?)(\d{1,10}) {0,40}` +
  String.raw`(?:\( {0,10}(\d{1,10}|-{1,10})\) {0,40})?(?<= )`;
/** `[CPU]` with flags behind it or not, latency format's `CPUFLAGS`, or nothing. */
const cpu =
  String.raw`(?:\[(\d{1,6})\] *(?:([^ \d][^ ]{0,7}) +)?|` +
  String.raw`(?:(\d{1,6})[^ \d][^ ]{0,9} {1,40})?)`;
/** `12.000345: `, `578845153325: `, `541005us+: ` with a mark for long delays behind the unit. */
const time = String.raw`(\d{1,20})(?:\.(\d{1,20})|(us)[^:]?)?:(?= |$)`;
const form = new RegExp(task + cpu + time, 'y');
/** perf script -F period: the sample's weight stands before the name. */
const name = / *(?:\d{1,20} *)?([^ ]*):(?: +|$)/y;
const nameless = / *(?:\d{1,20} *)?(?:[^ ]+ |<)/y;

/**
 * Reads the head of a line into `event` and `head`: whether it is an event, a record without an
 * event's name (`<stack trace>`), or no event at all.
 */
export function readHead(event: TraceEvent, line: string): 'event' | 'nameless' | 'none' {
  form.lastIndex = 0;
  const match = form.exec(line);
  if (match === null) return 'none';
  const [, comm, dash, pid, tid, tgid, bracket, flags, latencyCpu] = match;
  event.comm = comm;
  event.pid = Number(tid);
  event.tgid = numberOr(pid ?? tgid);
  event.cpu = numberOr(bracket ?? latencyCpu);
  readTime(event, match);
  if (dash === undefined) head.layout = 'perf';
  else head.layout = bracket === undefined ? 'latency' : 'ftrace';
  head.flags = flags !== undefined || latencyCpu !== undefined;
  head.tgid = tgid !== undefined;
  return readName(event, line, form.lastIndex);
}

/** Number of digits that may be missing, or dashes (`(-------)`). */
function numberOr(digits: string | undefined): number {
  return digits === undefined || digits.startsWith('-') ? ABSENT : Number(digits);
}

function readTime(event: TraceEvent, match: RegExpExecArray): void {
  const [, , , , , , , , , seconds, fraction, unit] = match;
  const whole = Number(seconds);
  if (fraction !== undefined) {
    const digits = Math.min(fraction.length, 9);
    event.time = whole * 1e9 + Number(fraction.slice(0, 9)) * 10 ** (9 - digits);
    head.clock = 'ns';
  } else if (unit !== undefined) {
    event.time = whole * 1e3;
    head.clock = 'relative';
  } else {
    event.time = whole;
    head.clock = 'ticks';
  }
}

/** The event's name behind the time, its system (`dma:`) before it or not. */
function readName(event: TraceEvent, line: string, from: number): 'event' | 'nameless' | 'none' {
  name.lastIndex = from;
  const full = name.exec(line)?.[1] ?? '';
  const own = full.slice(full.lastIndexOf(':') + 1);
  if (own !== '') {
    event.begin(own);
    head.payload = name.lastIndex;
    return 'event';
  }
  nameless.lastIndex = from;
  return nameless.test(line) ? 'nameless' : 'none';
}
