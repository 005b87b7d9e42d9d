/**
 * Errors that are the user's: what a device module of the user's own does wrong, in any thread.
 *
 * An error loses its class on the way out of a thread, so it travels as the words of one.
 */

import { fileURLToPath } from 'node:url';
import { LoweringError } from '../devices/chart/loweringError.js';
import { type Place, UserError } from '../text/userError.js';

/** What a thread answers in the place of a result. */
export interface ShardMistake {
  readonly mistake: string;
}

/** The error as the user's mistake if one of these modules was at work, else as it is. */
export function mistakeIn(modules: readonly string[], error: unknown): unknown {
  const { message = String(error), stack = '' } = Object(error) as Partial<Error>;
  if (error instanceof LoweringError) return new UserError(null, message);
  const place = modules.map((url) => placeIn(stack, url)).find((found) => found !== null);
  return place ? new UserError(place, message.split('\n')[0]) : error;
}

/** Where in a module the innermost of its functions stands in a stack. */
function placeIn(stack: string, url: string): Place | null {
  const file = fileURLToPath(url);
  for (const line of stack.split('\n')) {
    const at = [url, file].map((name) => line.lastIndexOf(`${name}:`)).find((i) => i >= 0);
    const [, row, col] = /:(\d+):(\d+)\)?$/.exec(at === undefined ? '' : line) ?? [];
    if (col !== undefined) return { file, line: Number(row), col: Number(col) };
  }
  return null;
}

export function isMistake(answer: unknown): answer is ShardMistake {
  return typeof answer === 'object' && answer !== null && 'mistake' in answer;
}
