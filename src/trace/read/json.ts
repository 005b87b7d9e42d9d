/**
 * JSON as it arrives: tokens out of byte chunks, nothing kept but the depth and the token at hand.
 *
 * Only what perf's converter needs: strings longer than `TEXT_MAX` are cut, numbers stay text.
 */
import { excerpt } from './input.js';

const TEXT_MAX = 1 << 16;

/** Calls of the walk, in the order of the text. `depth` 1 is inside the outermost brackets. */
export interface JsonSink {
  /** Whether texts at this depth are asked for; others arrive empty. */
  wants(depth: number): boolean;
  key(depth: number, text: string): void;
  value(depth: number, text: string): void;
  /** `[` or `{` was opened; `depth` is inside of it. */
  open(depth: number, bracket: string): void;
  close(depth: number): void;
}

export class JsonSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(line: number, column: number, message: string) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const isSpace = (c: number): boolean => c === 32 || c === 9 || c === 10 || c === 13;

export class JsonWalker {
  readonly #sink: JsonSink;
  readonly #text = Buffer.alloc(TEXT_MAX);
  #length = 0;
  #depth = 0;
  #state: 'between' | 'string' | 'escape' | 'bare' = 'between';
  /** A string waits for the colon that makes it a key, or for whatever makes it a value. */
  #waiting = false;
  #line = 1;
  #column = 0;

  constructor(sink: JsonSink) {
    this.#sink = sink;
  }

  get line(): number {
    return this.#line;
  }

  /** Whether the text may end here. */
  get complete(): boolean {
    return this.#depth === 0 && this.#state === 'between';
  }

  push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length; i++) {
      if (this.#state === 'string') i = this.#string(chunk, i);
      if (i >= chunk.length) return;
      const c = chunk[i];
      this.#column++;
      if (c === 10) {
        this.#line++;
        this.#column = 0;
      }
      if (this.#state === 'string') {
        this.#state = c === QUOTE ? 'between' : 'escape';
        this.#waiting = c === QUOTE;
      } else if (this.#state === 'escape') {
        this.#put(c === 110 ? 10 : c === 116 ? 9 : c);
        this.#state = 'string';
      } else if (this.#state === 'bare' && isBare(c)) this.#put(c);
      else if (this.#state === 'bare' || !isSpace(c)) this.#between(c, chunk, i);
    }
  }

  /** Takes the plain part of a string at once; returns where its quote or backslash stands. */
  #string(chunk: Uint8Array, from: number): number {
    let to = from;
    while (to < chunk.length && chunk[to] !== QUOTE && chunk[to] !== BACKSLASH) to++;
    const take = Math.min(to - from, TEXT_MAX - this.#length);
    for (let i = 0; i < take; i++) this.#text[this.#length + i] = chunk[from + i];
    this.#length += take;
    this.#column += to - from;
    return to;
  }

  #put(c: number): void {
    if (this.#length < TEXT_MAX) this.#text[this.#length++] = c;
  }

  #between(c: number, chunk: Uint8Array, at: number): void {
    if (this.#state === 'bare') {
      this.#state = 'between';
      this.#waiting = true;
    }
    if (isSpace(c)) return;
    if (c === 58) {
      if (!this.#waiting) this.#fail(chunk, at);
      this.#sink.key(this.#depth, this.#taken());
      return;
    }
    if (this.#waiting) this.#sink.value(this.#depth, this.#taken());
    if (c === QUOTE) {
      this.#state = 'string';
      this.#length = 0;
    } else if (c === 123 || c === 91) {
      this.#sink.open(++this.#depth, c === 123 ? '{' : '[');
    } else if (c === 125 || c === 93) {
      if (this.#depth === 0) this.#fail(chunk, at);
      this.#sink.close(this.#depth--);
    } else if (isBare(c)) {
      this.#state = 'bare';
      this.#length = 0;
      this.#put(c);
    } else if (c !== 44) this.#fail(chunk, at);
  }

  #taken(): string {
    this.#waiting = false;
    if (!this.#sink.wants(this.#depth)) return '';
    return this.#text.toString('utf8', 0, this.#length);
  }

  #fail(chunk: Uint8Array, at: number): never {
    throw new JsonSyntaxError(
      this.#line,
      this.#column,
      `not JSON at ${excerpt(chunk, at, chunk.length)}`,
    );
  }
}

/** Letters, digits, sign, point: numbers, true, false, null. */
function isBare(c: number): boolean {
  return (
    (c >= 48 && c <= 57) || (c >= 97 && c <= 122) || c === 45 || c === 43 || c === 46 || c === 69
  );
}
