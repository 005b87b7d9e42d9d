/**
 * The promise of the engine: one scenario and seed, one result, on any number of shards and in either form of
 * the devices.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseScenario, type Scenario, simulate } from '#cmasim/index.js';
import type { RunResult } from '#cmasim/run/result.js';

const kernels = ['pre', 'v1', 'v2', '5.10', '6.6', '6.12', '6.15', '7.2'];

/** A random machine of up to six nodes, with devices that come, work, are disturbed, and go. */
const scenarios = fc
  .record({
    kernel: fc.constantFrom(...kernels),
    seed: fc.nat(1000),
    nodes: fc.integer({ min: 1, max: 6 }),
    ways: fc.array(fc.integer({ min: 101, max: 900 }), { minLength: 36, maxLength: 36 }),
    areas: fc.constantFrom('', 'cma=16M', 'cma=8M cma_pernuma=4M', 'cma=0 numa_cma=0:4M,1:8M'),
    nics: fc.array(
      fc.record({
        node: fc.nat(5),
        queues: fc.integer({ min: 1, max: 3 }),
        traffic: fc.constantFrom('none', 'steady', 'poisson', 'burst'),
        rewritten: fc.constantFrom(null, -1, 0),
        event: fc.constantFrom(null, 'RESET', 'DOWN'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    smmus: fc.array(fc.nat(5), { maxLength: 3 }),
  })
  .map((draw) => JSON.stringify(documentOf(draw)));

interface Draw {
  readonly kernel: string;
  readonly seed: number;
  readonly nodes: number;
  readonly ways: readonly number[];
  readonly areas: string;
  readonly nics: readonly {
    readonly node: number;
    readonly queues: number;
    readonly traffic: string;
    readonly rewritten: number | null;
    readonly event: string | null;
  }[];
  readonly smmus: readonly number[];
}

function documentOf({ kernel, seed, nodes, ways, areas, nics, smmus }: Draw): object {
  const all = Array.from({ length: nodes }, (_, i) => i);
  const way = (a: number, b: number): number =>
    a === b ? 100 : ways[Math.min(a, b) * 6 + Math.max(a, b)];
  const devices: Record<string, unknown> = {};
  const timeline: unknown[] = [];
  nics.forEach(({ node, queues, traffic, rewritten, event }, i) => {
    const nid = node % nodes;
    const shape = { desc_num: 256 };
    devices[`nic${i}`] = { kind: 'hns3', node: nid, queues, traffic, ...shape };
    const device = `nic${i}`;
    if (rewritten !== null) {
      timeline.push({ at: '12ms', do: 'write', device, numa_node: rewritten });
    }
    if (event !== null) timeline.push({ at: '14ms', do: 'send', device, event });
  });
  smmus.forEach((node, i) => {
    devices[`smmu${i}`] = { kind: 'smmuv3', node: node % nodes };
  });
  return {
    kernel,
    seed,
    machine: {
      nodes,
      memory: '1G',
      cpus: 2,
      latency: all.map((a) => all.map((b) => way(a, b))),
    },
    cmdline: areas,
    devices,
    timeline,
    stop: '20ms',
  };
}

/** Everything a run says, less how it was run. */
const said = ({ shards, wallMs, ...rest }: RunResult): unknown => rest;

const only = (text: string): Scenario => parseScenario(text, 'random.yaml')[0];

describe('random machines, devices and disturbances', () => {
  test('one, two and five shards say the same, to the last digit', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (text) => {
        const one = await simulate(only(text), { shards: 1, inline: true });
        for (const shards of [2, 5]) {
          const more = await simulate(only(text), { shards, inline: true });
          expect(said(more)).toEqual(said(one));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('lowered and interpreted devices say the same', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (text) => {
        const lowered = await simulate(only(text), { shards: 1, inline: true });
        const interpreted = await simulate(only(text), {
          shards: 1,
          inline: true,
          devices: 'interpreted',
        });
        expect(said(interpreted)).toEqual(said(lowered));
      }),
      { numRuns: 10 },
    );
  });

  test('a run that checks itself says the same, and finds nothing broken', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (text) => {
        const plain = await simulate(only(text), { inline: true });
        expect(said(await simulate(only(text), { inline: true, check: true }))).toEqual(
          said(plain),
        );
      }),
      { numRuns: 20 },
    );
  });

  test('another seed gives another fingerprint', async () => {
    const text = {
      machine: { nodes: 2, memory: '1G' },
      cmdline: 'cma=16M',
      devices: { nic: { kind: 'hns3', node: 1 } },
      stop: '20ms',
    };
    const at = async (seed: number): Promise<string> => {
      const scenario = only(JSON.stringify({ kernel: '6.12', seed, ...text }));
      return (await simulate(scenario, { inline: true })).fingerprint;
    };
    expect(await at(1)).toBe(await at(1));
    expect(await at(1)).not.toBe(await at(2));
  });
});

test('threads say the same as one thread', async () => {
  const [text] = fc.sample(scenarios, { numRuns: 1, seed: 11 });
  const one = await simulate(only(text), { shards: 1, inline: true });
  for (const shards of [1, 2, 4, 'auto'] as const) {
    expect(said(await simulate(only(text), { shards }))).toEqual(said(one));
  }
});
