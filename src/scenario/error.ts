/**
 * What is wrong with a scenario, as one line with its place: `file:line:col: what was found, what
 * was expected`.
 */

/** A place in a file, both from 1; or a command-line option, which has no line. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly col?: number;
}

/** The user's mistake: exit 2. The message is the whole line, place included. */
export class ScenarioError extends Error {
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(oneLine(`${placeText(place)}: ${message}`));
    this.name = 'ScenarioError';
    this.place = place;
  }
}

export function placeText({ file, line, col }: Place): string {
  return line === undefined ? file : `${file}:${line}:${col}`;
}

const lineMax = 2000;
const wordMax = 200;

/**
 * Text fit for one line of a terminal: control characters escaped, what nobody reads to its end cut.
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
