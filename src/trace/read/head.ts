/**
 * What stands before the payload: task, CPU, flags, time and the event's name, as ftrace (with and
 * without TGID, flags, latency format), trace-cmd report and perf script print it.
 *
 * One walk over the bytes without a string: the bracket of the CPU is found first, the task's
 * number lies to its left, everything else to its right. Task names may hold spaces, brackets and
 * hyphens.
 */
import { ABSENT, type TraceEvent } from './event.js';

export const layouts = {
  none: 0,
  /** `TASK-PID [CPU] FLAGS TIME: event:` of ftrace and trace-cmd. */
  ftrace: 1,
  /** `COMMAND PID [CPU] TIME: system:event:` of perf script. */
  perf: 2,
  /** `COMMAND-PID CPUFLAGS TIME: event:` of option latency-format. */
  latency: 3,
} as const;

/** What the time stamps count. */
export const clocks = {
  /** Seconds with a fraction; kept in nanoseconds. */
  seconds: 0,
  /** Integers without a unit: events (clock counter) or cycles (clock x86-tsc). */
  ticks: 1,
  /** Microseconds since the first event (latency format); kept in nanoseconds. */
  relative: 2,
} as const;

const TAB = 9;
const SPACE = 32;
const SLASH = 47;
const COLON = 58;

export const head = {
  layout: layouts.none as number,
  clock: clocks.seconds as number,
  /** The event stands behind its system (perf): `dma:dma_alloc:`. */
  flags: false,
  tgid: false,
};

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57;
}

/**
 * A task's name, its number and the CPU's bracket take no more; what follows belongs to the
 * payload.
 */
const HEAD_MAX = 128;

/**
 * Reads the head of bytes[start, end) into `event` and `head`. Returns where the payload starts, -1
 * when the line is no event, -2 when it is an event record without an event name (`<stack trace>`).
 */
export function readHead(event: TraceEvent, bytes: Uint8Array, start: number, end: number): number {
  let first = start;
  while (first < end && (bytes[first] === SPACE || bytes[first] === TAB)) first++;
  const limit = Math.min(end, first + HEAD_MAX);
  for (let open = first + 2; open < limit; open++) {
    if (bytes[open] !== 91 || !isDigit(bytes[open + 1])) continue;
    let cpu = 0;
    let i = open + 1;
    while (i < end && isDigit(bytes[i])) cpu = cpu * 10 + bytes[i++] - 48;
    if (bytes[i] !== 93 || bytes[open - 1] !== SPACE || i + 1 >= end) continue;
    if (!readTask(event, bytes, first, open)) continue;
    const after = readTime(event, bytes, i + 1, end, true);
    if (after < 0) continue;
    event.cpu = cpu;
    return readName(event, bytes, after, end);
  }
  return readBare(event, bytes, first, end);
}

/**
 * Task and thread to the left of the CPU's bracket: `TASK-PID`, `TASK-PID (TGID)`, `COMMAND
 * PID/TID`.
 */
function readTask(event: TraceEvent, bytes: Uint8Array, first: number, open: number): boolean {
  let i = open - 1;
  while (i > first && bytes[i] === SPACE) i--;
  event.tgid = ABSENT;
  head.tgid = false;
  if (bytes[i] === 41) {
    const close = i;
    while (i > first && bytes[i] !== 40) i--;
    if (i === first) return false;
    event.tgid = digitsIn(bytes, i + 1, close);
    head.tgid = true;
    i--;
    while (i > first && bytes[i] === SPACE) i--;
  }
  const stop = i + 1;
  while (i > first && isDigit(bytes[i])) i--;
  if (i + 1 === stop) return false;
  event.pid = digitsIn(bytes, i + 1, stop);
  head.layout = layouts.ftrace;
  if (bytes[i] === SLASH && i > first && isDigit(bytes[i - 1])) {
    // perf script -F pid,tid: the process before, the thread behind the slash.
    const slash = i;
    i--;
    while (i > first && isDigit(bytes[i])) i--;
    if (bytes[i] !== SPACE) return false;
    event.tgid = digitsIn(bytes, i + 1, slash);
    head.layout = layouts.perf;
  } else if (bytes[i] === SPACE) {
    head.layout = layouts.perf;
  } else if (bytes[i] !== 45) {
    return false;
  }
  let commEnd = i;
  while (commEnd > first && bytes[commEnd - 1] === SPACE) commEnd--;
  event.bytes = bytes;
  event.commStart = first;
  event.commEnd = commEnd;
  return true;
}

/**
 * Decimal number in [start, end), spaces before it allowed; -1 when there is none (`(-------)`).
 */
