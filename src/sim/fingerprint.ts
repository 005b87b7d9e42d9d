/**
 * What a run did, in 64 bits: equal fingerprints mean that every actor saw the same events in the
 * same order.
 *
 * Each actor hashes its own events (two lanes of 32 bits: time, priority, source, type, payload).
 * The run's fingerprint is the sum of the mixed hashes, so it does not depend on who ran on which
 * shard. It tells runs apart; it is no cryptographic digest.
 */

export interface Fingerprint {
  readonly high: number;
  readonly low: number;
}

export const emptyFingerprint: Fingerprint = { high: 0, low: 0 };

/** Final mix of MurmurHash3: every bit of `z` moves every bit of the result. */
function mix32(z: number): number {
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}

/** One word into the first lane. */
export function firstLane(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return (h << 13) | (h >>> 19);
}

/**
 * One word into the second lane: another order of the same steps, so both rarely collide at once.
 */
export function secondLane(hash: number, word: number): number {
  return (Math.imul((hash << 7) | (hash >>> 25), 0x85ebca77) + word) | 0;
}

/** What one actor adds to the run's fingerprint. */
export function actorFingerprint(actor: number, first: number, second: number): Fingerprint {
  const salt = Math.imul(actor + 1, 0x9e3779b9);
  return { high: mix32(first ^ salt) >>> 0, low: mix32((second + salt) ^ (first >>> 16)) >>> 0 };
}

export function addFingerprints(a: Fingerprint, b: Fingerprint): Fingerprint {
  return { high: (a.high + b.high) >>> 0, low: (a.low + b.low) >>> 0 };
}

/** Sixteen hex digits. */
export function formatFingerprint({ high, low }: Fingerprint): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
