import { expect, test } from 'vitest';
import { createMachine, setup } from 'xstate';
import { deviceModel, deviceModels, devices, registerDevice } from '#cmasim/devices/registry.js';
import { Ns } from '#cmasim/mm/units.js';
import { tablesOf } from './harness.js';
import { camera } from './third.js';
import { chartOf, expectations, firstFailure, walk } from './walk.js';
import { run, type WorldOptions } from './world.js';

const busy: WorldOptions = {
  devices: [
    { kind: 'hns3', config: { queues: 3, traffic: 'poisson', interval: '700ns', batch: 16 } },
    { kind: 'smmuv3', nid: 1, config: { unmap_pages: 70, sync_count: 1_000_000, masters: 1 } },
    { kind: 'smmuv3', start: Ns(3_000), config: { sync_count: 1_000_000, completion: 'sev' } },
    { kind: 'hns3', nid: 1, start: Ns(500), config: { traffic: 'burst', desc_num: 300 } },
  ],
  timeline: [
    { at: 20_000, event: 'RESIZE', numbers: [2000] },
    { at: 20_050, event: 'RESET' },
    { at: 60_000, event: 'DOWN' },
    { at: 70_000, event: 'UP' },
    { at: 90_000, event: 'REMOVE' },
  ],
  writes: [{ at: 65_000, nid: 1 }],
  serve: (bytes, nid, count) =>
    count % 7 === 5 && bytes > 8192 ? -1 : count % 3 === 0 ? 1 - nid : nid,
};

test('devices run through XState send the same messages at the same times', () => {
  const lowered = run(busy, 120_000);
  const interpreted = run({ ...busy, interpreted: true }, 120_000);
  expect(lowered.asked.length).toBeGreaterThan(900);
  expect(interpreted.asked).toEqual(lowered.asked);
  expect(interpreted.ends).toEqual(lowered.ends);
  expect(interpreted.fingerprint).toEqual(lowered.fingerprint);
});

test('a run repeated gives one fingerprint', () => {
  expect(run(busy, 50_000).fingerprint).toEqual(run(busy, 50_000).fingerprint);
});

test('an allocation is counted by where it came from and timed from call to return', () => {
  const { sum, mean } = run({
    devices: [{ kind: 'smmuv3', nid: 1 }],
    serve: (_bytes, nid, count) => (count === 0 ? 1 - nid : nid),
  });
  expect([sum('placed.node.local'), sum('placed.buddy.remote')]).toEqual([3, 1]);
  expect(mean('dma_alloc_ns')).toBe(100);
  expect(mean('cma_lock_wait_ns')).toBe(7);
});

test('a device of another kind takes one file and one entry', () => {
  const models = [...devices, camera];
  const options: WorldOptions = {
    models,
    devices: [{ kind: 'camera', config: { every: '2us' } }],
    timeline: [{ at: 9_000, event: 'CLOSE' }],
  };
  const { asked, ends, sum } = run(options);
  expect(asked[0]).toBe('0 alloc 3110400 for 0');
  expect(asked.filter((line) => line.includes('access'))).toHaveLength(4);
  expect(sum('frame_ns')).toBe(4 * 60);
  expect(ends[0]).toMatchObject({ state: 'camera.off', pagesHeld: 0 });
  expect(run({ ...options, interpreted: true }).asked).toEqual(asked);
  const walked = walk(chartOf(camera));
  expect(firstFailure(walked, expectations(walked), tablesOf(walked.subject))).toBeUndefined();
});

test('a chart of parallel states runs through XState by itself', () => {
  const machine = setup({ actions: { allocate: () => {} } }).createMachine({
    id: 'stereo',
    type: 'parallel',
    states: {
      left: { initial: 'off', states: { off: { on: { START: 'on' } }, on: { entry: 'allocate' } } },
      right: { initial: 'off', states: { off: { after: { 500: 'on' } }, on: {} } },
    },
  });
  const models = [{ ...camera, machine }];
  const devices = [{ kind: 'camera' }];
  for (const interpreted of [false, true]) {
    const { ends } = run({ models, devices, interpreted });
    expect(ends).toMatchObject([{ state: '{"left":"on","right":"on"}', pagesHeld: 760 }]);
  }
});

test('a chart that no device can have is refused by state and feature, behind whatever else it has', () => {
  const machine = createMachine({
    id: 'stereo',
    type: 'parallel',
    states: { left: { invoke: { src: 'codec' } }, right: {} },
  });
  const models = [{ ...camera, machine }];
  expect(() => run({ models, devices: [{ kind: 'camera' }] })).toThrow(
    'stereo.left: invoke cannot be lowered',
  );
});

test('a model registered at run time is found by its kind, and a kind is registered once', () => {
  expect(deviceModel('camera')).toBeUndefined();
  registerDevice(camera);
  registerDevice(camera);
  expect(deviceModel('camera')).toBe(camera);
  expect(deviceModels()).toHaveLength(devices.length + 1);
  expect(() => registerDevice({ ...camera })).toThrow('camera is registered twice');
});

test.each(devices)(
  'every key of $kind says what it is, and has a default',
  ({ config, timeline }) => {
    expect(config.parse({})).toBeDefined();
    const { shape } = config as unknown as { shape: Record<string, { description?: string }> };
    for (const [key, schema] of Object.entries(shape))
      expect([key, schema.description]).toEqual([key, expect.stringMatching(/\.$/)]);
    for (const { help } of Object.values(timeline)) expect(help).toMatch(/\.$/);
  },
);

test('a value that is wrong is named with what was expected', () => {
  const message = (config: unknown) =>
    devices[1].config.safeParse(config).error?.issues[0]?.message;
  expect(message({ queues: 0 })).toBe('0, expected a number from 1 to 1024');
  expect(message({ interval: '5 parsecs' })).toBe(
    '5 parsecs, expected a time such as 240ns, 10us, 3ms',
  );
  expect(message({ traffic: 'heavy' })).toBe(
    'heavy, expected none or steady or poisson or burst or closed or recorded',
  );
});

test('a device that asks for a handle twice is our mistake and says so', () => {
  const twice = { ...camera.actions, plan: camera.actions.allocate! };
  const models = [{ ...camera, actions: twice }];
  expect(() => run({ models, devices: [{ kind: 'camera' }] })).toThrow(
    'camera0: handle 0 is in use',
  );
});
