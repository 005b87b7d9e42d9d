/**
 * The mistake of a recording or a machine's files, as one line with its place.
 */

import { UserError } from '../../text/userError.js';

export class InputError extends UserError {
  override readonly name = 'InputError';

  /** `place` is `line` or `line:column`, 1-based; empty when the whole file is meant. */
  constructor(file: string, place: string, message: string) {
    const [line, col] = place === '' ? [] : place.split(':').map(Number);
    super({ file, ...(line && { line }), ...(col && { col }) }, message);
  }
}

/** Part of a damaged line made fit for a message: printable, short, quoted. */
export function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?'));
}