function digitsIn(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] === SPACE) i++;
  if (i === end || !isDigit(bytes[i])) return ABSENT;
  let value = 0;
  for (; i < end && isDigit(bytes[i]); i++) value = value * 10 + bytes[i] - 48;
  return value;
}

/**
 * Flags (a word that does not start with a digit) and the time up to its colon; -1 when not there.
 */
function readTime(
  event: TraceEvent,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: boolean,
): number {
  let i = start;
  while (i < end && bytes[i] === SPACE) i++;
  head.flags = false;
  if (flags && i < end && !isDigit(bytes[i])) {
    const word = i;
    while (i < end && bytes[i] !== SPACE) i++;
    if (i - word > 8) return -1;
    head.flags = true;
    while (i < end && bytes[i] === SPACE) i++;
  }
  if (i >= end || !isDigit(bytes[i])) return -1;
  let value = 0;
  for (; i < end && isDigit(bytes[i]); i++) value = value * 10 + bytes[i] - 48;
  if (bytes[i] === 46) {
    i++;
    let scale = 1e9;
    let fraction = 0;
    for (; i < end && isDigit(bytes[i]); i++) {
      if (scale <= 1) continue;
      fraction = fraction * 10 + bytes[i] - 48;
      scale /= 10;
    }
    event.time = value * 1e9 + fraction * scale;
    head.clock = clocks.seconds;
  } else if (bytes[i] === 117 && bytes[i + 1] === 115) {
    // `541005us+: `: behind the unit stands a mark for long delays, or a space.
    i += bytes[i + 2] === COLON ? 2 : 3;
    event.time = value * 1e3;
    head.clock = clocks.relative;
  } else {
    event.time = value;
    head.clock = clocks.ticks;
  }
  if (i >= end || bytes[i] !== COLON || (i + 1 < end && bytes[i + 1] !== SPACE)) return -1;
  return i + 1;
}

/**
 * The event's name behind the time, its system before it or not; returns where the payload starts.
 */
function readName(event: TraceEvent, bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] === SPACE) i++;
  if (i < end && isDigit(bytes[i])) {
    // perf script -F period: the sample's weight stands before the name.
    while (i < end && isDigit(bytes[i])) i++;
    while (i < end && bytes[i] === SPACE) i++;
  }
  let from = i;
  for (; i < end; i++) {
    const c = bytes[i];
    if (c === COLON) {
      if (i + 1 >= end || bytes[i + 1] === SPACE) break;
      from = i + 1;
    } else if (c === SPACE) return -2;
  }
  if (i >= end || i === from) return bytes[from] === 60 ? -2 : -1;
  event.name = event.names.events.id(bytes, from, i);
  i++;
  while (i < end && bytes[i] === SPACE) i++;
  return i;
}

/** Lines without a CPU's bracket: latency format, and perf script without the field cpu. */
function readBare(event: TraceEvent, bytes: Uint8Array, first: number, end: number): number {
  const limit = Math.min(end, first + HEAD_MAX);
  for (let i = first + 1; i < limit; i++) {
    if (bytes[i - 1] !== SPACE || !isDigit(bytes[i])) continue;
    const after = readTime(event, bytes, i, end, false);
    if (after < 0) {
      // Not a time: go on behind these digits.
      while (i < limit && bytes[i] !== SPACE) i++;
      continue;
    }
    let task = i - 1;
    while (task > first && bytes[task] === SPACE) task--;
    if (!readLatencyTask(event, bytes, first, task + 1)) continue;
    return readName(event, bytes, after, end);
  }
  return -1;
}

/** `COMMAND-PID  CPUFLAGS` or perf's `COMMAND PID` in [first, end). */
function readLatencyTask(
  event: TraceEvent,
  bytes: Uint8Array,
  first: number,
  end: number,
): boolean {
  let i = end - 1;
  while (i > first && bytes[i] !== SPACE) i--;
  if (bytes[i] !== SPACE) return false;
  const word = i + 1;
  let flags = word;
  while (flags < end && isDigit(bytes[flags])) flags++;
  if (flags === word) return false;
  const number = digitsIn(bytes, word, flags);
  while (i > first && bytes[i] === SPACE) i--;
  event.bytes = bytes;
  event.commStart = first;
  event.tgid = ABSENT;
  head.tgid = false;
  if (flags === end) {
    event.pid = number;
    event.cpu = ABSENT;
    event.commEnd = i + 1;
    head.layout = layouts.perf;
    return true;
  }
  const stop = i + 1;
  while (i > first && isDigit(bytes[i])) i--;
  if (i + 1 === stop || bytes[i] !== 45) return false;
  event.pid = digitsIn(bytes, i + 1, stop);
  event.cpu = number;
  event.commEnd = i;
  head.layout = layouts.latency;
  head.flags = true;
  return true;
}
