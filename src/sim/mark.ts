/**
 * Marks of odd lines: what is rarely needed names itself, and one small test proves that it is
 * reached. Nobody listens unless a test does; a mark then costs one comparison.
 */
export const marks: { reached: Set<string> | null } = { reached: null };

export function mark(line: string): void {
  if (marks.reached !== null) marks.reached.add(line);
}
