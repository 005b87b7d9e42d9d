/** `replay`, `diff` and `export` as scripts see them: streams, documents and exit codes. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cmasim } from './command.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cmasim-replayed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const life = 'test/kernel/traces/x86-7.2-life';
const trace = `${life}/lifecycle.trace.gz`;
const server = ['--machine', `${life}/machine.tar.gz`];
const operations = 'test/kernel/oracle/c01_1node.jsonl.gz';

describe('replay', () => {
  test('the file decides: operations and traces take the same verb', async () => {
    expect(await cmasim(['replay', '--check', operations])).toMatchObject({ code: 0, err: '' });
    expect(await cmasim(['replay', '--check', trace])).toMatchObject({ code: 0, err: '' });
  });
  test('from standard input too', async () => {
    const input = readFileSync(join(root, trace));
    const args = ['replay', '--check', '--json', '-', '--machine', `${life}/machine.tar.gz`];
    const { code, out } = await cmasim(args, input);
    const [recording] = JSON.parse(out).recordings;
    expect(code).toBe(0);
    expect(recording).toMatchObject({
      requests: 92,
      area_equal: 92,
      pfn_comparable: 35,
      pfn_equal: 35,
    });
  });
  test('1: with --check, another command line than the recorded one', async () => {
    const { code, out } = await cmasim(['replay', '--check', trace, '--cmdline', 'cma=8M']);
    expect(code).toBe(1);
    expect(out).toContain('different: other command line');
    expect(out).toMatch(/ {4}kernel {2}\S+\n {4}model {3}\S+/);
  });
  test.each([
    [['replay', 'none.trace'], 'none.trace: no such file\n'],
    [['replay', operations, trace], 'cmasim: replay: operation files and traces together'],
    [['replay', operations, '--cmdline', 'cma=1M'], 'cmasim: replay: --cmdline is for traces'],
    [['replay', 'README.md', ...server], 'README.md:3:1: not a trace: '],
    [['replay', trace, '--kernel', '9.9'], 'cmasim: kernel 9.9: expected one of'],
  ])('2: %j', async (args, message) => {
    const { code, out, err } = await cmasim(args);
    expect([code, out]).toEqual([2, '']);
    expect(err.startsWith(message)).toBe(true);
    expect(err.trimEnd()).not.toContain('\n');
  });
});

describe('diff', () => {
  test('1: worse, and says so in its first line', async () => {
    const { code, out, err } = await cmasim(['diff', trace, '--b', 'cmdline+=cma_pernuma=0']);
    expect([code, err]).toEqual([1, '']);
    expect(out.split('\n')[0]).toMatch(/^B is worse: \d+ requests leave their device's node/);
    expect(out).toContain('first to go elsewhere: ');
  });
  test('0: the same on both sides', async () => {
    const { code, out } = await cmasim(['diff', trace, '--b', 'kernel=7.2', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      format: 'cmasim-diff/1',
      worse: false,
      paired: 92,
      same_place: 92,
    });
  });
  test('two runs are repeated and compared', async () => {
    const scenario = 'scenarios/area-exhausted.yaml';
    const runs: string[] = [];
    for (const kernel of ['6.12', 'pre']) {
      const path = join(folder, kernel);
      const args = ['run', scenario, '--kernel', kernel, '--set', 'expect=[]', '-o', path];
      expect((await cmasim(args)).code).toBe(0);
      runs.push(path);
    }
    const { out } = await cmasim(['diff', ...runs, '--json']);
    expect(JSON.parse(out)).toMatchObject({
      a: { kernel: '6.12' },
      b: { kernel: '5.7', policy: 'pre' },
    });
  });
  test.each([
    [['diff', trace], 'cmasim: diff: nothing differs'],
    [['diff', trace, '--b', 'seed=3'], 'cmasim: diff: seed is no key of a recording'],
    [['diff', trace, '--b', 'kernel'], 'cmasim: diff: kernel: expected key=value'],
  ])('2: %j', async (args, message) => {
    const { code, err } = await cmasim(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('export', () => {
  test.each(['ftrace', 'perfetto', 'kernelfs', 'parquet'])('%s', async (format) => {
    const path = join(folder, format);
    expect(await cmasim(['export', trace, '--to', format, '-o', path])).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect(existsSync(path)).toBe(true);
    const again = await cmasim(['export', trace, '--to', format, '-o', path]);
    expect(again.code).toBe(2);
    expect(again.err).toContain('exists; --force writes over it');
  });
  test('ftrace text goes on to trace through a pipe', async () => {
    const { out } = await cmasim(['export', trace, '--to', 'ftrace', '-o', '-']);
    const { code, out: summary } = await cmasim(['trace', '-', '--json'], out);
    expect(code).toBe(0);
    expect(JSON.parse(summary).requests).toBe(92);
  });
  test('2: several files do not fit standard output', async () => {
    const { code, err } = await cmasim(['export', trace, '--to', 'parquet', '-o', '-']);
    expect([code, err]).toEqual([
      2,
      'cmasim: export: parquet is several files, expected a directory as -o\n',
    ]);
  });
});
