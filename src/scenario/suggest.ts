/**
 * "did you mean": the known word nearest to one that is not known.
 */

/** `, did you mean X?`, or the list of what is known if nothing is near. */
export function didYouMean(found: string, known: readonly string[]): string {
  const near = nearest(found, known);
  if (near !== undefined) return `did you mean ${near}?`;
  return `expected ${known.length === 1 ? '' : 'one of '}${known.join(', ')}`;
}

/** The known word within a third of its length in edits, or undefined. */
export function nearest(found: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const edits = distance(found.toLowerCase(), word.toLowerCase());
    if (edits < least && edits <= Math.max(1, Math.floor(word.length / 3))) {
      best = word;
      least = edits;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions, and swaps of neighbours that turn a into b. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, rows[i - 2][j - 2] + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
