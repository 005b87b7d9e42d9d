import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { captureScript } from '#cmasim/cli/capture.js';
import { collectFiles } from '#cmasim/cli/collect.js';
import { importFrom } from '#cmasim/cli/import.js';
import { isTar, readTar } from '#cmasim/machine/import/tar.js';
import { cases } from '../../cases.js';
import { serverPath } from './servers.js';

const folder = mkdtempSync(join(tmpdir(), 'cmasim-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a tar archive', () => {
  const bytes = gunzipSync(readFileSync(serverPath('x86-7.2-life')));

  test('gives its files, paths and all', () => {
    const { files, damage } = readTar(bytes);
    expect(damage).toBe('');
    expect(files.map(({ path }) => path)).toContain('machine/zoneinfo.txt');
    const cmdline = files.find(({ path }) => path === 'machine/cmdline.txt')!;
    expect(Buffer.from(cmdline.bytes).toString()).toContain('cma_pernuma=8M');
  });

  test('names longer than a header holds are whole', () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(120)}`;
    for (const format of ['gnu', 'pax']) {
      execFileSync('mkdir', ['-p', join(folder, 'd'.repeat(90))]);
      writeFileSync(join(folder, long), 'x');
      const tar = execFileSync('tar', ['--format', format, '-C', folder, '-cf', '-', long]);
      expect(readTar(tar).files.map(({ path }) => path)).toEqual([long]);
    }
  });

  test('cut off anywhere, it gives the files before the cut and says so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 512, max: bytes.length - 10_240 }), (length) => {
        const { files, damage } = readTar(bytes.subarray(0, length));
        expect(files.length).toBeLessThanOrEqual(readTar(bytes).files.length);
        if (length % 512 !== 0) expect(damage).not.toBe('');
      }),
      cases(50),
    );
  });

  test('random bytes are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 2048 }), (random) => {
        if (isTar(random)) readTar(random);
      }),
    );
    expect(isTar(new Uint8Array(1024))).toBe(false);
  });
});

describe('capture', () => {
  const script = join(folder, 'capture.sh');
  writeFileSync(script, captureScript);

  test('is a script every shell can read', () => {
    execFileSync('sh', ['-n', script]);
  });

  test('runs here, without the files that are not readable, and can be imported', () => {
    const archive = join(folder, 'here.tar.gz');
    const output = execFileSync('sh', [script, archive], { stdio: ['ignore', 'pipe', 'ignore'] });
    expect(output.toString()).toBe(`${archive}\n`);
    expect(collectFiles(archive).files.length).toBeGreaterThan(0);
    const { machine } = importFrom([archive]);
    expect(machine.name).toBe('here');
    expect(machine.nodes.length).toBeGreaterThan(0);
  });

  test('without a name the archive goes to standard output', () => {
    const archive = execFileSync('sh', ['-s'], {
      input: captureScript,
      stdio: ['pipe', 'pipe', 'ignore'],
      maxBuffer: 64 << 20,
    });
    expect(isTar(gunzipSync(archive))).toBe(true);
  });
});
