/**
 * Opening of a recording: its content says what it is, and its events stream into a sink.
 *
 * gzip is undone on the way. Memory does not depend on the length of the input. What is no
 * recording ends in an InputError of one line; what is one in part is read in part, and the tally
 * says what was not.
 */
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { chunksOf, emptyFile, inputName } from '../../files/read.js';
import { UserError } from '../../text/userError.js';
import type { Names, TraceSink } from './event.js';
import { excerpt, InputError } from './input.js';
import { JsonSyntaxError } from './json.js';
import { PerfJsonReader } from './perfjson.js';
import type { Tally } from './tally.js';
import { TextReader } from './text.js';

/** Without an event in so many bytes nobody will find one behind them. */
const GIVE_UP = 64 << 20;

interface Reader {
  readonly tally: Tally;
  push(chunk: Uint8Array): void;
  end(): Tally;
}

/** Binary files people have at hand where a text is wanted, and what makes the text. */
const binaries: readonly (readonly [magic: readonly number[], what: string])[] = [
  [[0x17, 0x08, 0x44, 0x74], "trace-cmd's binary file: run `trace-cmd report` on it"],
  [[...Buffer.from('PERFILE2')], "perf's binary file: run `perf script` on it"],
  [[...Buffer.from('2ELIFREP')], "perf's binary file: run `perf script` on it"],
  [[0x28, 0xb5, 0x2f, 0xfd], 'compressed with zstd: decompress it first'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'compressed with xz: decompress it first'],
  [[0x42, 0x5a, 0x68], 'compressed with bzip2: decompress it first'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive: unpack it first'],
  [[0x7f, 0x45, 0x4c, 0x46], 'an ELF file, not a trace'],
];

/** Undoes gzip when the first bytes say so; a stream that breaks off gives what came before. */
export async function* plain(
  chunks: AsyncIterable<Uint8Array>,
  broken: (why: string) => void,
): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  const held = await atLeast(source, 16);
  const all = joined(held, source);
  if (held[0] === 0x1f && held[1] === 0x8b) yield* gunzip(all, broken);
  else yield* all;
}

async function* joined(
  held: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (held.length > 0) yield held;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    yield next.value;
  }
}

/** The first chunks joined until `bytes` are there or the input ends. */
async function atLeast(source: AsyncIterator<Uint8Array>, bytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await source.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

async function* gunzip(
  chunks: AsyncIterable<Uint8Array>,
  broken: (why: string) => void,
): AsyncGenerator<Uint8Array> {
  // An error of the file or of its packing comes out of the stream, where it is awaited.
  const stream = pipeline(chunks, createGunzip({ chunkSize: 1 << 18 }), () => {});
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof UserError) throw error;
    broken((error as Error).message);
  }
}

/**
 * Streams the events of `file` (`-` is the standard input) into `sink`. `names` may be shared by
 * the files of one recording. Throws InputError when the input cannot be read or is no recording at
 * all.
 */
export async function readTrace(file: string, names: Names, sink: TraceSink): Promise<Tally> {
  return await readChunks(inputName(file), chunksOf(file), names, sink);
}

/** The same for bytes from anywhere; `name` stands in messages. */
export async function readChunks(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  names: Names,
  sink: TraceSink,
): Promise<Tally> {
  let reader: Reader | null = null;
  let broken = '';
  let head = new Uint8Array(0);
  try {
    for await (const chunk of plain(chunks, (why) => (broken = why))) {
      if (reader === null) {
        head = Buffer.concat([head, chunk]);
        if (head.length < 4_096 && !head.includes(10)) continue;
        reader = readerFor(name, head, names, sink);
        reader.push(head);
        head = head.subarray(0, 256);
      } else reader.push(chunk);
      const { events, unrecognised, oversize, bytes } = reader.tally;
      if (events === 0 && bytes > GIVE_UP && unrecognised + oversize > 0) break;
    }
    if (reader === null && head.length > 0) {
      reader = readerFor(name, head, names, sink);
      reader.push(head);
    }
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      throw new InputError(name, `${error.line}:${error.column}`, error.message);
    }
    throw error;
  }
  if (reader === null && broken === '') throw emptyFile(name, 'a recording');
  if (reader === null) throw new InputError(name, '', damaged(broken));
  const tally = reader.end();
  if (broken !== '') tally.cutOff = true;
  judge(name, tally, head);
  return tally;
}

function damaged(why: string): string {
  return `damaged gzip data (${why})`;
}

function readerFor(name: string, head: Uint8Array, names: Names, sink: TraceSink): Reader {
  for (const [magic, what] of binaries) {
    if (magic.every((byte, i) => head[i] === byte)) throw new InputError(name, '', what);
  }
  let first = 0;
  while (first < head.length && head[first] <= 32 && head[first] >= 9) first++;
  return head[first] === 123 ? new PerfJsonReader(names, sink) : new TextReader(names, sink);
}

/** Refuses what held no event although it held something. */
function judge(name: string, tally: Tally, head: Uint8Array): void {
  if (tally.events > 0) return;
  const zero = head.indexOf(0);
  if (zero >= 0) throw new InputError(name, '', `not a trace: binary data (byte ${zero} is 0)`);
  if (tally.oversize > 0) {
    throw new InputError(name, '1', 'not a trace: a line of more than 65536 bytes');
  }
  const found = tally.firstUnrecognised;
  if (found !== null) {
    throw new InputError(
      name,
      `${found.line}:${found.column}`,
      `not a trace: ${found.text} is no line of ftrace, trace-cmd report or perf script`,
    );
  }
  if (tally.blank === tally.lines) throw new InputError(name, '', 'nothing but empty lines');
  if (tally.comments + tally.preamble + tally.lostMarkers + tally.nameless === 0) {
    throw new InputError(name, '', `not a trace: ${excerpt(Buffer.from(head).toString('latin1'))}`);
  }
}
