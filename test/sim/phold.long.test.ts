/** The benchmark's model, a million events, in threads. */

import { afterAll, expect, test } from 'vitest';
import { ShardPool } from '#cmasim/run/shards.js';
import { cells, checksum, phold } from '../bench/phold.mjs';

const pool = new ShardPool();
afterAll(() => pool.close());

test('PHOLD arrives at its check value on 1 and 2 shards and with auto', async () => {
  const { plan, events, checksum: expected } = cells.C!;
  const prints = new Set<string>();
  for (const shards of [1, 2, 'auto'] as const) {
    const outcome = await pool.run({ ...phold(plan), shards });
    expect(outcome.events).toBe(events);
    expect(checksum(outcome.results)).toBe(expected);
    prints.add(outcome.fingerprint);
  }
  expect(prints.size).toBe(1);
});
