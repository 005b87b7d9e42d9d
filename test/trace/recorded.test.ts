import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compareCounts, compareSummary } from '#cmasim/trace/join/recorded.js';
import { summarizeTraces } from '#cmasim/trace/join/summary.js';
import { json, recorded, recordings } from './recordings.js';

const files = (name: string) => readdirSync(recorded(name));
const isTrace = (file: string) => /\.(?:trace|txt)\.gz$/.test(file);

describe.each(recordings)('%s', (name) => {
  test('every phase gives the summary that was counted from it', async () => {
    const summary = json(`${name}/summary.json`);
    const phases = Object.keys(summary)
      .map((phase) => `${phase}.trace.gz`)
      .filter((file) => files(name).includes(file));
    expect(phases.length).toBeGreaterThan(0);
    const { inputs } = await summarizeTraces(phases.map((file) => recorded(`${name}/${file}`)));
    const { different, compared } = compareSummary(summary, inputs);
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(40);
  });

  test('every file gives the events that were counted in it', async () => {
    for (const dir of [name, `${name}/second-boot`]) {
      if (dir !== name && !files(name).includes('second-boot')) continue;
      for (const file of files(dir).filter(isTrace)) {
        const { inputs } = await summarizeTraces([recorded(`${dir}/${file}`)]);
        const { different, compared } = compareCounts(json(`${dir}/counts.json`), inputs);
        expect(different).toEqual([]);
        expect(compared).toBeGreaterThan(0);
      }
    }
  });
});

test('a count that is off by one is found', async () => {
  const summary = json('x86-7.2-exhaust/summary.json') as never;
  const { inputs } = await summarizeTraces([recorded('x86-7.2-exhaust/probe.trace.gz')]);
  const areas = { ...inputs[0].areas, numa1: { ...inputs[0].areas.numa1!, ok: 55 } };
  const { different } = compareSummary(summary, [{ ...inputs[0], areas }]);
  expect(different).toEqual([{ path: 'probe.areas.numa1.ok', expected: 56, actual: 55 }]);
});

test('an area the summary does not have is a difference', async () => {
  const summary = json('x86-7.2-exhaust/summary.json') as never;
  const { inputs } = await summarizeTraces([recorded('x86-7.2-exhaust/probe.trace.gz')]);
  const areas = { ...inputs[0].areas, numa9: inputs[0].areas.numa1! };
  const { different } = compareSummary(summary, [{ ...inputs[0], areas }]);
  expect(different.map(({ path }) => path)).toEqual(['probe.areas.numa9']);
});
