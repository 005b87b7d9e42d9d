/**
 * The runs a results directory holds: one line per run, appended as runs come back.
 *
 *   checksum (8 hex digits, CRC-32 of the rest)  name of the run (64 hex digits)  record (JSON)
 *
 * Every process appends to a file of its own, so several may work on one directory. A line that a
 * crash or a full disk cut off fails its checksum and is made again. A finished study's lines are
 * in runs.jsonl, in the study's order; journal/ is then empty.
 */

import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { fileError } from '../files/fileError.js';
import { directoryNames } from '../files/read.js';
import { makeDirectory, replaceFile, syncFolder, writeAll } from '../files/write.js';
import { parseRecord, type RunRecord } from './record.js';

const finished = 'runs.jsonl';
const folder = 'journal';
const lineStart = 8 + 1 + 64 + 1;
const chunkSize = 1 << 20;
const newline = 10;

interface Place {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

interface Waiting {
  readonly run: string;
  readonly line: Buffer;
  done(): void;
  fail(error: unknown): void;
}

export class Journal {
  /** Lines that were not whole: cut off, or changed since. */
  torn = 0;
  private readonly directory: string;
  private readonly places = new Map<string, Place>();
  /** Segments read when the directory was opened, and our own. */
  private readonly segments = new Set<string>();
  private readonly open = new Map<string, FileHandle>();
  private own: { readonly path: string; readonly file: FileHandle; size: number } | null = null;
  private waiting: Waiting[] = [];
  private writing: Promise<void> | null = null;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens a directory, made if it is not there, and reads what it holds. */
  static async open(directory: string): Promise<Journal> {
    makeDirectory(join(directory, folder));
    const journal = new Journal(directory);
    const names = directoryNames(join(directory, folder)).filter((name) => name.endsWith('.jsonl'));
    const files = names.map((name) => join(directory, folder, name));
    for (const file of files) journal.segments.add(file);
    for (const file of [join(directory, finished), ...files]) await journal.scan(file);
    return journal;
  }

  get size(): number {
    return this.places.size;
  }

  has(run: string): boolean {
    return this.places.has(run);
  }

  runs(): string[] {
    return [...this.places.keys()];
  }

  async read(run: string): Promise<RunRecord> {
    return parseRecord(await this.readText(run), run);
  }

  /** The record as add() was given it. */
  async readText(run: string): Promise<string> {
    return (await this.line(run)).toString('utf8').slice(lineStart, -1);
  }

  /** Resolves when the record is on the disk. Rejects with StorageError; what came before stays. */
  add(run: string, record: string): Promise<void> {
    const rest = `${run} ${record}`;
    const line = Buffer.from(`${checksum(rest)} ${rest}\n`);
    return new Promise((done, fail) => {
      this.waiting.push({ run, line, done, fail });
      this.writing ??= this.drain().finally(() => {
        this.writing = null;
      });
    });
  }

  /** Puts all runs into one file: those named first, in that order, then others by name. */
  async compact(order: readonly string[]): Promise<void> {
    await this.writing;
    const named = new Set(order);
    const others = this.runs().filter((run) => !named.has(run));
    const path = join(this.directory, finished);
    const places = new Map<string, Place>();
    await replaceFile(path, async (file) => {
      let offset = 0;
      for (const run of [...named, ...others.sort()]) {
        const line = await this.line(run);
        await writeAll(file, line);
        places.set(run, { file: path, offset, length: line.length });
        offset += line.length;
      }
    });
    await this.close();
    for (const [run, place] of places) this.places.set(run, place);
    for (const segment of this.segments) await rm(segment, { force: true });
    this.segments.clear();
  }

  async close(): Promise<void> {
    await this.writing;
    await this.own?.file.close();
    this.own = null;
    for (const file of this.open.values()) await file.close();
    this.open.clear();
  }

  private async line(run: string): Promise<Buffer> {
    const place = this.places.get(run);
    if (place === undefined) throw new Error(`run ${run} is not in ${this.directory}`);
    let file = this.open.get(place.file);
    if (file === undefined) {
      file = await open(place.file, 'r');
      this.open.set(place.file, file);
    }
    const buffer = Buffer.alloc(place.length);
    await file.read(buffer, 0, place.length, place.offset);
    return buffer;
  }

  /**
   * Writes what has gathered, all with one sync: runs that come back meanwhile wait for the next.
   */
  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        await this.append(batch);
        for (const { done } of batch) done();
      } catch (error) {
        const failure = fileError(this.own?.path ?? this.directory, error, 'write');
        for (const { fail } of batch) fail(failure);
      }
    }
  }

  private async append(batch: readonly Waiting[]): Promise<void> {
    this.own ??= await this.segment();
    const { path, file, size } = this.own;
    try {
      await writeAll(file, Buffer.concat(batch.map(({ line }) => line)));
      await file.datasync();
    } catch (error) {
      // What was cut off would fail its checksum anyway; without it the next line starts clean.
      await file.truncate(size).catch(() => {});
      throw error;
    }
    for (const { run, line } of batch) {
      this.places.set(run, { file: path, offset: this.own.size, length: line.length });
      this.own.size += line.length;
    }
  }

  private async segment(): Promise<{ path: string; file: FileHandle; size: number }> {
    const name = `${Date.now()}-${process.pid}-${this.segments.size}.jsonl`;
    const path = join(this.directory, folder, name);
    const file = await open(path, 'ax');
    await syncFolder(join(this.directory, folder));
    this.segments.add(path);
    return { path, file, size: 0 };
  }

  private async scan(path: string): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw fileError(path, error, 'read');
    }
    try {
      for await (const { offset, bytes } of lines(file)) {
        const run = nameIn(bytes);
        if (run === undefined) this.torn++;
        else this.places.set(run, { file: path, offset, length: bytes.length });
      }
    } finally {
      await file.close();
    }
  }
}

function checksum(rest: string): string {
  return crc32(rest).toString(16).padStart(8, '0');
}

/** Name of the run of a whole line, undefined if it is not whole. */
function nameIn(line: Buffer): string | undefined {
  if (line.length < lineStart || line.at(-1) !== newline) return undefined;
  const rest = line.subarray(9, -1);
  if (checksum(rest.toString('utf8')) !== line.toString('latin1', 0, 8)) return undefined;
  return rest.toString('latin1', 0, 64);
}

/** Lines of a file, each with its newline if it has one. */
async function* lines(file: FileHandle): AsyncGenerator<{ offset: number; bytes: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for (;;) {
    const chunk = Buffer.alloc(chunkSize);
    const { bytesRead } = await file.read(chunk, 0, chunkSize, offset + rest.length);
    const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      yield { offset: offset + start, bytes: bytes.subarray(start, end + 1) };
      start = end + 1;
    }
    offset += start;
    rest = bytes.subarray(start);
    if (bytesRead > 0) continue;
    if (rest.length > 0) yield { offset, bytes: rest };
    return;
  }
}
