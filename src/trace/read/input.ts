/**
 * Wrong input: one line with the place, the only error the readers of recordings and machines
 * throw.
 */
export class InputError extends Error {
  readonly file: string;

  /** `place` is `line` or `line:column`, 1-based; empty when the whole file is meant. */
  constructor(file: string, place: string, message: string) {
    super(place === '' ? `${file}: ${message}` : `${file}:${place}: ${message}`);
    this.name = 'InputError';
    this.file = file;
  }
}

/** Part of a damaged line made fit for a message: printable, short, quoted. */
export function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?'));
}
