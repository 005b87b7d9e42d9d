/**
 * Keys of a device kind: each has a default, so that a device with no keys is a device as its
 * driver makes it.
 */
import { z } from 'zod';
import { expected, flagValue, sizeValue, timeValue, wholeNumber } from '../../machine/values.js';
import { Bytes, Ns } from '../../mm/units.js';

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number, fallback: number) {
  return wholeNumber(`a number from ${least} to ${most}`, least, most).default(fallback);
}

/** Whole ns: `240ns`, `10us`, or 0. */
export function time(fallback: number) {
  return timeValue.default(Ns(fallback));
}

/** Times in order; none unless given. */
export function times() {
  return z.array(timeValue, expected('a list of times')).default([]);
}

/** Bytes: `2K`, `4096`. */
export function bytes(fallback: number) {
  return sizeValue(1, '2K, 4096').default(Bytes(fallback));
}

export function flag(fallback: boolean) {
  return flagValue.default(fallback);
}

export function oneOf<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
) {
  // The cast: zod narrows the default to one member, and `fallback` is any of them.
  return z.enum(values, expected(values.join(' or '))).default(fallback as never);
}
