/**
 * trace, import and capture as scripts see them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { cmasim } from './command.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cmasim-'));
const life = 'test/kernel/traces/x86-7.2-life';
afterAll(() => rmSync(folder, { recursive: true }));

describe('trace', () => {
  test('compares with what lies beside the recording, joined with the machine', async () => {
    const { code, out, err } = await cmasim([
      'trace',
      `${life}/lifecycle.trace.gz`,
      '--machine',
      `${life}/machine.tar.gz`,
      '--check',
      `${life}/summary.json`,
      `${life}/counts.json`,
    ]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^0000:21:00\.0 +0 +25 +664 736 .* numa0 16$/m);
    expect(out).toContain(`${life}/summary.json: 95 fields compared, all equal`);
  });

  test('exit 1 when a summary says something else', async () => {
    const other = 'test/kernel/traces/x86-7.2-exhaust';
    const files = ['trace', `${other}/probe.trace.gz`, '--check'];
    expect((await cmasim([...files, `${other}/summary.json`])).code).toBe(0);
    expect((await cmasim([...files, 'test/kernel/traces/x86-7.2-tiny/summary.json'])).code).toBe(1);
  });

  test('the standard input, gzipped or not, and one document for scripts', async () => {
    const zipped = readFileSync(join(root, life, 'lifecycle.trace.gz'));
    for (const input of [zipped, gunzipSync(zipped)]) {
      const { code, out } = await cmasim(['trace', '-', '--json'], input);
      const document = JSON.parse(out);
      expect([code, document.format]).toEqual([0, 'cmasim-trace/1']);
      expect(document.inputs[0].by_event.dma_map_phys).toBe(7294);
    }
  });

  test.each([
    ['no file', ['trace', 'none.trace'], '', 'none.trace: no such file\n'],
    ['nothing', ['trace', '-'], '', 'stdin:1:1: an empty file, expected a recording\n'],
    ['text', ['trace', '-'], 'hello\n', /^stdin:1:1: not a trace: "hello" is no line/],
    ['bytes', ['trace', '-'], '\u0001\u0000\u0002', /^stdin: not a trace: binary data/],
    ['a directory', ['import', 'src/sim'], '', 'src/sim: no NUMA node found in it\n'],
    ['no server', ['import', 'none'], '', 'none: no such file\n'],
  ])('%s: one line of error, exit 2', async (_what, args, input, message) => {
    const { code, out, err } = await cmasim(args, input);
    expect([code, out]).toEqual([2, '']);
    if (typeof message === 'string') expect(err).toBe(message);
    else expect(err).toMatch(message);
    expect(err.split('\n').length).toBe(2);
  });
});

describe('import', () => {
  const file = join(folder, 'life.yaml');

  test('writes a machine that run takes, and the state it was found in', async () => {
    const state = join(folder, 'life.json');
    const { code, out, err } = await cmasim([
      'import',
      `${life}/machine.tar.gz`,
      '--name',
      'life',
      '-o',
      file,
      '--state',
      state,
    ]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^life: x86, 4 nodes, 4 CPUs, 6 GiB, 4K pages, kernel 7\.2\.13/);
    expect(JSON.parse(readFileSync(state, 'utf8')).format).toBe('cmasim-state/1');
    const scenario = `kernel: 6.12\nmachine: ${file}\nstop: 1ms\n`;
    expect((await cmasim(['run', '-', '--print-config'], scenario)).out).toContain('0x7ffd0000');
  });

  test('writes over nothing without --force', async () => {
    const again = ['import', `${life}/machine.tar.gz`, '-o', file];
    expect(await cmasim(again)).toMatchObject({
      code: 2,
      err: `cmasim: ${file} exists; --force writes over it\n`,
    });
    expect((await cmasim([...again, '--force'])).code).toBe(0);
  });
});

test('capture prints a script', async () => {
  const { code, out } = await cmasim(['capture']);
  expect(code).toBe(0);
  expect(spawnSync('sh', ['-n'], { input: out }).status).toBe(0);
});
