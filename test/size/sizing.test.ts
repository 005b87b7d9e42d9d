/** Sizing: exact where the answer is known, covering the truth where it is random. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryOf } from '#cmasim/devices/memory.js';
import { deviceModel } from '#cmasim/devices/registry.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import { Streams } from '#cmasim/sim/random.js';
import {
  allowedFailures,
  findSizes,
  neededAtLeast,
  type Sizing,
  type SizingOptions,
  seedsFor,
  type Try,
} from '#cmasim/size/search.js';
import { type SizeAnswer, type SizeOptions, size } from '#cmasim/size/size.js';
import type { Engine } from '#cmasim/study/engine.js';
import runInline from '#cmasim/study/inline.js';
import { Maker } from '#cmasim/study/make.js';
import { cases } from '../cases.js';

/**
 * Pages an empty area needs at least for these requests, in order: first fit, each aligned to its
 * order.
 */
function pagesFor(requests: readonly number[], alignOrderMax: number): number {
  const taken: boolean[] = [];
  for (const pages of requests) {
    const align = 2 ** Math.min(alignOrderMax, Math.ceil(Math.log2(pages)));
    let start = 0;
    while (Array.from({ length: pages }, (_, i) => taken[start + i]).some(Boolean)) start += align;
    for (let i = 0; i < pages; i++) taken[start + i] = true;
  }
  return taken.length;
}

const seedsUpTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** A search over areas of which each seed needs what `needs` says. */
async function search(
  needs: (seed: number) => readonly number[],
  options: { most: readonly number[]; seeds: number; risk?: number },
): Promise<{ sizing: Sizing; low: readonly number[]; runs: number }> {
  const asked = new Set<string>();
  const attempt: Try = async (steps, seed) => {
    asked.add(`${steps} ${seed}`);
    const short = needs(seed).flatMap((need, i) => (steps[i] < need ? [i] : []));
    return { short, unreserved: [] };
  };
  const question: SizingOptions = {
    try: attempt,
    most: options.most,
    fallback: undefined,
    seeds: seedsUpTo(options.seeds),
    risk: options.risk ?? 0.01,
    ...{ confidence: 0.95, together: 16 },
  };
  const sizing = await findSizes(question);
  const runs = asked.size;
  const areas = options.most.map((_, area) => area);
  const low = sizing.found
    ? await Promise.all(areas.map((area) => neededAtLeast(question, sizing.steps, area)))
    : [];
  return { sizing, low, runs };
}

test('one area takes the runs of Clopper and Pearson, more areas more', () => {
  expect(seedsFor(1, 0.01, 0.95)).toBe(299);
  expect(seedsFor(1, 0.05, 0.95)).toBe(59);
  expect(seedsFor(4, 0.01, 0.95)).toBe(773);
  expect(allowedFailures(299, 0.01, 0.95)).toBe(0);
  expect(allowedFailures(1000, 0.01, 0.95)).toBe(4);
});

describe('fixed devices', () => {
  const device = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 12 });

  test('the answer is their footprints with the holes of alignment, for every area', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(device, { minLength: 1, maxLength: 4 }), async (areas) => {
        const pages = areas.map((requests) => pagesFor(requests, 5));
        const most = areas.map(() => 4096);
        const { sizing, low } = await search(() => pages, { most, seeds: 20 });
        expect(sizing).toMatchObject({ found: true, steps: pages, bad: 0 });
        expect(low).toEqual(pages);
      }),
      cases(50),
    );
  });

  test('it takes a fraction of the runs of a grid', async () => {
    const { runs } = await search(() => [300, 17], { most: [1024, 1024], seeds: 299 });
    expect(runs).toBeLessThan(299 + 60);
  });

  test('what no size can serve is said, with the area', async () => {
    const { sizing } = await search(() => [3, 9000], { most: [64, 64], seeds: 20 });
    expect(sizing).toMatchObject({ found: false, short: [1], seed: 1 });
  });

  test('the fallback grows only as far as it alone can help', async () => {
    // Area 1 is at its end with 8; what lacks then, the fallback makes up for.
    const attempt: Try = async ([fallback, own]) => {
      return { short: Math.min(own!, 8) + fallback! < 11 ? [1] : [], unreserved: [] };
    };
    const sizing = await findSizes({
      ...{ try: attempt, most: [64, 8], fallback: 0, seeds: seedsUpTo(20) },
      ...{ risk: 0.1, confidence: 0.95, together: 4 },
    });
    expect(sizing).toMatchObject({ found: true, steps: [3, 8] });
  });

  test('an area that the kernel cannot reserve as large is tried smaller', async () => {
    const attempt: Try = async ([own]) => {
      const isReserved = own! <= 20;
      return {
        short: isReserved && own! >= 18 ? [] : [0],
        unreserved: isReserved ? [] : [0],
      };
    };
    const sizing = await findSizes({
      ...{ try: attempt, most: [1000], fallback: undefined, seeds: seedsUpTo(20) },
      ...{ risk: 0.2, confidence: 0.95, together: 4 },
    });
    expect(sizing).toMatchObject({ found: true, steps: [18] });
  });
});

