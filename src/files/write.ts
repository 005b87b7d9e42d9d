/**
 * Files written for the user; those of results are there whole or not at all, also after a power
 * cut: written beside their place, synced, renamed.
 */

import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../text/userError.js';
import { fileError } from './fileError.js';

/** Writes a file of the user's; one that exists only where `force` allows it. */
export function writeText(file: string, text: string, { force }: { force: boolean }): void {
  expectNew(file, { force });
  try {
    makeParents(dirname(file));
    writeFileSync(file, text);
  } catch (error) {
    throw fileError(file, error, 'write');
  }
}

/** @throws UserError for a file that exists, unless `force` allows it. */
export function expectNew(file: string, { force }: { force: boolean }): void {
  if (!force && existsSync(file)) {
    throw new UserError(null, `${file} exists; --force writes over it`);
  }
}

/** Makes a directory and those around it, where they are not there. */
export function makeDirectory(directory: string): void {
  try {
    makeParents(directory);
  } catch (error) {
    throw fileError(directory, error, 'write');
  }
}

/** mkdir -p; Node's own does not come back from file systems that refuse without saying why. */
function makeParents(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(directory) !== directory) makeParents(dirname(directory));
  mkdirSync(directory);
}

/** Replaces a file with what `write` puts into it. Throws StorageError. */
export async function replaceFile(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(path, error, 'write');
  }
}

/** Makes a rename last. Some file systems have no such thing, and need none. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch {
    // EINVAL, EISDIR: nothing to be done, and nothing the user could do.
  } finally {
    await folder.close();
  }
}

/** Writes all of it: one write() may take only a part. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}
