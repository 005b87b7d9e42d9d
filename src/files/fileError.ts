/**
 * Refusals of the file system in words: the user's to mend, and the same words for every command.
 */

import { UserError } from '../text/userError.js';

/** The disk does not take what must be written; nothing that is there is lost. */
export class StorageError extends UserError {
  override readonly name = 'StorageError';
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'a directory, expected a file',
  ENOTDIR: 'a file stands in its path, expected a directory',
  EEXIST: 'exists, and is no directory',
  ENAMETOOLONG: 'a name that is too long',
  ELOOP: 'links that lead in a circle',
  EMFILE: 'too many files are open',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than allowed',
  EROFS: 'the file system is read-only',
  EIO: 'the disk failed',
};

/** An error of the file system as the user's, or the error itself if it is none. */
export function fileError(file: string, error: unknown, access: 'read' | 'write'): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof UserError || code === undefined || syscall === undefined) return error;
  const Kind = access === 'write' ? StorageError : UserError;
  const barred = code === 'EACCES' || code === 'EPERM';
  const cannot = access === 'write' ? 'cannot be written' : 'cannot be read';
  const reason = barred ? `no permission to ${access}` : (reasons[code] ?? `${cannot} (${code})`);
  return new Kind({ file }, reason);
}
