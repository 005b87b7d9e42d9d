/**
 * Whole input as text: for formats whose rows refer to one another. Gzip is recognised by its
 * first bytes.
 */

import { chunksOf, inputName } from '../../files/read.js';
import { InputError } from './input.js';
import { plain } from './read.js';

/** @throws InputError when the file (`-`: standard input) cannot be read to its end. */
export async function readWhole(file: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const broken = (why: string): never => {
    throw new InputError(inputName(file), '', `damaged gzip data (${why})`);
  };
  for await (const chunk of plain(chunksOf(file), broken)) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}
