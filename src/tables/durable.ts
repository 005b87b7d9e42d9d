/**
 * Files that are there whole or not at all, also after a power cut: written beside their place,
 * synced, renamed.
 */

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The disk does not take what must be written: the user's to mend, and nothing is lost. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than allowed',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EIO: 'the disk failed',
};

/** An error of the file system in words, or the error itself if it is none. */
export function storageError(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const reason = reasons[code ?? ''];
  return reason === undefined ? error : new StorageError(`${path}: ${reason}`);
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
    throw storageError(path, error);
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
