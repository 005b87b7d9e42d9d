/**
 * The command as scripts see it: what goes to which stream, and which exit code ends it.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { progressText } from '#cmasim/cli/progress.js';
import { start } from '../study/harness.js';
import { cmasim, main } from './command.js';

const directory = mkdtempSync(join(tmpdir(), 'cmasim-'));

const small = `kernel: 6.12
machine: { nodes: 2 }
cmdline: cma=16M
devices: { nic: { kind: hns3, node: 1, queues: 1 } }
stop: 20ms
expect:
  - nic.placed.default.remote > 0
`;

describe('exit codes', () => {
  test('0: fine, with data on stdout and nothing on stderr', async () => {
    const { code, out, err } = await cmasim(['run', '-'], small);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('ok    nic.placed.default.remote > 0');
  });

  test('0: a device that is logged speaks on stderr, and stdout stays as it is', async () => {
    const { code, out, err } = await cmasim(['run', '-', '--log', 'nic'], small);
    expect(code).toBe(0);
    expect(out).toBe((await cmasim(['run', '-'], small)).out);
    expect(err.split('\n')[0]).toMatch(/^\d+ ns nic#0 asks for \d+ bytes \(coherent\) on node \d$/);
    const { code: wrong, err: why } = await cmasim(['run', '-', '--log', 'disk'], small);
    expect([wrong, why]).toEqual([
      2,
      expect.stringMatching(/--log disk: no such device, expected/),
    ]);
  });

  test('1: an expectation does not hold', async () => {
    const failing = small.replace('> 0', '== 0');
    expect((await cmasim(['run', '-', '--json'], failing)).code).toBe(1);
  });

  test('1: with --check, a finding', async () => {
    const leaking = ['run', 'scenarios/node-rewritten.yaml', '--json', '--kernel', 'v2'];
    const passing = ['--set', 'expect=[]', '--set', 'config={CMA_PERNUMA_SIZE_MBYTES: 16}'];
    expect((await cmasim([...leaking, ...passing])).code).toBe(0);
    expect((await cmasim([...leaking, ...passing, '--check'])).code).toBe(1);
  });

  test.each([
    [['run', '-', '--seed', ''], small, '--seed : seed: an empty text, expected 0 to 4294967295\n'],
    [
      ['run', '-', '--set', 'title=a\nb: c: d'],
      small,
      '--set title=a\\nb: c: d: a\\nb: c: d is no YAML value\n',
    ],
    [['run', 'none.yaml'], '', 'none.yaml: no such file\n'],
    [['run', '-'], '', 'stdin:1:1: an empty file, expected a scenario\n'],
    [['run', '-'], `${small}sed: 3\n`, 'stdin:8:1: sed: unknown key, did you mean seed?\n'],
    [['run', '-', '--seed', 'x'], small, '--seed x: seed: x, expected 0 to 4294967295\n'],
    [
      ['run', '-', '--set', 'devices.nic.node=2'],
      small,
      '--set devices.nic.node=2: devices.nic.node: 2 is not in the machine, expected a node of custom (0-1)\n',
    ],
    [['machines', 'rpi5'], '', 'cmasim: machine rpi5 is not known, did you mean rpi4?\n'],
    [
      ['run', '-', '--shards', '0'],
      small,
      "error: option '--shards <count>' argument '0' is invalid. expected auto or a number from 1 to 1024\n",
    ],
    [['rnu'], '', "error: unknown command 'rnu'\n(Did you mean run?)\n"],
  ])('2: %j', async (args, input, message) => {
    expect(await cmasim(args, input)).toEqual({ code: 2, out: '', err: message });
  });

  test('a reader that goes away is no error', async () => {
    const child = spawn(process.execPath, [main, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.stdout.destroy();
    const code = await new Promise((done) => child.on('close', done));
    expect([code, err]).toEqual([0, '']);
  });
});

test('the same input gives the same bytes', async () => {
  expect((await cmasim(['run', '-'], small)).out).toBe(
    (await cmasim(['run', '-', '--shards', '2'], small)).out,
  );
});

test('--print-config prints a scenario that loads as the same, and runs nothing', async () => {
  const resolved = await cmasim(
    ['run', '-', '--print-config', '--kernel', 'v2', '--seed', '7'],
    small,
  );
  expect(resolved.out).toContain('policy: v2\n');
  expect(resolved.out).toContain('seed: 7\n');
  expect((await cmasim(['run', '-', '--print-config'], resolved.out)).out).toBe(resolved.out);
});

test('-o leaves a directory that repeats the run, and is not overwritten', async () => {
  const target = join(directory, 'out');
  const first = await cmasim(['run', '-', '-o', target], small);
  expect(first.code).toBe(0);
  const manifest = JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8'));
  expect(manifest).toMatchObject({ format: 'cmasim-manifest/1', seed: 1, kernel: '6.12' });
  const stats = JSON.parse(readFileSync(join(target, 'stats.json'), 'utf8'));
  expect(stats).toMatchObject({ format: 'cmasim-run/1', fingerprint: manifest.fingerprint });

  const again = await cmasim(['run', join(target, 'scenario.yaml'), '--json']);
  expect(JSON.parse(again.out).fingerprint).toBe(manifest.fingerprint);

  const refused = await cmasim(['run', '-', '-o', target], small);
  expect([refused.code, refused.out]).toEqual([2, '']);
  expect(refused.err).toBe(`${target}: exists, expected a new directory or --force\n`);
  expect((await cmasim(['run', '-', '-o', target, '--force', '--seed', '2'], small)).code).toBe(0);
  expect(JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')).seed).toBe(2);
});

describe('-o is tried before anything is simulated', () => {
  const foreign = mkdtempSync(join(tmpdir(), 'cmasim-'));
  writeFileSync(join(foreign, 'precious'), '');
  test.each([
    ['', [], '--output: an empty name, expected a directory'],
    [foreign, ['--force'], `${foreign}: not written by a run, expected a new directory`],
    [join(main, 'x'), [], `${main}: exists, and is no directory`],
  ])('%j %j', async (target, more, message) => {
    const { code, out, err } = await cmasim(['run', '-', '-o', target, ...more], small);
    expect([code, out, err]).toEqual([2, '', `${message}\n`]);
    expect(readdirSync(foreign)).toEqual(['precious']);
  });
});

test('runs of one name get a directory each', async () => {
  const target = join(directory, 'namesakes');
  const file = join(directory, 'same.yaml');
  writeFileSync(file, small);
  expect((await cmasim(['run', file, file, '-o', target])).code).toBe(0);
  expect(readdirSync(target)).toEqual(['same', 'same.2']);
});

test('--print-config of several scenarios loads as the same several', async () => {
  const file = join(directory, 'bare.yaml');
  writeFileSync(file, 'kernel: v2\nmachine: xeon-4p\n');
  const { out } = await cmasim(['run', '-', file, '--print-config'], small);
  expect(out).toContain('devices: null');
  expect((await cmasim(['run', '-', '--print-config'], out)).out).toBe(out);
});

test('what cannot happen before the end is noted', async () => {
  const late = small.replace('queues: 1', 'queues: 1, start: 30ms').replace('> 0', '== 0');
  expect((await cmasim(['run', '-'], late)).out).toContain(
    'nic: probe at 30000000 ns does not happen: the run ends at 20000000 ns',
  );
});

test('an output that takes nothing is one line, exit 2', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [main, 'schema'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect([status, stderr]).toEqual([2, 'cmasim: output cannot be written (ENOSPC)\n']);
});

test('several runs share one document and one directory', async () => {
  const target = join(directory, 'both');
  const file = join(directory, 'study.yaml');
  writeFileSync(file, `${small}---\ncmdline: cma=0\nexpect: []\n`);
  const { code, out } = await cmasim(['run', file, '--json', '-o', target]);
  expect(code).toBe(0);
  expect(JSON.parse(out).runs.map((run: { scenario: string }) => run.scenario)).toEqual([
    'study#1',
    'study#2',
  ]);
  expect(existsSync(join(target, 'study-2', 'manifest.json'))).toBe(true);
});

test('Ctrl-C ends a run with what it has, marked, and exit code 130', async () => {
  const endless = small
    .replace('queues: 1', 'queues: 1, traffic: steady, interval: 1us')
    .replace('20ms', '1000s');
  const file = join(directory, 'endless.yaml');
  writeFileSync(file, endless);
  // Its progress, which only a terminal is shown, says that the run is under way.
  const terminal = 'data:text/javascript,process.stderr.isTTY = true';
  const args = ['--import', terminal, main, 'run', file, '--json', '--shards', '1'];
  const run = start(process.execPath, args, { TERM: 'xterm' });
  let out = '';
  run.process.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  await run.until((output) => /[1-9][^,]* events\/s/.test(output));
  run.process.kill('SIGINT');
  const code = await run.exit;
  expect(code).toBe(130);
  const result = JSON.parse(out);
  expect(result.interrupted).toBe(true);
  expect(result.events).toBeGreaterThan(0);
});

test.each(['run', 'replay', 'kernels', 'machines', 'devices', 'schema'])(
  '%s --help explains itself on stdout',
  async (verb) => {
    const { code, out, err } = await cmasim([verb, '--help']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`Usage: cmasim ${verb}`);
  },
);

test.each(['kernels', 'machines', 'devices'])(
  '%s --json is one document with its format',
  async (verb) => {
    expect(JSON.parse((await cmasim([verb, '--json'])).out).format).toBe(`cmasim-${verb}/1`);
  },
);

test('progress tells share, rate and remaining time', () => {
  const progress = { simulatedNs: 4e6, stopNs: 10e6, events: 2_620_000 };
  expect(progressText('rack', progress, 2000)).toBe(
    'rack: 40 %, 4 ms of 10 ms simulated, 1.31 M events/s, 3 s left',
  );
});
