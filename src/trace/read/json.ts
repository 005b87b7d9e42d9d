/**
 * JSON documents of one form, `{ ..., "samples": [{...}, {...}], ... }`, as they arrive.
 *
 * One scan knows strings and brackets and cuts the samples out; V8's parser reads each of them, and
 * what stands around them. Memory is bounded by the longest sample and by `PIECE_MAX`.
 */
import { excerpt } from './input.js';

/** The document without its samples, and each sample, are short. */
const PIECE_MAX = 1 << 24;

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

export type JsonObject = { readonly [key: string]: unknown };

export class JsonSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(place: { line: number; column: number }, message: string) {
    super(message);
    this.line = place.line;
    this.column = place.column;
  }
}

export class SampleScanner {
  readonly #take: (sample: JsonObject) => void;
  /** The brackets that are open, as the characters that close them. */
  readonly #closers: number[] = [];
  #inString = false;
  #escaped = false;
  /** The array of samples: not reached yet, at hand, behind. */
  #samples: 'ahead' | 'inside' | 'behind' = 'ahead';
  /** Next between two samples; `first` may be the array's end, too. */
  #next: 'first' | 'sample' | 'comma' = 'first';
  /** Text of the sample at hand, or of the document around the samples since the last of them. */
  #piece = '';
  #done = false;
  #place = { line: 1, column: 1 };
  #line = 1;
  /** Position of the line's first character in the chunk at hand, at most 0 for one before it. */
  #lineStart = 0;

  /** `take` is given every sample. */
  constructor(take: (sample: JsonObject) => void) {
    this.#take = take;
  }

  get line(): number {
    return this.#line;
  }

  /** True once there was an array of samples. */
  get found(): boolean {
    return this.#samples !== 'ahead';
  }

  /** True once the document is whole. */
  get done(): boolean {
    return this.#done;
  }

  /** Throws JsonSyntaxError. */
  push(chunk: string): void {
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const c = chunk.charCodeAt(i);
      if (c === NEWLINE) {
        this.#line++;
        this.#lineStart = i + 1;
      }
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (c === BACKSLASH) this.#escaped = true;
        else if (c === QUOTE) this.#inString = false;
      } else if (c > SPACE) from = this.#step(chunk, i, from);
    }
    const between = this.#samples === 'inside' && this.#closers.length === 2;
    if (!between && !this.#done) this.#piece += chunk.slice(from);
    if (this.#piece.length > PIECE_MAX) {
      throw new JsonSyntaxError(this.#place, `more than ${PIECE_MAX} characters without a sample`);
    }
    this.#lineStart -= chunk.length;
  }

  /** One character outside of strings; returns where the piece at hand begins in the chunk. */
  #step(chunk: string, at: number, from: number): number {
    const c = chunk.charCodeAt(at);
    const depth = this.#closers.length;
    if (this.#samples === 'inside' && depth === 2) return this.#between(chunk, at, from);
    if (this.#done || (depth === 0 && c !== OPEN_BRACE)) this.#fail(chunk, at);
    if (c === QUOTE) this.#inString = true;
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (c === OPEN_BRACKET && depth === 1) this.#array(chunk, at, from);
      this.#closers.push(c + 2);
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      if (this.#closers.pop() !== c) this.#fail(chunk, at);
      return this.#closed(chunk, at + 1, from);
    }
    return from;
  }

  /** One character between two samples. */
  #between(chunk: string, at: number, from: number): number {
    const c = chunk.charCodeAt(at);
    if (c === COMMA && this.#next === 'comma') {
      this.#next = 'sample';
      return from;
    }
    if (c === OPEN_BRACE && this.#next !== 'comma') this.#closers.push(CLOSE_BRACE);
    else if (c === CLOSE_BRACKET && this.#next !== 'sample') {
      this.#closers.pop();
      this.#samples = 'behind';
    } else this.#fail(chunk, at);
    this.#place = this.#placeOf(at);
    return at;
  }

  /** An array of the document: of the samples, if it bears that name. */
  #array(chunk: string, at: number, from: number): void {
    const before = at - from < 64 ? this.#piece + chunk.slice(from, at) : chunk.slice(at - 64, at);
    if (this.#samples !== 'ahead' || !/(?<!\\)"samples"\s*:\s*$/.test(before.slice(-64))) return;
    this.#parsed(this.#piece + chunk.slice(from, at), { after: '[]}' });
    this.#piece = '';
    this.#samples = 'inside';
  }

  /** A bracket was closed before `end`: a sample may be whole, or the document. */
  #closed(chunk: string, end: number, from: number): number {
    const depth = this.#closers.length;
    const isSample = depth === 2 && this.#samples === 'inside';
    if (depth > 0 && !isSample) return from;
    const text = this.#piece + chunk.slice(from, end);
    this.#piece = '';
    if (isSample) {
      this.#take(this.#parsed(text));
      this.#next = 'comma';
    } else {
      this.#parsed(text, { before: this.#samples === 'behind' ? '{"samples":[' : '' });
      this.#done = true;
    }
    return end;
  }

  #parsed(text: string, { before = '', after = '' } = {}): JsonObject {
    try {
      return JSON.parse(before + text + after);
    } catch (error) {
      // V8 says where, but not of every mistake; then it is where the piece begins.
      const found = /at position (\d+)/.exec(String(error))?.[1] ?? before.length;
      const good = text.slice(0, Number(found) - before.length);
      const { line, column } = this.#place;
      const newlines = good.split('\n').length - 1;
      const onLine = good.length - good.lastIndexOf('\n');
      const place = { line: line + newlines, column: newlines > 0 ? onLine : column + good.length };
      throw new JsonSyntaxError(place, `not JSON at ${excerpt(text.slice(good.length))}`);
    }
  }

  #placeOf(at: number): { line: number; column: number } {
    return { line: this.#line, column: at - this.#lineStart + 1 };
  }

  #fail(chunk: string, at: number): never {
    throw new JsonSyntaxError(
      this.#placeOf(at),
      `not JSON at ${excerpt(chunk.slice(at, at + 40))}`,
    );
  }
}
