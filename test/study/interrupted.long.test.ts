/**
 * A sweep of a thousand runs, stopped in every way there is: resumed, its tables have the same
 * bytes.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, dots, figures, start, startScript, temporary, writeStudy } from './harness.js';

const directory = temporary();
const study = writeStudy(directory, 20, 50);
let whole: Record<string, string>;

beforeAll(async () => {
  const sweeper = startScript('sweeper.mjs', [study, join(directory, 'whole')]);
  expect(await sweeper.exit).toBe(0);
  expect(figures(sweeper.output)).toMatchObject({ made: 1000, failed: 0, redone: 0 });
  whole = bytesOf(join(directory, 'whole'));
});

/** Goes on with a directory and holds it against the sweep that nobody disturbed. */
async function resumed(results: string): Promise<Record<string, number>> {
  const sweeper = startScript('sweeper.mjs', [study, results]);
  expect(await sweeper.exit, sweeper.output).toBe(0);
  expect(bytesOf(results)).toEqual(whole);
  expect(readdirSync(join(results, 'journal'))).toEqual([]);
  return figures(sweeper.output);
}

describe('resumed, a sweep of 1000 runs has the tables of one that was never', () => {
  test('interrupted', async () => {
    const results = join(directory, 'interrupted');
    const sweeper = startScript('sweeper.mjs', [study, results]);
    await sweeper.until((output) => dots(output) >= 300);
    sweeper.process.kill('SIGINT');
    expect(await sweeper.exit).toBe(130);
    const { kept } = figures(sweeper.output);
    expect(kept).toBeGreaterThanOrEqual(300);
    expect(readdirSync(results).sort()).toEqual(['journal', 'study.json']);
    expect((await resumed(results)).made).toBe(1000 - kept!);
  });

  test('killed with -9, twice', async () => {
    const results = join(directory, 'killed');
    for (const made of [200, 400]) {
      const sweeper = startScript('sweeper.mjs', [study, results]);
      await sweeper.until((output) => dots(output) >= made);
      sweeper.process.kill('SIGKILL');
      expect(await sweeper.exit).toBe('SIGKILL');
    }
    const { made } = await resumed(results);
    expect(made).toBeLessThanOrEqual(400);
  });

  test('three threads have died in the middle of a run', async () => {
    const results = join(directory, 'crashed');
    mkdirSync(join(directory, 'marks'));
    const sweeper = startScript('sweeper.mjs', [study, results], {
      CRASH_DIRECTORY: join(directory, 'marks'),
      CRASH_SEEDS: '7,23,50',
    });
    expect(await sweeper.exit, sweeper.output).toBe(0);
    const { made, failed, redone } = figures(sweeper.output);
    expect({ made, failed }).toEqual({ made: 1000, failed: 0 });
    expect(redone).toBeGreaterThanOrEqual(3);
    expect(bytesOf(results)).toEqual(whole);
  });

  test('stopped by the largest file it may write, the shell having set one', async () => {
    const results = join(directory, 'limited');
    const script = new URL('processes/sweeper.mjs', import.meta.url).pathname;
    const limited = ['-c', 'ulimit -f 128; trap "" XFSZ; exec "$@"', 'sh', process.execPath];
    const sweeper = start('bash', [...limited, script, study, results]);
    expect(await sweeper.exit, sweeper.output).toBe(2);
    expect(sweeper.output).toContain('the file would be larger than allowed');
    const { made } = await resumed(results);
    expect(made).toBeLessThan(1000);
    expect(made).toBeGreaterThan(0);
  });

  test.skipIf(!mayMount())('stopped by a full disk', async () => {
    const disk = join(directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    try {
      const results = join(disk, 'results');
      const sweeper = startScript('sweeper.mjs', [study, results]);
      expect(await sweeper.exit, sweeper.output).toBe(2);
      expect(sweeper.output).toContain('no space left on the disk');
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      const { made } = await resumed(results);
      expect(made).toBeLessThan(1000);
      expect(made).toBeGreaterThan(0);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

/** Mounting takes a privilege that a container may not have; `ulimit` stands in for it then. */
function mayMount(): boolean {
  const probe = temporary();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    console.warn('skipped: a full disk (mount is not permitted here)');
    return false;
  }
}
