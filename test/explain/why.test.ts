import { describe, expect, test } from 'vitest';
import { sightLines, whyText } from '#cmasim/explain/text.js';
import { NoSuchRequest, requestsOf, why } from '#cmasim/explain/why.js';
import { parseScenario, type Scenario } from '#cmasim/index.js';

/** Two SMMUs on node 1, whose area holds the queues of one; the default area takes the other's. */
const scenario = (kernel = '6.12'): Scenario =>
  parseScenario(
    JSON.stringify({
      kernel,
      config: { DMA_NUMA_CMA: 'y', DMA_COHERENT_POOL: 'n' },
      machine: { nodes: 2, cpus: 2, memory: '1G' },
      cmdline: 'cma=2M numa_cma=1:2M',
      devices: { smmu: { kind: 'smmuv3', node: 1, count: 2, pri: false } },
      stop: '20ms',
    }),
    'test.yaml',
  )[0];

describe('the list of requests', () => {
  test('has every call for memory, with where it was served and how long it took', async () => {
    const { requests } = await requestsOf(scenario());
    expect(requests.map(({ from }) => from).sort()).toEqual([
      'buddy',
      'buddy',
      'numa1',
      'numa1',
      'reserved',
      'reserved',
    ]);
    for (const { tookNs, nid, local } of requests) {
      expect(tookNs).toBeGreaterThan(0);
      expect(local).toBe(nid === 1);
    }
    expect(new Set(requests.map(({ name }) => name)).size).toBe(requests.length);
  });
});

describe('one request', () => {
  test('its parts add up to its time, its steps end where it was served', async () => {
    const { requests } = await requestsOf(scenario());
    for (const { name, tookNs, from } of requests) {
      const explained = await why(scenario(), name);
      expect(explained.parts.reduce((sum, { ns }) => sum + ns, 0)).toBe(tookNs);
      const served = explained.steps.filter(({ outcome }) => outcome === 'served');
      expect(served).toHaveLength(1);
      expect(from === 'buddy' ? served[0].step : served[0].text).toContain(from);
    }
  });

  test('that did not fit says which step was tried before, and how the area looked', async () => {
    const { requests } = await requestsOf(scenario());
    const { name } = requests.find(({ from }) => from === 'reserved')!;
    const explained = await why(scenario(), name);
    expect(explained.steps.map(({ step, outcome }) => [step.split(' ')[0], outcome])).toEqual([
      ['device', 'no area'],
      ['pernuma', 'no area'],
      ['numa', 'failed'],
      ['default', 'served'],
      ['buddy', 'not reached'],
    ]);
    expect(explained.sights.map(({ areaName }) => areaName)).toEqual(['numa1', 'reserved']);
    expect(whyText(explained)).toContain('numa1 ENOMEM (-12)');
    expect(whyText(explained)).toContain('0 of 512 are free');
  });

  test('from 6.15 on a full area is called busy', async () => {
    const { requests } = await requestsOf(scenario('6.15'));
    const { name } = requests.find(({ from }) => from === 'reserved')!;
    expect(whyText(await why(scenario('6.15'), name))).toContain('numa1 EBUSY (-16)');
  });

  test('a single page names the condition that kept it from CMA', async () => {
    const { requests } = await requestsOf(scenario());
    const { name } = requests.find(({ from }) => from === 'buddy')!;
    const { steps } = await why(scenario(), name);
    expect(steps[2].text).toBe('does not hold: size > 1 page (it is 4096 bytes)');
  });

  test.each([
    ['smmu', 'expected DEVICE#NUMBER'],
    ['nic0#1', 'no device nic0, expected one of smmu@1.0'],
    ['smmu@1.0#99', 'no request for memory of that number'],
  ])('%s is none', async (name, message) => {
    await expect(why(scenario(), name)).rejects.toThrow(NoSuchRequest);
    await expect(why(scenario(), name)).rejects.toThrow(message);
  });
});

test('a bitmap is drawn around its window', () => {
  const sight = {
    id: 1,
    time: 0,
    area: 0,
    areaName: 'numa0',
    basePfn: 512,
    size: 16,
    start: 0,
    bit: 4,
    bits: 4,
    align: 2,
    ranges: [
      [0, 3],
      [12, 4],
    ] as const,
  };
  expect(sightLines(sight)[1].trim()).toBe('XXX.####....XXXX');
  const none = { ...sight, bit: -1, bits: 12 };
  expect(sightLines(none)[0]).toContain('9 of 16 are free, the longest run is 9');
});
