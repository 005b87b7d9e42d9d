/**
 * Counts of what was held against a recording: how much, how much of it is equal, and the first
 * thing that is not.
 */

import type { Paint } from '../text/table.js';

export interface Compared<Difference> {
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  /** Null: all of it is equal. */
  readonly first: Difference | null;
}

/** Adds up as values are held against a recording one by one. */
export class Comparing<Difference> implements Compared<Difference> {
  compared = 0;
  equal = 0;
  different = 0;
  first: Difference | null = null;

  /** One more; null: it is equal. */
  add(difference: Difference | null): void {
    this.compared++;
    if (difference === null) this.equal++;
    else this.different++;
    this.first ??= difference;
  }

  addAll(other: Compared<Difference>): void {
    this.compared += other.compared;
    this.equal += other.equal;
    this.different += other.different;
    this.first ??= other.first;
  }
}

/** A difference in three lines: where, what was recorded, what the model has. */
export function differenceText(
  where: string,
  { expected, actual }: { readonly expected: unknown; readonly actual: unknown },
  paint: Paint,
): string[] {
  return [
    paint.bad(where),
    `  kernel  ${JSON.stringify(expected)}`,
    `  model   ${JSON.stringify(actual)}`,
  ];
}

/** Whether two values, or lists of lists of them, are equal. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((value, i) => same(value, b[i]));
}
