/**
 * Files that a user names, read with one vocabulary for what can be wrong with them.
 *
 * `-` is the standard input everywhere. What cannot be read is a UserError with the file as place.
 */

import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../text/userError.js';
import { fileError } from './fileError.js';

const stdin = 0;
const chunkBytes = 1 << 20;
/** Largest size of what a packed file is unpacked to in memory. */
const unpackedBytesMax = 256 << 20;

export interface ReadOptions {
  /** Name of the file in errors, unless its path. */
  readonly name?: string;
  /** Content that the file is to have, such as `a scenario`. */
  readonly expected?: string;
  readonly bytesMax?: number;
}

/** Name of a file in errors. */
export function inputName(file: string): string {
  return file === '-' ? 'stdin' : file;
}

export function exists(path: string): boolean {
  return existsSync(path);
}

/** True for a path that leads to a directory; one that leads nowhere does not. */
export function isDirectory(path: string): boolean {
  if (path === '-') return false;
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    // Whoever reads it says why it cannot be read.
    return false;
  }
}

/** Names in a directory, in order. */
export function directoryNames(directory: string): string[] {
  return attempt(directory, () => readdirSync(directory)).sort();
}

export function readBytes(file: string, options: ReadOptions = {}): Buffer {
  const { name = inputName(file), expected = 'a file', bytesMax = Infinity } = options;
  return attempt(name, () => {
    const { size } = file === '-' ? { size: 0 } : statSync(file);
    if (size > bytesMax) {
      const [found, most] = [Math.ceil(size / 2 ** 20), bytesMax / 2 ** 20];
      throw new UserError(
        { file: name },
        `${found} MiB, expected ${expected} of at most ${most} MiB`,
      );
    }
    return readFileSync(file === '-' ? stdin : file);
  });
}

/** The text of a file that is whole, as UTF-8 and without a zero in it. */
export function readText(file: string, options: ReadOptions = {}): string {
  const { name = inputName(file), expected = 'text' } = options;
  const bytes = readBytes(file, options);
  const place = { file: name, line: 1, col: 1 };
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw new UserError(place, `a binary file (a zero at byte ${zero}), expected ${expected}`);
  }
  if (bytes.length === 0) throw emptyFile(name, expected);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(place, `a binary file (no UTF-8), expected ${expected}`);
  }
}

/** The value in a file of JSON. */
export function readJson(file: string, expected: string): unknown {
  const name = inputName(file);
  const text = readText(file, { expected });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      { file: name },
      `no JSON (${(error as Error).message}), expected ${expected}`,
    );
  }
}

export function emptyFile(file: string, expected: string): UserError {
  return new UserError({ file, line: 1, col: 1 }, `an empty file, expected ${expected}`);
}

/** Bytes as they are, or unpacked if they are gzipped. */
export function unzipped(name: string, bytes: Uint8Array): Uint8Array {
  if (!(bytes[0] === 0x1f && bytes[1] === 0x8b)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: unpackedBytesMax });
  } catch (error) {
    throw new UserError({ file: name }, `damaged gzip data (${(error as Error).message})`);
  }
}

/** Bytes of a file as they come. */
export async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  const packet = { highWaterMark: chunkBytes };
  const stream = file === '-' ? process.stdin : createReadStream(file, packet);
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    throw fileError(inputName(file), error, 'read');
  }
}

function attempt<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fileError(name, error, 'read');
  }
}
