/**
 * Units: a type for each, so that no two are mixed; sizes and times as a scenario writes them.
 *
 * Sizes read as memparse() of lib/cmdline.c reads them (powers of 1024, 0x allowed), except that
 * nothing may be left over: the kernel stops at the first odd character, a scenario names the
 * mistake.
 */

import { memparse } from './memparse.js';

declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]: Name };

/** Bytes. */
export type Bytes = Unit<'Bytes'>;
/** A number of pages. */
export type Pages = Unit<'Pages'>;
/** A page frame number. */
export type Pfn = Unit<'Pfn'>;
/** Whole nanoseconds; exact for 104 days. */
export type Ns = Unit<'Ns'>;
/** A NUMA node's number, or NUMA_NO_NODE. */
export type Nid = Unit<'Nid'>;

/**
 * A number in one unit: `In<Bytes>` takes bytes and what has no unit yet, and no pages. Functions
 * that take two numbers of different units say so by it; a mixed call does not compile.
 */
export type In<Named extends Unit<string>> =
  Named extends Unit<infer Name> ? number & { readonly [unit]?: Name } : never;

/** Numbers get their unit where they enter: `Bytes(4096)`. What is computed is given one anew. */
export const Bytes = (count: number): Bytes => count as Bytes;
export const Pages = (count: number): Pages => count as Pages;
export const Pfn = (number: number): Pfn => number as Pfn;
export const Ns = (time: number): Ns => time as Ns;
export const Nid = (node: number): Nid => node as Nid;

export const NUMA_NO_NODE = Nid(-1);

export const sizeUnits: Readonly<Record<string, number>> = {
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  P: 2 ** 50,
};
/** In ns. */
export const timeUnits: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

export const sizePattern = /^(?:0[xX][0-9a-fA-F]+|[0-9]+)[KMGTPkmgtp]?$/;
export const timePattern = /^([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s)$/;

/** Bytes, or undefined if the text is no size; `0x` and octal as the kernel takes them. */
export function parseSize(text: string): number | undefined {
  if (!sizePattern.test(text)) return undefined;
  const { value, rest, wrapped } = memparse(text);
  return rest === '' && !wrapped && Number.isSafeInteger(value) ? value : undefined;
}

/** Whole ns, or undefined if the text is no time. */
export function parseTime(text: string): number | undefined {
  const found = timePattern.exec(text);
  if (!found) return undefined;
  const ns = Math.round(Number(found[1]) * timeUnits[found[2]]);
  return Number.isSafeInteger(ns) ? ns : undefined;
}

/** In the largest unit that leaves a whole number, as parseSize() and the kernel read it: `64M`. */
export const sizeWord = (bytes: number): string => word(bytes, sizeUnits);
/** Likewise, as parseTime() reads it: `3ms`. */
export const timeWord = (ns: number): string => word(ns, timeUnits);

function word(value: number, units: Readonly<Record<string, number>>): string {
  const whole = Object.entries(units).findLast(([, factor]) => value % factor === 0);
  return whole === undefined || value === 0 ? String(value) : `${value / whole[1]}${whole[0]}`;
}
