/**
 * How many cases a property draws: part of what it asks for in `npm test` and `test:quick`, many times that
 * in `test:long`; `CMASIM_CASES=100` is a hundred times as many.
 */
export function cases(numRuns = 100): { numRuns: number } {
  const factor = Number(process.env.CMASIM_CASES ?? 1);
  return { numRuns: Math.max(5, Math.round(numRuns * factor)) };
}
