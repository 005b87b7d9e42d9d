import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { formatFingerprint } from '#cmasim/sim/fingerprint.js';
import { Loop } from '#cmasim/sim/loop.js';
import type { ShardModel } from '#cmasim/sim/model.js';
import { cases } from '../cases.js';
import build, { lookaheadOf } from './walkers.mjs';

const everything = { index: 0, count: 1, owns: () => true };

interface Seen {
  actor: number;
  type: number;
  now: number;
  payload: number[];
}

/** A loop over `actors` actors of one group each that notes what it hands out. */
function noting(actors: number, options: object, act: (loop: Loop, seen: Seen) => void) {
  const seen: Seen[] = [];
  const loop = new Loop({
    actors,
    groupOf: Array.from({ length: actors }, (_, actor) => actor),
    behaviourOf: new Uint8Array(actors),
    behaviours: [
      {
        receive(l, type, m, at) {
          const event = { actor: l.actor, type, now: l.now, payload: [...m.subarray(at, at + 8)] };
          seen.push(event);
          act(l, event);
        },
      },
    ],
    ...options,
  });
  loop.actor = 0;
  return { loop, seen };
}

function idle(): void {}

test('events come by time, then priority, then source, then the order of posting', () => {
  const { loop, seen } = noting(3, {}, idle);
  loop.actor = 2;
  loop.post(0, 10, 1);
  loop.actor = 1;
  loop.post(0, 10, 2);
  loop.post(0, 10, 3);
  loop.post(0, 10, 4, -1);
  loop.post(0, 10, 5, 1);
  loop.post(0, 9, 6);
  loop.run();
  expect(seen.map((event) => event.type)).toEqual([6, 4, 2, 3, 1, 5]);
});

test('an event without delay is handled in this instant, in its place among what is pending', () => {
  const { loop, seen } = noting(3, {}, (l, { type }) => {
    if (type === 1) l.post(1, 0, 9);
  });
  loop.actor = 2;
  loop.post(0, 5, 1);
  loop.post(0, 5, 2);
  loop.run();
  expect(seen.map(({ type, now }) => [type, now])).toEqual([
    [1, 5],
    [9, 5],
    [2, 5],
  ]);
});

test('a payload arrives as it was written, and the next event does not see it', () => {
  const { loop, seen } = noting(1, {}, idle);
  const out = loop.post(0, 1, 1);
  loop.out[out + 3] = 2.5;
  loop.out[out + 7] = Number.NaN;
  loop.post(0, 2, 2);
  loop.run();
  expect(seen[0].payload).toEqual([0, 0, 0, 2.5, 0, 0, 0, Number.NaN]);
  expect(seen[1].payload).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});

test('payloads survive while the pool grows under them', () => {
  const { loop, seen } = noting(1, {}, (l, { type, payload }) => {
    if (type !== 0) return;
    for (let i = 0; i < 500; i++) l.out[l.post(0, 1 + (i % 7), 1)] = i + payload[0];
  });
  loop.out[loop.post(0, 1, 0)] = 1_000;
  loop.run();
  const sum = seen.slice(1).reduce((total, event) => total + event.payload[0], 0);
  expect(sum).toBe(500 * 1_000 + (499 * 500) / 2);
});

test('events at or after the end are not handled, and stay for later', () => {
  const { loop, seen } = noting(1, { until: 10 }, idle);
  loop.post(0, 9, 1);
  loop.post(0, 10, 2);
  expect(loop.run()).toBe(1);
  expect(seen.map((event) => event.type)).toEqual([1]);
  expect(loop.next()).toBe(10);
});

test('stop() lets the run go on for the horizon and no further', () => {
  const { loop, seen } = noting(1, { horizon: 5 }, (l, { type }) => {
    if (type === 3) l.stop();
  });
  for (let i = 1; i <= 20; i++) loop.post(0, i, i);
  loop.run();
  expect(seen.at(-1)!.type).toBe(7);
});

