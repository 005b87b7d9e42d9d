/**
 * The promise of the engine: one scenario and seed, one result, on any number of shards and in either form of
 * the devices.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseScenario, type Scenario, simulate } from '#cmasim/index.js';
import type { RunResult } from '#cmasim/run/result.js';
import { cases } from '../cases.js';
import { anyScenario } from '../scenario/anyScenario.js';

/** Everything a run says, less how it was run. */
const said = ({ shards, wallMs, ...rest }: RunResult): unknown => rest;

const only = (text: string): Scenario => parseScenario(text, 'random.yaml')[0];

describe('any machine, kernel, device of any kind, pressure and timeline', () => {
  test('one, two and five shards say the same, to the last digit', async () => {
    await fc.assert(
      fc.asyncProperty(anyScenario, async (text) => {
        const one = await simulate(only(text), { shards: 1, inline: true });
        for (const shards of [2, 5]) {
          const more = await simulate(only(text), { shards, inline: true });
          expect(said(more)).toEqual(said(one));
        }
      }),
      cases(20),
    );
  });

  test('lowered and interpreted devices say the same', async () => {
    await fc.assert(
      fc.asyncProperty(anyScenario, async (text) => {
        const lowered = await simulate(only(text), { shards: 1, inline: true });
        const interpreted = await simulate(only(text), {
          shards: 1,
          inline: true,
          devices: 'interpreted',
        });
        expect(said(interpreted)).toEqual(said(lowered));
      }),
      cases(10),
    );
  });

  test('a run that checks itself says the same, and finds nothing broken', async () => {
    await fc.assert(
      fc.asyncProperty(anyScenario, async (text) => {
        const plain = await simulate(only(text), { inline: true });
        expect(said(await simulate(only(text), { inline: true, check: true }))).toEqual(
          said(plain),
        );
      }),
      cases(10),
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
  const [text] = fc.sample(anyScenario, { numRuns: 1, seed: 12 });
  // Threads that share a CPU with others take long over every window.
  const overrides = [{ path: 'stop', value: '100us', option: 'stop' }];
  const [scenario] = parseScenario(text, 'random.yaml', { overrides });
  const one = await simulate(scenario, { shards: 1, inline: true });
  for (const shards of [1, 2, 4, 'auto'] as const) {
    expect(said(await simulate(scenario, { shards }))).toEqual(said(one));
  }
});
