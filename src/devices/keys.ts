/**
 * The kinds of values a device's keys take in a scenario: each says what it expected when it is
 * wrong.
 *
 * Every schema has a default, so that a device with no keys is a device as its driver makes it.
 */
import { z } from 'zod';

/** In ns. */
const timeUnits: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const timePattern = /^([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s)$/;
const sizePattern = /^([0-9]+)([KMG]?)$/;

function expected(what: string) {
  return {
    error: ({ input }: { input?: unknown }) =>
      `${typeof input === 'object' ? JSON.stringify(input) : String(input)}, expected ${what}`,
  };
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number, fallback: number) {
  const range = expected(`a number from ${least} to ${most}`);
  return z.int(range).min(least, range).max(most, range).default(fallback);
}

const aTime = expected('a time such as 240ns, 10us, 3ms');
const oneTime = z
  .union([z.string().regex(timePattern, aTime), z.literal(0)], aTime)
  .transform((value) => {
    const [, digits, unit] = timePattern.exec(String(value)) ?? ['', '0', 'ns'];
    return Math.round(Number(digits) * timeUnits[unit!]!);
  });

/** Whole ns: `240ns`, `10us`, or 0. */
export function time(fallback: number) {
  return oneTime.default(fallback);
}

/** Times in order; none unless given. */
export function times() {
  return z.array(oneTime, expected('a list of times')).default([]);
}

/** Bytes: `2K`, `4096`. */
export function size(fallback: number) {
  const what = expected('a size such as 2K, 4096');
  return z
    .union([z.string().regex(sizePattern, what), z.int(what).min(1, what)], what)
    .transform((value) => {
      const [, digits, unit] = sizePattern.exec(String(value)) ?? ['', '0', ''];
      return Number(digits) * sizeUnits[unit!]!;
    })
    .default(fallback);
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
