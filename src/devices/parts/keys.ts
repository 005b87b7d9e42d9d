/**
 * The kinds of values a device's keys take in a scenario: each says what it expected when it is
 * wrong.
 *
 * Every schema has a default, so that a device with no keys is a device as its driver makes it.
 */
import { z } from 'zod';
import { parseSize, parseTime, sizePattern, timePattern } from '../../mm/units.js';

/** How a value that is wrong is named: text as it stands, everything else by what it is. */
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

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number, fallback: number) {
  const range = expected(`a number from ${least} to ${most}`);
  return z.int(range).min(least, range).max(most, range).default(fallback);
}

const aTime = expected('a time such as 240ns, 10us, 3ms');

/** A time in whole ns; 0 needs no unit. */
export const timeValue = z
  .union([z.string().regex(timePattern, aTime), z.literal(0)], aTime)
  .transform((value) => (value === 0 ? 0 : (parseTime(value) ?? Number.NaN)))
  .refine(Number.isSafeInteger, 'too long for a time, expected at most 104 days');

/** A size in bytes of at least `least`; text is read as the kernel reads it. */
export function sizeValue(least: number, examples: string) {
  const aSize = expected(`a size such as ${examples}`);
  return z
    .union([z.string().regex(sizePattern, aSize), z.int().min(least, aSize)], aSize)
    .transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? Number.NaN)))
    .refine(Number.isSafeInteger, 'too large for a size, expected at most 8191T')
    .refine((bytes) => bytes >= least, `too small for a size, expected at least ${least}`);
}

/** Whole ns: `240ns`, `10us`, or 0. */
export function time(fallback: number) {
  return timeValue.default(fallback);
}

/** Times in order; none unless given. */
export function times() {
  return z.array(timeValue, expected('a list of times')).default([]);
}

/** Bytes: `2K`, `4096`. */
export function size(fallback: number) {
  return sizeValue(1, '2K, 4096').default(fallback);
}

export function flag(fallback: boolean) {
  return z.boolean(expected('true or false')).default(fallback);
}

export function oneOf<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
) {
  // The cast: zod narrows the default to one member, and `fallback` is any of them.
  return z.enum(values, expected(values.join(' or '))).default(fallback as never);
}
