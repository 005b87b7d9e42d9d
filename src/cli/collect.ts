/**
 * The files of a server: a directory, an archive of `cmasim capture`, or single files, read into
 * memory.
 *
 * Files of proc and sysfs say they are empty and are not, so they are read and not measured.
 * Symbolic links are not followed: sysfs is full of circles.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { emptyFile, inputName, isDirectory, readBytes, unzipped } from '../files/read.js';
import type { ImportFile } from '../machine/import/recognise.js';
import { isTar, readTar } from '../machine/import/tar.js';
import { UserError } from '../text/userError.js';

/** Text about a machine is smaller, whatever else lies in the directory. */
const FILE_MAX = 64 << 20;
const FILES_MAX = 50_000;

export interface Collected {
  readonly files: readonly ImportFile[];
  /** Faults of an archive, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Reads `path` (`-` is the standard input) and what is in it. Throws UserError when it cannot be
 * read.
 */
export function collectFiles(path: string): Collected {
  if (isDirectory(path)) {
    // A recording keeps the machine apart from its traces, and the state after them elsewhere.
    const inner = join(path, 'machine');
    const root = isDirectory(inner) ? inner : path;
    const files = walk(root).flatMap((file) => contentOf(file, tryRead(file)));
    if (files.length === 0) throw new UserError({ file: path }, 'no readable file in it');
    return { files, warnings: [] };
  }
  const name = inputName(path);
  const bytes = unzipped(name, readBytes(path));
  if (bytes.length === 0) throw emptyFile(name, 'a description of a machine');
  if (!isTar(bytes)) {
    const files = contentOf(path, bytes);
    if (files.length === 0) throw new UserError({ file: name }, 'binary data, not a description');
    return { files, warnings: [] };
  }
  const { files, damage } = readTar(bytes);
  const warnings = damage === '' ? [] : [`${name}: the archive ${damage}; what is before is used`];
  return { files: files.flatMap((file) => contentOf(file.path, file.bytes)), warnings };
}

/** Bytes of a file in a directory; null when it is not for us to read, as some of sysfs is not. */
function tryRead(path: string): Uint8Array | null {
  try {
    return statSync(path).size > FILE_MAX ? null : readFileSync(path);
  } catch {
    return null;
  }
}

/** The file as text; none when it is binary or cannot be unpacked. */
function contentOf(path: string, raw: Uint8Array | null): ImportFile[] {
  if (raw === null) return [];
  let bytes = raw;
  try {
    bytes = unzipped(path, raw);
  } catch {
    return [];
  }
  if (bytes.subarray(0, 4_096).includes(0)) return [];
  return [{ path: path.replace(/\.gz$/, ''), text: Buffer.from(bytes).toString('utf8') }];
}

function walk(directory: string): string[] {
  const found: string[] = [];
  const waiting = [directory];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = readdirSync(next, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) found.push(path);
      if (found.length >= FILES_MAX) return found;
    }
  }
  return found;
}

/** `/x/server7.tar.gz` -> `server7`: what the machine is called unless somebody says otherwise. */
export function machineName(path: string): string {
  if (path === '-') return 'imported';
  const name = basename(path.replace(/\/machine\/?$/, '')).replace(
    /(?:\.tar)?(?:\.gz|\.tgz|\.tar|\.txt|\.xml)?$/,
    '',
  );
  return name === '' || name === '.' || name === '..' ? 'imported' : name;
}