test('a budget ends a run early; the next one goes on from there', () => {
  const { loop, seen } = noting(1, {}, idle);
  for (let i = 1; i <= 20; i++) loop.post(0, i >> 2, i);
  expect(loop.run(Number.POSITIVE_INFINITY, 7)).toBe(7);
  expect(loop.run(4)).toBe(8);
  expect(loop.run()).toBe(5);
  expect(seen.map((event) => event.type)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

test('a message between groups that is faster than the lookahead is refused, on one shard too', () => {
  const { loop } = noting(2, { lookahead: 50 }, idle);
  expect(() => loop.post(1, 49, 3)).toThrow(
    'actor 0 at 0 ns posts type 3 to 1 after 49 ns: expected at least 50 ns between groups',
  );
  loop.post(0, 49, 3);
  loop.post(1, 50, 3);
});

test('what cannot be posted is refused by name', () => {
  const { loop } = noting(2, {}, idle);
  expect(() => loop.post(2, 0, 0)).toThrow('expected an actor from 0 to 1');
  expect(() => loop.post(-1, 0, 0)).toThrow('expected an actor from 0 to 1');
  expect(() => loop.post(0, 0, 256)).toThrow('expected a type from 0 to 255');
  expect(() => loop.post(0, 0, 0, 128)).toThrow('expected -128 to 127');
  expect(() => loop.post(0, -1, 0)).toThrow('expected a delay from 0 on');
  expect(() => loop.post(0, 0.5, 0)).toThrow('expected a whole number');
});

test('actors that run in circles are named, with the time', () => {
  const circle = { receive: (l: Loop) => void l.post(1, 0, 0) };
  const loop = new Loop({ actors: 2, groupOf: [0, 0], behaviourOf: [0, 0], behaviours: [circle] });
  loop.actor = 0;
  loop.post(1, 17, 0);
  expect(() => loop.run()).toThrow(
    'actor 1 at 17 ns: more than 1000000 events without time moving on',
  );
});

/** A loop over the model of walkers.mjs, and the model's own state. */
function walkersLoop(seed: number, started: boolean) {
  const plan = { groupOf: [0, 0, 1, 1, 1, 2, 3, 3], seed, tokens: 5, lookahead: 13 };
  const model = build(plan, everything) as ShardModel;
  const loop = new Loop({ ...model, lookahead: 13, horizon: 39, until: 3_000 });
  if (started) loop.start(model);
  return { loop, model, lookahead: lookaheadOf(plan) };
}

test('restore(save(x)) goes on like x, through msgpackr and at any event', () => {
  const packr = new Packr({ moreTypes: true, structuredClone: true });
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(400), (seed, events) => {
      const straight = walkersLoop(seed, true);
      straight.loop.run(Number.POSITIVE_INFINITY, events);
      const { loop, model } = walkersLoop(seed, false);
      const state = packr.unpack(packr.pack(straight.loop.save()));
      loop.restore(state);
      expect(loop.save()).toEqual(state);
      // The behaviours' own state is the model's to keep; here it is shared.
      Object.assign(model.behaviours[0], straight.model.behaviours[0]);
      loop.run();
      const restored = formatFingerprint(loop.fingerprint());
      const again = walkersLoop(seed, true);
      again.loop.run();
      expect(restored).toBe(formatFingerprint(again.loop.fingerprint()));
      expect(loop.events).toBe(again.loop.events);
    }),
    cases(40),
  );
});

test('the fingerprint tells apart runs that differ in one time, type, source, priority or payload', () => {
  const run = (change: string): string => {
    const { loop } = noting(3, {}, idle);
    loop.actor = change === 'source' ? 2 : 1;
    const type = change === 'type' ? 2 : 1;
    loop.post(0, change === 'time' ? 8 : 7, type, change === 'priority' ? 1 : 0);
    if (change === 'payload') loop.out[5] = 1;
    if (change === 'high word') loop.post(0, 2 ** 32 + 7, 1);
    if (change === 'low word') loop.post(0, 7, 1);
    loop.run();
    return formatFingerprint(loop.fingerprint());
  };
  const changes = ['', 'source', 'type', 'time', 'priority', 'payload', 'high word', 'low word'];
  const prints = changes.map(run);
  expect(new Set(prints).size).toBe(changes.length);
  expect(prints[0]).toMatch(/^[0-9a-f]{16}$/);
});