describe('random devices', () => {
  /** Of 200 studies: how often the interval held the truth, and the answer was large enough. */
  async function studies(
    areas: number,
    seeds: number,
    risk: number,
  ): Promise<{ held: number; enough: number }> {
    let held = 0;
    let enough = 0;
    const rounds = 200;
    for (let round = 0; round < rounds; round++) {
      const needs = (seed: number) => {
        const random = new Streams(round).stream(`needs of ${seed}`);
        return Array.from({ length: areas }, () => Math.ceil(random.exponential(20)));
      };
      const most = new Array<number>(areas).fill(10_000);
      const { sizing, low } = await search(needs, { most, seeds, risk });
      if (!sizing.found) throw new Error('10 000 steps are enough for anything');
      // P(need > x) = exp(-x / 20) for each area.
      const fine = sizing.steps.reduce((share, x) => share * (1 - Math.exp(-x / 20)), 1);
      if (1 - fine <= risk) enough++;
      const truth = Math.ceil(-20 * Math.log(risk));
      if (low[0] <= truth && truth <= sizing.steps[0]) held++;
    }
    return { held: held / rounds, enough: enough / rounds };
  }

  // Four standard errors of 200 studies at 95 %.
  const least = 0.95 - 4 * Math.sqrt((0.95 * 0.05) / 200);

  test('the interval of one area holds the size that is needed', async () => {
    const { held, enough } = await studies(1, 200, 0.05);
    expect(enough).toBeGreaterThan(least);
    // Either side may miss: 5 % above, 2.5 % below.
    expect(held).toBeGreaterThan(least - 0.025);
  });

  test('three areas together keep the promise', async () => {
    const { enough } = await studies(3, seedsFor(3, 0.05, 0.95), 0.05);
    expect(enough).toBeGreaterThan(least);
  });
});

test('the interval of a random scenario holds what brute force finds', async () => {
  const text = `
kernel: "5.7"
machine: { nodes: 1, memory: 4G, cpus: 2 }
devices: { a: { kind: smmuv3, node: 0 } }
stop: 1ms
`;
  const [scenario] = parseScenario(text, 'random.yaml');
  const need = (seed: number) => {
    return 2 ** 20 * 8 * new Streams(seed).stream('need').logNormal(10, 0.4);
  };
  // A run that is refused whatever it needs above what it boots with.
  const engine: Engine = {
    ...{ width: 16, state: { text: '', redone: 0 }, close: async () => {} },
    run: async ({ run, document, seed }) => {
      const megabytes = /cma=(\d+)M/.exec((JSON.parse(document) as { cmdline: string }).cmdline);
      const bytes = Number(megabytes?.[1] ?? 0) * 2 ** 20;
      const area = { role: 'default', nid: 0, count: bytes / 4096, pageSize: 4096 };
      const served = { nid: 0, local: 1, remote: 0, byDefault: 1, byBuddy: 0 };
      const record = {
        ...{ run, failed: null, stats: [], devices: [], checks: [], findings: 0 },
        ...{ areas: [area], nodes: [{ ...served, refused: need(seed) > bytes ? 1 : 0 }] },
      };
      return { record: JSON.stringify(record), wallMs: 0 };
    },
  };
  const answer = await size(scenario!, {
    ...{ engine, risk: 0.05, confidence: 0.95, curveRuns: 20, uniform: false },
    ...{ what: 'default', avoid: ['refused'], runs: 300 },
  });
  if (!answer.found) throw new Error('no size was found');
  const { step } = answer;
  const needs = Array.from({ length: 20_000 }, (_, i) => need(1_000_000 + i)).sort((a, b) => a - b);
  const truth = Math.ceil(needs[Math.ceil(0.95 * needs.length) - 1] / step) * step;
  const { size: high, low } = answer.areas[0];
  expect(low).toBeLessThanOrEqual(truth);
  expect(high).toBeGreaterThanOrEqual(truth);
  expect(answer.bad.high).toBeLessThanOrEqual(0.05);
  // A grid of the same sizes would have taken every seed at every size.
  expect(answer.made).toBeLessThan((300 * (high / step)) / 3);
});

