/**
 * Errors that are the user's: what a device module of the user's own does wrong, in any thread.
 *
 * An error loses its class on the way out of a thread, so it travels as the words of one.
 */

import { fileURLToPath } from 'node:url';
import { DeviceError, EndlessError, LoweringError } from '../devices/chart/loweringError.js';
import { type Place, UserError } from '../text/userError.js';

/** What a thread answers in the place of a result. */
export interface ShardMistake {
  readonly mistake: string;
}

/** The error as the user's mistake if one of these modules was at work, else as it is. */
export function mistakeIn(modules: readonly string[], error: unknown): unknown {
  const [device, cause] =
    error instanceof DeviceError ? [`device ${error.device}: `, error.cause] : ['', error];
  const { message = String(cause), stack = '' } = Object(cause) as Partial<Error>;
  if (cause instanceof LoweringError || cause instanceof EndlessError) {
    return new UserError(null, device + message);
  }
  const frames = modules.map((url) => framesIn(stack, url)).find((all) => all.length > 0);
  if (frames === undefined) return error;
  // Without a device no action was at work, and a function's name says nothing.
  const action = device === '' ? '' : frames[frames.length - 1].name;
  return new UserError(frames[0].place, `${device}${action}${message.split('\n')[0]}`);
}

/** A call of a module's function: where it stands, and the function's name as a message has it. */
interface Frame {
  readonly place: Place;
  readonly name: string;
}

/** A module's functions in a stack, the innermost first: the last is the action or guard. */
function framesIn(stack: string, url: string): Frame[] {
  const file = fileURLToPath(url);
  return stack.split('\n').flatMap((line) => {
    if (!line.includes(`${url}:`) && !line.includes(`${file}:`)) return [];
    const [, row, col] = /:(\d+):(\d+)\)?$/.exec(line) ?? [];
    if (col === undefined) return [];
    const [, name] = /^ *at (?:\w+\.)?(\w+) (?:\[as .*\] )?\(/.exec(line) ?? [];
    const place = { file, line: Number(row), col: Number(col) };
    return { place, name: name === undefined ? '' : `${name}: ` };
  });
}

export function isMistake(answer: unknown): answer is ShardMistake {
  return typeof answer === 'object' && answer !== null && 'mistake' in answer;
}
