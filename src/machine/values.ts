/**
 * Values of keys: numbers, sizes, times and nodes, parsed once into base units; each says what it
 * expected when it is wrong.
 */

import { z } from 'zod';
import { Bytes, Nid, Ns, parseSize, parseTime, sizePattern, timePattern } from '../mm/units.js';

/** Name of a value that is wrong: text as it stands, everything else by what it is. */
export function found(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length > 0 ? 'a list' : 'an empty list';
  if (typeof value === 'object') return 'a mapping';
  return value === '' ? 'an empty text' : String(value);
}

/** The message of a wrong value, for zod. */
export function expected(what: string) {
  return { error: (issue: { input?: unknown }) => `${found(issue.input)}, expected ${what}` };
}

/** Text of any kind. */
export const textValue = z.string(expected('text'));

export const flagValue = z.boolean(expected('true or false'));

/** A whole number; `what` says which. */
export function wholeNumber(what: string, least = 0, most = Number.MAX_SAFE_INTEGER) {
  return z.int(expected(what)).min(least, expected(what)).max(most, expected(what));
}

export function oneWord<const T extends readonly [string, ...string[]]>(...words: T) {
  const [last, ...others] = words.toReversed();
  return z.enum(words, expected(`${others.toReversed().join(', ')} or ${last}`));
}

export const nodeValue = wholeNumber('a node id').transform(Nid);
/** As a numa_node attribute has it: -1 for none. */
export const nodeOrNone = wholeNumber('a node id or -1', -1).transform(Nid);

const aTime = expected('a time such as 240ns, 10us, 3ms');

/** A time in whole ns; 0 needs no unit. */
export const timeValue = z
  .union([z.string().regex(timePattern, aTime), z.literal(0)], aTime)
  .transform((value) => (value === 0 ? 0 : (parseTime(value) ?? Number.NaN)))
  .refine(Number.isSafeInteger, 'too long for a time, expected at most 104 days')
  .transform(Ns);

/** A size in bytes of at least `least`; text is read as the kernel reads it. */
export function sizeValue(least: number, examples: string) {
  const aSize = expected(`a size such as ${examples}`);
  return z
    .union([z.string().regex(sizePattern, aSize), z.int().min(least, aSize)], aSize)
    .transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? Number.NaN)))
    .refine(Number.isSafeInteger, 'too large for a size, expected at most 8191T')
    .refine((bytes) => bytes >= least, `too small for a size, expected at least ${least}`)
    .transform(Bytes);
}

/** A size in a scenario. */
export const anySize = sizeValue(0, '64K, 16M, 1G');

/** A key that may be left out, and what it then is: its help says so, the JSON Schema does not. */
export function unlessGiven<T extends z.ZodType>(value: T, fallback: z.output<T>) {
  return value.optional().transform((given): z.output<T> => given ?? fallback);
}
