/** A sweep that is stopped goes on where it was; in every other way it is stopped in interrupted.long.test.ts. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesOf, dots, figures, startScript, temporary, writeStudy } from './harness.js';

test('interrupted, killed and resumed, a sweep has the tables of one that was never', async () => {
  const directory = temporary();
  const study = writeStudy(directory, 3, 40);
  const whole = startScript('sweeper.mjs', [study, join(directory, 'whole')]);
  expect(await whole.exit, whole.output).toBe(0);
  const results = join(directory, 'stopped');
  for (const [signal, exit] of [
    ['SIGINT', 130],
    ['SIGKILL', 'SIGKILL'],
  ] as const) {
    const sweeper = startScript('sweeper.mjs', [study, results]);
    await sweeper.until((output) => dots(output) >= 20);
    sweeper.process.kill(signal);
    expect(await sweeper.exit).toBe(exit);
  }
  const last = startScript('sweeper.mjs', [study, results]);
  expect(await last.exit, last.output).toBe(0);
  expect(figures(last.output).made).toBeLessThanOrEqual(80);
  expect(bytesOf(results)).toEqual(bytesOf(join(directory, 'whole')));
  expect(readdirSync(join(results, 'journal'))).toEqual([]);
});
