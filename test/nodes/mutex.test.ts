import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocMutex, type MutexKind } from '#cmasim/nodes/mutex.js';
import type { Wiring } from '#cmasim/nodes/wiring.js';
import { Loop } from '#cmasim/sim/loop.js';
import type { Behaviour } from '#cmasim/sim/model.js';

const WANT = 100;
const DONE = 101;
const WAY = 50;

interface Hold {
  readonly actor: number;
  readonly area: number;
  readonly from: number;
  to: number;
}

interface Want {
  readonly actor: number;
  readonly at: number;
  readonly area: number;
  readonly hold: number;
}

/** Actors 0..n-1 and the coordinator n, all `WAY` ns apart, take the mutex as `wants` says. */
function holds(kind: MutexKind, actors: number, wants: readonly Want[]): Hold[] {
  const all: Hold[] = [];
  const place = Int32Array.from({ length: actors + 1 }, (_, i) => i);
  const oneWay = (a: number, b: number): number => (a === b ? 0 : WAY);
  const wiring = { coordinator: actors, place, latency: { oneWay } } as unknown as Wiring;
  const running = new Map<number, Hold>();
  const waiters = wants.map(({ actor, area }, ticket) => ({ area, place: actor, ticket }));
  const lock = allocMutex<(typeof waiters)[number]>(kind, wiring, (loop, { area, ticket }) => {
    const held = { actor: loop.actor, area, from: loop.now, to: Infinity };
    all.push(held);
    running.set(ticket, held);
    const at = loop.post(loop.actor, wants[ticket].hold, DONE);
    loop.out[at] = ticket;
  });
  const behaviour: Behaviour = {
    receive(loop, type, m, at) {
      const ticket = m[at];
      if (type === WANT) lock.acquire(loop, waiters[ticket]);
      else if (type === DONE) {
        running.get(ticket)!.to = loop.now;
        lock.release(loop, wants[ticket].area);
      } else lock.receive(loop, type, ticket);
    },
  };
  const loop = new Loop({
    actors: actors + 1,
    groupOf: place,
    behaviourOf: new Uint8Array(actors + 1),
    behaviours: [behaviour],
  });
  loop.start({
    start(first) {
      wants.forEach((want, ticket) => {
        first.actor = want.actor;
        const at = first.post(want.actor, want.at, WANT);
        first.out[at] = ticket;
      });
    },
  });
  loop.run();
  return all;
}

const overlaps = (a: Hold, b: Hold): boolean => a.from < b.to && b.from < a.to;

const anyWants = fc.array(
  fc.record({
    actor: fc.nat(4),
    at: fc.nat(2000),
    area: fc.nat(2),
    hold: fc.nat(300),
  }),
  { maxLength: 40 },
);

test('global: every request gets the mutex once, and no two hold it at a time', () => {
  fc.assert(
    fc.property(anyWants, (wants) => {
      const all = holds('global', 5, wants);
      expect(all).toHaveLength(wants.length);
      all.forEach((a, i) => {
        expect(a.to).toBeLessThan(Infinity);
        for (const b of all.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
      });
    }),
  );
});

test('per area: requests for one area exclude each other, others do not wait', () => {
  fc.assert(
    fc.property(anyWants, (wants) => {
      // An area has one owner: requests for it come to that actor.
      const owned = wants.map((want) => ({ ...want, actor: want.area }));
      const all = holds('area', 5, owned);
      expect(all).toHaveLength(owned.length);
      all.forEach((a, i) => {
        for (const b of all.slice(i + 1)) {
          if (a.area === b.area) expect(overlaps(a, b)).toBe(false);
        }
      });
    }),
  );
});

test('none: every request holds at once', () => {
  fc.assert(
    fc.property(anyWants, (wants) => {
      const starts = holds('none', 5, wants).map((hold) => hold.from);
      const asked = wants.map((want) => want.at).sort((a, b) => a - b);
      expect(starts.sort((a, b) => a - b)).toEqual(asked);
    }),
  );
});

test('the token stays with its last holder: a second request on that node does not wait', () => {
  const wants = [
    { actor: 1, at: 0, area: 0, hold: 100 },
    { actor: 1, at: 5000, area: 0, hold: 100 },
  ];
  const [first, second] = holds('global', 3, wants);
  // Asker to coordinator, which holds it itself at the start, and back.
  expect(first.from).toBe(2 * WAY);
  expect(second.from).toBe(5000);
});

test('an uncontended hand-off is three hops: asker, coordinator, last holder, asker', () => {
  const wants = [
    { actor: 1, at: 0, area: 0, hold: 100 },
    { actor: 2, at: 5000, area: 0, hold: 100 },
  ];
  expect(holds('global', 3, wants)[1].from).toBe(5000 + 3 * WAY);
});
