/**
 * Text chunks cut into lines; a line that lies across two chunks is put together.
 *
 * Memory is bounded by the chunk and by `LINE_MAX`: a longer line is skipped as it arrives and
 * counted.
 */

/**
 * The kernel prints at most two pages per event; perf's and kprobes' strings stay below this too.
 */
const LINE_MAX = 1 << 16;

export interface LineSink {
  /** A line without its end. */
  line(text: string): void;
  /** A line of more than LINE_MAX bytes went by. */
  oversize(): void;
}

export class LineSplitter {
  readonly #sink: LineSink;
  #carry = '';
  /** True while the line at hand is too long: the rest of it is skipped. */
  #skips = false;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  push(chunk: string): void {
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf('\n', start);
      if (newline < 0) break;
      this.#add(chunk.slice(start, newline));
      this.#finish();
      start = newline + 1;
    }
    this.#add(chunk.slice(start));
  }

  /** The last line, when the input does not end with a newline. Returns whether there was one. */
  end(): boolean {
    const unfinished = this.#carry !== '' || this.#skips;
    if (unfinished) this.#finish();
    return unfinished;
  }

  #add(part: string): void {
    if (this.#skips) return;
    if (this.#carry.length + part.length > LINE_MAX) {
      this.#skips = true;
      this.#carry = '';
    } else this.#carry = this.#carry === '' ? part : this.#carry + part;
  }

  #finish(): void {
    const line = this.#carry;
    if (this.#skips) this.#sink.oversize();
    else this.#sink.line(line.endsWith('\r') ? line.slice(0, -1) : line);
    this.#carry = '';
    this.#skips = false;
  }
}
