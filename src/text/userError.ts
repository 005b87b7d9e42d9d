/**
 * The one error that is the user's: a line with its place, and the code the command exits with.
 *
 * Readers and checkers throw it or a child of it; what a library or the file system complains about
 * is turned into it where it is called. Any other error is our bug.
 */

/** A place in a file, both from 1; or a command-line option, which has no line. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly col?: number;
}

export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** Null: what was asked of the command is wrong, and no file. */
  readonly place: Place | null;
  readonly exitCode = 2;

  /** The message becomes one line, place included. */
  constructor(place: Place | null, message: string) {
    super(oneLine(place === null ? message : `${placeText(place)}: ${message}`));
    this.place = place;
  }
}

export function placeText({ file, line, col }: Place): string {
  return [file, line, col].filter((part) => part !== undefined).join(':');
}

const lineMax = 2000;
const wordMax = 200;

/**
 * Text fit for one line of a terminal: control characters escaped, what nobody reads to its end
 * cut.
 */
export function oneLine(text: string): string {
  const line = printable(text).replaceAll(/\S+/g, (word) =>
    word.length > wordMax ? `${word.slice(0, wordMax)}…` : word,
  );
  return line.length > lineMax ? `${line.slice(0, lineMax)}…` : line;
}

/** Control characters, which could move a terminal's cursor, as JSON escapes them. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => {
    const short = JSON.stringify(c).slice(1, -1);
    return short === c ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : short;
  });
}
