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
    super(`${placeText(place)}: ${message}`);
    this.name = 'ScenarioError';
    this.place = place;
  }
}

export function placeText({ file, line, col }: Place): string {
  return line === undefined ? file : `${file}:${line}:${col}`;
}