describe('with the simulator', () => {
  const maker = new Maker(runInline);
  const engine: Engine = {
    width: 1,
    state: { text: '', redone: 0 },
    run: (job) => maker.make(job),
    close: async () => {},
  };
  const options: SizeOptions = {
    ...{ engine, risk: 0.2, confidence: 0.95, curveRuns: 3, uniform: false, what: 'all' },
    avoid: ['refused', 'remote', 'buddy'],
  };
  const sizeOf = (answer: SizeAnswer, key: string | number) => {
    if (!answer.found) throw new Error('no size was found');
    return answer.areas.find((area) => area.key === key)!.size;
  };

  test('fixed SMMUs need the sum of their footprints, holes and the rounding', async () => {
    const text = `
kernel: "6.12"
config: { DMA_NUMA_CMA: y }
machine: { nodes: 2, memory: 512M, cpus: 2 }
cmdline: quiet cma=8M@0-256M numa_cma=0:32M
devices:
  a: { kind: smmuv3, node: 1, count: 3, cmdqs: 12 }
  b: { kind: smmuv3, node: 1, count: 2, cmdqs: 15, eventqs: 13, start: 10ms }
  c: { kind: smmuv3, node: 0, count: 3, start: 20ms }
stop: 40ms
`;
    const [scenario] = parseScenario(text, 'fixed.yaml');
    const kernel = { pageSize: 4096, maxPageOrder: 10, cmaAlignment: 8, dmaCma: true };
    const environment = { ...kernel, cpus: 4 };
    const pages = (nid: number) => {
      const requests = scenario!.devices
        .filter((device) => device.nid === nid)
        .flatMap(({ kind, config }) => {
          return memoryOf(deviceModel(kind)!, config, environment).footprint(4096);
        })
        .filter(({ cma }) => cma)
        .flatMap(({ bytes, count }) => new Array<number>(count).fill(Math.ceil(bytes / 4096)));
      return pagesFor(requests, 8);
    };
    const answer = await size(scenario!, options);
    if (!answer.found) throw new Error('no size was found');
    const step = answer.step;
    const rounded = (nid: number) => Math.ceil((pages(nid) * 4096) / step) * step;
    expect(answer.areas.map(({ key, size }) => [key, size])).toEqual([
      ['default', 0],
      [0, rounded(0)],
      [1, rounded(1)],
    ]);
    const MiB = 2 ** 20;
    expect(answer.boot.parameters).toBe(
      `cma=0 numa_cma=0:${rounded(0) / MiB}M,1:${rounded(1) / MiB}M`,
    );
    expect(answer.boot.cmdline).toBe(`quiet ${answer.boot.parameters}`);
    for (const { size, low } of answer.areas) expect(low).toBe(size);
    // One step less is too little for every seed: nothing here is random.
    for (const { nextDown } of answer.areas) {
      if (nextDown) expect(nextDown.bad.hits).toBe(nextDown.bad.count);
    }
  });

  test('a kernel without sizes per node gets one for the default area', async () => {
    const text = `
kernel: "5.7"
machine: { nodes: 1, memory: 512M, cpus: 2 }
devices: { a: { kind: smmuv3, node: 0, count: 3 } }
stop: 20ms
`;
    const answer = await size(parseScenario(text, 'old.yaml')[0], options);
    expect(answer).toMatchObject({
      found: true,
      boot: { parameters: 'cma=12M', cmdline: 'cma=12M' },
    });
    expect(sizeOf(answer, 'default')).toBe(12 * 2 ** 20);
  });

  test('patch v2, which knows no parameter, gets a Kconfig symbol', async () => {
    const text = `
kernel: v2
machine: { nodes: 2, memory: 512M, cpus: 2 }
devices: { a: { kind: smmuv3, node: 1, count: 3 } }
stop: 20ms
`;
    const answer = await size(parseScenario(text, 'v2.yaml')[0], options);
    expect(answer).toMatchObject({
      found: true,
      boot: { parameters: 'cma=0', config: { CMA_PERNUMA_SIZE_MBYTES: 12 } },
    });
  });

  test('areas that find no slot are not promised', async () => {
    const text = `
kernel: "6.12"
config: { DMA_NUMA_CMA: y, CMA_AREAS: 1 }
machine: { nodes: 4, memory: 512M, cpus: 2 }
devices: { a: { kind: smmuv3, node: [0, 1, 2, 3] } }
stop: 20ms
`;
    const asked: SizeOptions = {
      ...options,
      what: 'nodes',
      avoid: ['refused', 'remote', 'default', 'buddy'],
    };
    const answer = await size(parseScenario(text, 'slots.yaml')[0], asked);
    // What the largest areas cannot avoid is forgiven: only the nodes with a slot get an area.
    if (!answer.found) throw new Error('no size was found');
    expect(answer.areas.filter(({ size }) => size > 0).length).toBeLessThan(4);
  });
});
