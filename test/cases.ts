/**
 * How many cases a property draws: what it asks for in `npm test`, fewer in `test:quick`, many more in
 * `test:long`; `CMASIM_CASES=100` is a hundred times as many.
 */
export function cases(numRuns = 100): { numRuns: number } {
  const factor = Number(process.env.CMASIM_CASES ?? 1);
  return { numRuns: Math.max(5, Math.round(numRuns * factor)) };
}
