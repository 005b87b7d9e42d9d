/** Runs without their beginning. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { simulateFrom, without } from '#cmasim/experiment/warmup.js';
import { parseScenario } from '#cmasim/scenario/load.js';
import { histogram, Recorder, type Sample, summarize } from '#cmasim/sim/statistics.js';

const time = histogram('warmup_test_ns', { unit: 'ns', class: 'exact', help: 'Anything.' });

function recorded(values: readonly number[]): Sample[] {
  const recorder = new Recorder();
  for (const value of values) recorder.record(time, 0, value);
  return recorder.snapshot();
}

test('what is left is what the rest alone would have recorded, within a bucket', () => {
  const values = fc.array(fc.integer({ min: 0, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(values, values, (before, after) => {
      const [left] = without(recorded([...before, ...after]), recorded(before));
      const { count, sum, counts, first } = recorded(after)[0]!;
      expect(left).toMatchObject({ count, sum });
      const there = left!.counts.subarray(first - left!.first);
      expect(there.subarray(0, counts.length)).toEqual(counts);
      const [found, alone] = [summarize(left!), summarize(recorded(after)[0]!)];
      for (const measure of ['min', 'p50', 'p99', 'max'] as const) {
        expect(Math.abs(found[measure] - alone[measure])).toBeLessThanOrEqual(
          Math.max(1, 0.016 * alone[measure]),
        );
      }
    }),
  );
});

test('where nothing is left there is no statistic', () => {
  expect(without(recorded([1, 2]), recorded([1, 2]))).toEqual([]);
});

test('a warm-up in which nothing was recorded changes nothing, one over all leaves nothing', async () => {
  const text = `
kernel: "6.12"
machine: { nodes: 2, memory: 512M, cpus: 2 }
devices: { a: { kind: smmuv3, node: 1, sync_count: 50, sync_interval: 10us, start: 1ms } }
stop: 10ms
`;
  const [scenario] = parseScenario(text, 'warm.yaml');
  const whole = await simulateFrom(scenario!, 0);
  expect(await simulateFrom(scenario!, 1e6)).toEqual({ ...whole, wallMs: expect.anything() });
  const none = await simulateFrom(scenario!, 10e6);
  expect(none.stats.filter(({ count }) => count > 0)).toEqual([]);
  const part = await simulateFrom(scenario!, 3e6);
  const count = ({ stats }: typeof whole) =>
    stats.find(({ name, actor }) => name === 'placed' && actor === '')?.count ?? 0;
  expect(count(part)).toBeLessThanOrEqual(count(whole));
});
