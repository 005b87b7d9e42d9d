import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lines } from '#cmasim/nodes/cacheLines.js';
import type { Wiring } from '#cmasim/nodes/wiring.js';
import { Loop } from '#cmasim/sim/loop.js';
import type { Behaviour } from '#cmasim/sim/model.js';
import { Streams } from '#cmasim/sim/random.js';
import { LINE_ACQUIRE, LINE_GRANTED, LINE_RECALL, LINE_YIELD } from '#cmasim/wire/messages.js';
import {
  CMDQ_LOCK,
  LineAcquire,
  LineCaches,
  LineMessage,
  LineWords,
  LLQ,
  llq,
  op,
  WORDS,
} from '#cmasim/wire/sharedLine.js';
import { marked } from '../harness.js';

const WAY = 70;
const HALF_DIE = 30;
const LINE_TIME = 20;

/** Accesses of one CPU, one after another, `gap` ns apart. */
interface Program {
  readonly node: number;
  readonly gap: number;
  readonly accesses: readonly { line: number; op: number; a: number; b: number }[];
}
interface Done {
  readonly cpu: number;
  readonly access: number;
  readonly time: number;
  readonly words: readonly number[];
}

/** CPUs that do nothing but access lines of node 0, with the caches that hosts give them. */
class Cpus implements Behaviour {
  readonly done: Done[] = [];
  readonly #programs: readonly Program[];
  readonly #caches = new LineCaches();
  readonly #next: number[];

  constructor(programs: readonly Program[]) {
    this.#programs = programs;
    this.#next = programs.map(() => 0);
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const cpu = loop.actor - NODES;
    const { line } = new LineMessage().on(m, at);
    if (type === LINE_GRANTED) {
      const granted = new LineWords().on(m, at);
      if (granted.keep === 1) this.#caches.keep(cpu, line, granted);
      this.#note(loop, cpu, granted);
    } else if (type === LINE_RECALL) {
      const out = new LineWords().post(loop, 0, this.#half(cpu), LINE_YIELD);
      out.line = line;
      this.#caches.yield(cpu, line, out);
    } else if (type === GO) this.go(loop, cpu);
  }

  go(loop: Loop, cpu: number): void {
    const access = this.#programs[cpu].accesses[this.#next[cpu]];
    if (!access) return;
    const { line } = access;
    if (this.#caches.holds(cpu, line)) {
      const words = new LineWords();
      this.#caches.hit(cpu, line, access, words);
      this.#note(loop, cpu, words);
      return;
    }
    this.#caches.ask(cpu, line, access);
    const acquire = new LineAcquire().post(loop, 0, this.#half(cpu), LINE_ACQUIRE);
    Object.assign(acquire, access, { from: cpu + NODES });
  }

  #half(cpu: number): number {
    return this.#programs[cpu].node === 0 ? HALF_DIE : WAY;
  }

  #note(loop: Loop, cpu: number, { m, words: from }: LineWords): void {
    const words = [...m.slice(from, from + WORDS)];
    this.done.push({ cpu, access: this.#next[cpu]++, time: loop.now, words });
    loop.post(cpu + NODES, this.#programs[cpu].gap, GO);
  }
}

const NODES = 2;
const GO = 99;

function play(programs: readonly Program[]): Done[] {
  const place = [0, 1, ...programs.map(({ node }) => node)];
  const wiring = {
    place: Int32Array.from(place),
    latency: { oneWay: (a: number, b: number) => (a === b ? 0 : WAY) },
    costs: { cacheLine: LINE_TIME },
  } as unknown as Wiring;
  const streams = new Streams(7);
  const lines = new Lines(wiring, 2 * HALF_DIE, (name) => streams.stream(name));
  const cpus = new Cpus(programs);
  const home: Behaviour = { receive: (l, type, m, at) => lines.receive(l, type, m, at) };
  const behaviourOf = place.map((_, actor) => (actor < NODES ? 0 : 1));
  const loop = new Loop({
    actors: place.length,
    groupOf: place,
    behaviourOf,
    behaviours: [home, cpus],
  });
  loop.start({
    start: () => {
      for (let cpu = 0; cpu < programs.length; cpu++) {
        loop.actor = cpu + NODES;
        cpus.go(loop, cpu);
      }
    },
  });
  loop.run();
  return cpus.done;
}

const add = { line: CMDQ_LOCK, op: op.add, a: 1, b: 1 };
const adds = (count: number) => Array.from({ length: count }, () => add);

test('atomics on one line happen one after another: every sum is seen once', () => {
  const program = fc.record({
    node: fc.nat(1),
    gap: fc.integer({ min: 1, max: 400 }),
    accesses: fc.integer({ min: 0, max: 9 }).map(adds),
  });
  fc.assert(
    fc.property(fc.array(program, { minLength: 1, maxLength: 9 }), (programs) => {
      const seen = play(programs).map(({ words }) => words[1]);
      const total = programs.reduce((sum, { accesses }) => sum + accesses.length, 0);
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
    }),
  );
});

test('of claims with one version exactly one succeeds', () => {
  const claim = [{ line: LLQ, op: op.claim, a: 0, b: 3 }];
  const done = play(
    Array.from({ length: 6 }, (_, i) => ({ node: i % 2, gap: 1, accesses: claim })),
  );
  expect(done.filter(({ words }) => words[llq.version] === 0)).toHaveLength(1);
  expect(done.filter(({ words }) => words[llq.prod] === 3)).toHaveLength(5);
});

test('a line that one CPU alone writes costs its way once, and nothing afterwards', () => {
  const times = play([{ node: 0, gap: 5, accesses: adds(4) }]).map(({ time }) => time);
  const first = HALF_DIE + HALF_DIE + LINE_TIME;
  expect(times).toEqual([first, first + 5, first + 10, first + 15]);
});

test('a line that rests in a cache is fetched through its home', () => {
  const done = play([
    { node: 0, gap: 10_000, accesses: adds(1) },
    { node: 1, gap: 1, accesses: [{ ...add, b: 0 }, ...adds(1)] },
  ]);
  const [first, second] = [done[0], done[1]];
  // The second asks while the line is on its way to the first: it is woken when that has it.
  const served = Math.max(HALF_DIE + HALF_DIE + LINE_TIME, WAY);
  expect(first.time).toBe(HALF_DIE + HALF_DIE + LINE_TIME);
  expect(second.time).toBe(served + 2 * HALF_DIE + WAY + LINE_TIME);
});

test('a home nobody waited at is woken for who asks while the line is on its way', async () => {
  const two = [0, 1].map((gap) => ({ node: 0, gap, accesses: adds(1) }));
  const woken = 'who asks for a line on its way has the home woken at its arrival';
  expect(await marked(() => play(two.slice(1)))).not.toContain(woken);
  expect(await marked(() => play(two))).toContain(woken);
});

test('under contention a hand-over takes the way to the holder, the way on, and its access', () => {
  const crowd = Array.from({ length: 9 }, () => ({ node: 0, gap: 1, accesses: adds(1) }));
  const times = play(crowd).map(({ time }) => time);
  // The first one to ask finds nobody waiting: its cache keeps the line until it is recalled.
  const gaps = times.slice(2).map((time, i) => time - times[i + 1]);
  expect(new Set(gaps)).toEqual(new Set([2 * HALF_DIE + LINE_TIME]));
});
