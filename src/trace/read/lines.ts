/**
 * Byte chunks cut into lines without copying: only a line that lies across two chunks is put
 * together.
 *
 * Memory is bounded by the chunk and by `LINE_MAX`: a longer line is skipped as it arrives and
 * counted.
 */

/**
 * The kernel prints at most two pages per event; perf's and kprobes' strings stay below this too.
 */
export const LINE_MAX = 1 << 16;

const NEWLINE = 10;
const RETURN = 13;

export interface LineSink {
  /** bytes[start, end) without its line end; valid during the call only. */
  line(bytes: Uint8Array, start: number, end: number): void;
  /** A line of more than LINE_MAX bytes went by; `length` of them. */
  oversize(length: number): void;
}

export class LineSplitter {
  readonly #sink: LineSink;
  readonly #carry = new Uint8Array(LINE_MAX);
  #carried = 0;
  /** Bytes of an oversize line seen so far; 0 while the line is of ordinary length. */
  #skipped = 0;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    if (this.#carried > 0 || this.#skipped > 0) {
      const newline = chunk.indexOf(NEWLINE);
      const stop = newline < 0 ? chunk.length : newline;
      this.#append(chunk, 0, stop);
      if (newline < 0) return;
      this.#finish();
      start = newline + 1;
    }
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      if (newline - start > LINE_MAX) this.#sink.oversize(newline - start);
      else this.#sink.line(chunk, start, cut(chunk, start, newline));
      start = newline + 1;
    }
    this.#append(chunk, start, chunk.length);
  }

  /** The last line, when the input does not end with a newline. Returns whether there was one. */
  end(): boolean {
    const unfinished = this.#carried > 0 || this.#skipped > 0;
    if (unfinished) this.#finish();
    return unfinished;
  }

  #append(chunk: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#skipped > 0) {
      this.#skipped += length;
    } else if (this.#carried + length > LINE_MAX) {
      this.#skipped = this.#carried + length;
      this.#carried = 0;
    } else {
      this.#carry.set(chunk.subarray(start, end), this.#carried);
      this.#carried += length;
    }
  }

  #finish(): void {
    const length = this.#carried;
    const skipped = this.#skipped;
    this.#carried = 0;
    this.#skipped = 0;
    if (skipped > 0) this.#sink.oversize(skipped);
    else this.#sink.line(this.#carry, 0, cut(this.#carry, 0, length));
  }
}

function cut(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === RETURN ? end - 1 : end;
}
