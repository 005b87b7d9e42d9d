import { describe, expect, test } from 'vitest';
import { sightLines, whyText } from '#cmasim/explain/text.js';
import { NoSuchRequest, requestsOf, why } from '#cmasim/explain/why.js';
import { parseScenario, type Scenario } from '#cmasim/index.js';
import { isLocal, took } from '#cmasim/run/placement.js';

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
    expect(requests.map(({ source }) => source).sort()).toEqual([
      'buddy',
      'buddy',
      'numa1',
      'numa1',
      'reserved',
      'reserved',
    ]);
    for (const request of requests) {
      expect(took(request)).toBeGreaterThan(0);
      expect(isLocal(request)).toBe(request.nid === 1);
    }
    expect(new Set(requests.map(({ name }) => name)).size).toBe(requests.length);
  });
});

describe('one request', () => {
  test('its parts add up to its time, its steps end where it was served', async () => {
    const { requests } = await requestsOf(scenario());
    for (const request of requests) {
      const { name, source } = request;
      const explained = await why(scenario(), name);
      expect(explained.parts.reduce((sum, { ns }) => sum + ns, 0)).toBe(took(request));
      const served = explained.steps.filter(({ outcome }) => outcome === 'served');
      expect(served).toHaveLength(1);
      expect(source === 'buddy' ? served[0].step : served[0].text).toContain(source);
    }
  });

  test('that did not fit says which step was tried before, and how the area looked', async () => {
    const { requests } = await requestsOf(scenario());
    const { name } = requests.find(({ source }) => source === 'reserved')!;
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
    const { name } = requests.find(({ source }) => source === 'reserved')!;
    expect(whyText(await why(scenario('6.15'), name))).toContain('numa1 EBUSY (-16)');
  });

  test('a single page names the condition that kept it from CMA', async () => {
    const { requests } = await requestsOf(scenario());
    const { name } = requests.find(({ source }) => source === 'buddy')!;
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

describe('what is said is what happened', () => {
  /** Two nodes of 4 GiB on x86; node 1 has an area besides the default one, which lies on node 0. */
  const one = (device: object, change: object = {}): Scenario =>
    parseScenario(
      JSON.stringify({
        kernel: '6.12',
        config: { DMA_NUMA_CMA: 'y', DMA_COHERENT_POOL: 'n' },
        machine: { nodes: 2, memory: '8G', cpus: 2 },
        cmdline: 'cma=16M numa_cma=1:16M',
        devices: { d: { kind: 'allocator', node: 1, size: '64K', ...device } },
        stop: '20ms',
        ...change,
      }),
      'test.yaml',
    )[0];
  const stepsOf = async (of: Scenario, name = 'd#0') =>
    (await why(of, name)).steps.map(({ step, outcome, text }) => [
      step.split(' ')[0],
      outcome,
      text,
    ]);

  test('cma_alloc() of 16 pages is one of 64 KiB, and asks no policy', async () => {
    const explained = await why(one({ mode: 'cma' }), 'd#0');
    expect(explained.request).toMatchObject({ bytes: 65_536, pages: 16, mode: 'raw' });
    expect(explained.steps).toEqual([
      { step: 'cma_alloc()', outcome: 'served', text: 'reserved had room' },
    ]);
  });

  test('a translated device asks no area, and is served page by page', async () => {
    const steps = await stepsOf(one({ iommu: 'translated' }));
    expect(steps.slice(0, 4)).toEqual(
      ['device', 'pernuma', 'numa', 'default'].map((step) => {
        return [step, 'skipped', 'the call asks the buddy only'];
      }),
    );
    expect(steps[4]).toEqual(['buddy', 'served', 'page by page: node 1 gave 16 pages']);
  });

  test('a page pool is served by the buddy, not by an area that it does not ask', async () => {
    const steps = await stepsOf(one({ kind: 'mlx5', size: undefined }));
    expect(steps.map(([, outcome]) => outcome)).toEqual([
      ...['skipped', 'skipped', 'skipped', 'skipped'],
      'served',
    ]);
    expect(steps[4][2]).toMatch(/^page by page: node 1 gave \d+ pages$/);
  });

  test('after an area gave pages beyond the mask the others are not asked', async () => {
    const steps = await stepsOf(one({ mask: 33 }));
    expect(steps[2]).toEqual([
      'numa',
      'given back',
      'numa1 had room; the mask does not reach it: given back',
    ]);
    expect(steps[3].slice(1)).toEqual([
      'skipped',
      'an area gave pages that the mask does not reach',
    ]);
    expect(steps[4]).toEqual([
      'buddy',
      'served',
      'order 4: node 1 had room beyond the mask, node 1 has no zone that the flags allow, node 0 had room',
    ]);
  });

  test('what the default area served is not to the credit of the nearest', async () => {
    const alloc = ['nearest if blocking, node known', 'default', 'buddy'];
    const policy = { alloc, free: ['any numa', 'default', 'buddy'] };
    const cmdline = 'cma=16M';
    const steps = await stepsOf(one({}, { policy, cmdline }));
    expect(steps.map(([, outcome]) => outcome)).toEqual(['no area', 'served', 'not reached']);
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
