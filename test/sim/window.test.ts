import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { runAuto } from '#cmasim/run/auto.js';
import { cutFor, type ShardsOutcome } from '#cmasim/run/launch.js';
import { ShardPool } from '#cmasim/run/shards.js';
import { cells, phold } from '../bench/phold.mjs';
import { cases } from '../cases.js';
import { walkers } from './walkers.mjs';

const pool = new ShardPool();
afterAll(() => pool.close());

/** What a run computed, without how it was computed. */
function computed({ results, events, simulatedNs, fingerprint, interrupted }: ShardsOutcome) {
  const actors = (results as [number, number, number][][]).flat();
  return {
    actors: actors.sort((a, b) => a[0] - b[0]),
    events,
    simulatedNs,
    fingerprint,
    interrupted,
  };
}

const groupOf = Array.from({ length: 24 }, (_, actor) => actor % 8);

const model = fc
  .record({
    groupOf: fc.array(fc.nat(7), { minLength: 8, maxLength: 30 }).map((groups) => [...groups, 7]),
    seed: fc.nat(),
    tokens: fc.integer({ min: 1, max: 4 }),
    lookahead: fc.integer({ min: 1, max: 60 }),
    spread: fc.constantFrom(1, 50, 400),
    // From windows far inside a bucket of the queue to windows across many.
    scale: fc.constantFrom(1, 100, 10_000),
  })
  .map(({ scale, ...plan }) => ({
    ...plan,
    lookahead: plan.lookahead * scale,
    spread: plan.spread * scale,
    until: 2_000 * scale,
  }));

test('any partition of any model into 1, 2, 4 or 8 shards computes the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      model,
      fc.array(fc.nat(7), { minLength: 8, maxLength: 8 }),
      fc.integer({ min: 0, max: 30 }),
      async (plan, places, mailCapacity) => {
        const run = { ...walkers(plan, plan.until), inline: true };
        const one = await pool.run({ ...run, shards: 1 });
        for (const shards of [2, 4, 8]) {
          const shardOf = places.map((place) => place % shards);
          // A mailbox for a few letters: nearly every window spills.
          const options = { ...run, shards, shardOf, mailCapacity: mailCapacity + 1 };
          expect(computed(await pool.run(options))).toEqual(computed(one));
        }
      },
    ),
    cases(20),
  );
});

test.each([
  [2, 2],
  [4, 2],
  [8, 2],
])('%i shards on %i threads compute the same as one', async (shards, threads) => {
  for (const seed of [1, 2, 3]) {
    const plan = { groupOf, seed, tokens: 6, lookahead: 20 };
    const run = walkers(plan, 5_000);
    const one = await pool.run({ ...run, inline: true });
    const outcome = await pool.run({ ...run, shards, threads, mailCapacity: 1 + seed * 10 });
    expect(computed(outcome)).toEqual(computed(one));
    expect(outcome).toMatchObject({ shards, threads });
  }
});

test('stop() ends at the same event on any partition', async () => {
  await fc.assert(
    fc.asyncProperty(
      model,
      fc.nat(7),
      fc.integer({ min: 1, max: 20 }),
      async (plan, actor, after) => {
        const fault = { actor, after, what: 'stop' as const };
        const run = { ...walkers({ ...plan, fault }, plan.until), inline: true };
        const one = computed(await pool.run({ ...run, shards: 1 }));
        expect(computed(await pool.run({ ...run, shards: 3 }))).toEqual(one);
        expect(computed(await pool.run({ ...run, shards: 8 }))).toEqual(one);
      },
    ),
    cases(15),
  );
});

describe('auto', () => {
  const plan = { ...cells.C!.plan, t: 400 };
  const launch: ShardPool['launch'] = (...how) => pool.launch(...how);
  const rules = { remainingMs: 0, eventsPerWindow: 0, idle: -1, measureMs: 5 };

  test('computes the same whether it starts again on all cores or goes on', async () => {
    const one = await pool.run({ ...phold(plan), shards: 1 });
    for (const [least, shards] of [
      [0, 2],
      [Number.POSITIVE_INFINITY, 1],
    ] as const) {
      const outcome = await runAuto(phold(plan), launch, { ...rules, eventsPerWindow: least });
      expect(outcome.fingerprint).toBe(one.fingerprint);
      expect(outcome).toMatchObject({ shards, events: one.events, interrupted: false });
    }
  });

  test('counts on one shard the windows that two would have', async () => {
    const two = { ...phold({ ...plan, t: 40 }), shards: 2 };
    const windowNs = cutFor(two, 2).lookahead;
    const narrow = await pool.launch(two, 1, { windowNs });
    expect((await narrow.outcome).windows).toBe((await pool.run(two)).windows);
    expect(narrow.control.progress().windows).toBe((await narrow.outcome).windows);
  });

  test('starts again without progress going back', async () => {
    const seen: number[] = [];
    const onProgress = ({ simulatedNs }: { simulatedNs: number }) => seen.push(simulatedNs);
    const outcome = await runAuto({ ...phold(plan), onProgress }, launch, rules);
    expect(outcome.shards).toBe(2);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe('what goes wrong in a shard', () => {
  const run = (what: 'throw' | 'circle' | 'die', shards: number) =>
    pool.run({
      ...walkers(
        { groupOf, seed: 1, tokens: 6, lookahead: 20, fault: { actor: 3, after: 9, what } },
        1e9,
      ),
      shards,
    });

  test.each([1, 2, 4])(
    'an exception reaches the caller with its stack: %i shards',
    async (shards) => {
      const error = await run('throw', shards).catch((e: unknown) => e);
      expect(error).toMatchObject({ message: 'actor 3 gave up' });
      expect((error as Error).stack).toContain('walkers.mjs');
    },
  );

  test('actors that run in circles are named', async () => {
    await expect(run('circle', 2)).rejects.toThrow('actor 3 at');
  });

  test('a thread that dies ends the run', async () => {
    await expect(run('die', 2)).rejects.toThrow();
  });

  test('a module that is not there is an error, not a wait', async () => {
    const plan = { groupOf, seed: 1, tokens: 1, lookahead: 20 };
    const module = new URL('nowhere.mjs', import.meta.url);
    await expect(pool.run({ ...walkers(plan, 100), module, shards: 2 })).rejects.toThrow(
      'nowhere.mjs',
    );
  });
});

test('an abort ends a run that has no end, with what had happened and progress on the way', async () => {
  for (const shards of [1, 2, 'auto'] as const) {
    const abort = new AbortController();
    const seen: number[] = [];
    const plan = { groupOf, seed: 5, tokens: 400, lookahead: 5_000 };
    const outcome = await pool.run({
      ...walkers(plan, Number.MAX_SAFE_INTEGER),
      shards,
      signal: abort.signal,
      onProgress: ({ simulatedNs, events, progress }) => {
        seen.push(simulatedNs);
        if (events > 20_000 && progress > 0) abort.abort();
      },
    });
    expect(outcome.interrupted).toBe(true);
    expect(outcome.events).toBeGreaterThan(20_000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const handled = computed(outcome).actors.reduce((sum, [, , n]) => sum + n, 0);
    expect(handled).toBe(outcome.events);
  }
});

test('an abort before the start yields an empty, marked result', async () => {
  const plan = { groupOf, seed: 5, tokens: 1, lookahead: 50 };
  const outcome = await pool.run({ ...walkers(plan, 1e6), signal: AbortSignal.abort(), shards: 2 });
  expect(outcome).toMatchObject({ interrupted: true, events: 0 });
});
