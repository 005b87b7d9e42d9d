/** Sweeps in this process: runs that fail, studies that change, progress in words. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepText } from '#cmasim/cli/sweepProgress.js';
import type { Engine, RunOne } from '#cmasim/study/engine.js';
import { parseStudy } from '#cmasim/study/load.js';
import { Maker } from '#cmasim/study/make.js';
import { openResults } from '#cmasim/study/results.js';
import { settle } from '#cmasim/study/runStudy.js';
import type { Study } from '#cmasim/study/study.js';
import { type SweepOutcome, sweep } from '#cmasim/study/sweep.js';
import { Threads } from '#cmasim/study/threads.js';
import { bytesOf, temporary } from './harness.js';
import runSynthetic from './processes/runner.mjs';

const directory = temporary();

function study(values: string, replications = 5): Study {
  const text = `
scenario: { kernel: "6.12", machine: { nodes: 2 } }
set: { cmdline: "cma={size}" }
axes: { size: ${values} }
replications: ${replications}
`;
  return parseStudy(text, 'study.yaml', { model: 'test' });
}

const maker = new Maker(runSynthetic as unknown as RunOne);
const here: Engine = {
  ...{ width: 4, state: { text: 'here', redone: 0 }, close: async () => {} },
  run: (job) => maker.make(job),
};

async function sweepInto(results: string, of: Study, engine = here): Promise<SweepOutcome> {
  const journal = await openResults(results, of);
  try {
    const outcome = await sweep({ study: of, journal, engine });
    await settle(results, of, journal);
    return outcome;
  } finally {
    await journal.close();
  }
}

test('a run that kills every thread, and one that throws, fail alone', async () => {
  const runner = new URL('processes/mortal.mjs', import.meta.url);
  const threads = new Threads({ jobs: 2, runner });
  try {
    const { failures, state } = await sweepInto(
      join(directory, 'mortal'),
      study('[1M]', 9),
      threads,
    );
    expect(state).toMatchObject({ there: 7, planned: 9, failed: 2 });
    expect(failures.map(({ planned, error, kind }) => [planned.seed, error, kind]).sort()).toEqual([
      [3, expect.stringMatching(/^3 threads died of it: /), 'bug'],
      [4, 'seed 4 is no good', 'bug'],
    ]);
  } finally {
    await threads.close();
  }
});

test('a study that has grown makes what is new, and ends like one made at once', async () => {
  const grown = join(directory, 'grown');
  expect((await sweepInto(grown, study('[1M, 2M]'))).state.made).toBe(10);
  expect((await sweepInto(grown, study('[1M, 2M, 4M]'))).state.made).toBe(5);
  expect((await sweepInto(grown, study('[1M, 2M, 4M]', 7))).state.made).toBe(6);
  expect((await sweepInto(grown, study('[1M, 2M, 4M]', 7))).state.made).toBe(0);
  const whole = join(directory, 'whole');
  await sweepInto(whole, study('[1M, 2M, 4M]', 7));
  expect(bytesOf(grown)).toEqual(bytesOf(whole));
});

test('a kernel that does not boot is a result like any other', async () => {
  const engine: Engine = {
    ...here,
    run: async (job) => {
      const { cmdline } = JSON.parse(job.document) as { cmdline: string };
      if (cmdline !== 'cma=2M') return maker.make(job);
      const { failedRecord } = await import('#cmasim/study/record.js');
      const about = {
        scenario: '',
        kernel: '6.12',
        policy: '6.6',
        machine: '',
        cmdline,
        seed: job.seed,
      };
      return { record: JSON.stringify(failedRecord(job.run, about, 'panics')), wallMs: 0 };
    },
  };
  const results = join(directory, 'panics');
  const { state } = await sweepInto(results, study('[1M, 2M]'), engine);
  expect(state).toMatchObject({ there: 10, failed: 0 });
});

test('a directory with something else in it is left alone', async () => {
  const other = join(directory, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'thesis.tex'), '');
  await expect(openResults(other, study('[1M]'))).rejects.toThrow('holds something else');
});

test('progress is rate, remaining time, failures, and where runs are made', () => {
  const state = { there: 400, planned: 1000, isFinal: true, made: 300, madeMs: 0, failed: 0 };
  const text = { redone: 0, engine: '2 threads' };
  expect(sweepText('sizes', { ...state, ...text }, 2000)).toBe(
    'sizes: 400 of 1000 runs, 150 runs/s, 4 s left, 2 threads',
  );
  expect(
    sweepText('sizes', { ...state, isFinal: false, failed: 2, redone: 1, engine: 'x' }, 2000),
  ).toBe(
    'sizes: 400 of at least 1000 runs, 150 runs/s, at least 3.99 s left, 2 failed, 1 redone, x',
  );
});
