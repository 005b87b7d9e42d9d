/** A file that is not there, is a directory, may not be read or is empty: one wording for all verbs. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bootCommand } from '#cmasim/cli/boot.js';
import { diffCommand } from '#cmasim/cli/diff.js';
import { exportCommand } from '#cmasim/cli/export.js';
import { importCommand } from '#cmasim/cli/import.js';
import { mergeCommand } from '#cmasim/cli/merge.js';
import { usersMistake } from '#cmasim/cli/mistake.js';
import { queryCommand } from '#cmasim/cli/query.js';
import { replayCommand } from '#cmasim/cli/replay.js';
import { runCommand } from '#cmasim/cli/run.js';
import { sizeCommand } from '#cmasim/cli/size.js';
import { sweepCommand } from '#cmasim/cli/sweep.js';
import { traceCommand } from '#cmasim/cli/trace.js';
import { whyCommand } from '#cmasim/cli/why.js';
import { fileError } from '#cmasim/files/fileError.js';

const commands = [
  runCommand(),
  whyCommand(),
  bootCommand(),
  sizeCommand(),
  sweepCommand(),
  mergeCommand(),
  queryCommand(),
  replayCommand(),
  diffCommand(),
  exportCommand(),
  traceCommand(),
  importCommand(),
];
const folder = mkdtempSync(join(tmpdir(), 'cmasim-mistakes-'));
const at = (name: string) => join(folder, name);
const trace = fileURLToPath(
  new URL('../kernel/traces/x86-7.2-life/lifecycle.trace.gz', import.meta.url),
);

mkdirSync(at('directory.yaml'));
writeFileSync(at('empty.yaml'), '');
writeFileSync(at('small.yaml'), 'kernel: 6.12\nmachine: kunpeng920-2p\nstop: 1us\n');
writeFileSync(at('barred.yaml'), 'kernel: 6.12\n');
chmodSync(at('barred.yaml'), 0);

/** Root reads everything. */
const readsAll = process.getuid?.() === 0;

/** Every way in which a verb is given a file, and what it expects there. */
const verbs: readonly (readonly [verb: string, args: (file: string) => string[], what: string])[] =
  [
    ['run', (file) => ['run', file], 'a scenario'],
    ['run --machine', (file) => ['run', at('small.yaml'), '--machine', file], 'a machine'],
    ['why', (file) => ['why', file], 'a scenario'],
    ['boot', (file) => ['boot', file], 'a scenario'],
    ['boot --check', (file) => ['boot', '--check', file], 'recorded boots'],
    ['size', (file) => ['size', file], 'a scenario'],
    ['sweep', (file) => ['sweep', file], 'a study'],
    ['replay', (file) => ['replay', file], 'a recording'],
    ['diff', (file) => ['diff', file, '--a', 'seed=1'], 'a scenario'],
    ['export', (file) => ['export', file, '--to', 'ftrace', '-o', '-'], 'a scenario'],
    ['trace', (file) => ['trace', file], 'a recording'],
    ['trace --check', (file) => ['trace', trace, '--check', file], 'a summary.json'],
    ['import', (file) => ['import', file], 'a description of a machine'],
  ];

/** Verbs that read directories say what is not in this one. */
const ofDirectories: Readonly<Record<string, string>> = {
  why: 'no manifest.json, expected a directory of run -o',
  diff: 'no manifest.json, expected a directory of run -o',
  export: 'no manifest.json, expected a directory of run -o',
  'boot --check': 'no dmesg.txt or dmesg.txt.gz in it',
  replay: 'no machine/ beside it, expected --machine DIR of its server',
  import: 'no readable file in it',
};

/** The line a verb ends with; any error but the user's fails the test. */
async function complaint([verb, ...args]: string[]): Promise<string> {
  const command = commands.find((one) => one.name() === verb)!;
  try {
    await command.exitOverride().parseAsync(args, { from: 'user' });
  } catch (error) {
    const mistake = usersMistake(error);
    if (mistake === null) throw error;
    expect(mistake.exitCode).toBe(2);
    expect(mistake.message).toMatch(/^[^\n]+$/);
    return mistake.message;
  }
  throw new Error('nothing was wrong');
}

test.each(verbs)('%s', async (verb, args, what) => {
  const missing = at('missing.yaml');
  expect(await complaint(args(missing))).toContain(`${missing}: no such file`);
  const directory = at('directory.yaml');
  const wrong = ofDirectories[verb] ?? 'a directory, expected a file';
  expect(await complaint(args(directory))).toContain(`${directory}: ${wrong}`);
  const empty = at('empty.yaml');
  expect(await complaint(args(empty))).toContain(`${empty}:1:1: an empty file, expected ${what}`);
  const barred = at('barred.yaml');
  if (!readsAll)
    expect(await complaint(args(barred))).toContain(`${barred}: no permission to read`);
});

test('what the file system refuses is the words of one table, whoever asked', () => {
  const words = (code: string, access: 'read' | 'write') =>
    (fileError('f', Object.assign(new Error(), { code, syscall: 'open' }), access) as Error)
      .message;
  expect(words('EACCES', 'read')).toBe('f: no permission to read');
  expect(words('EACCES', 'write')).toBe('f: no permission to write');
  expect(words('EISDIR', 'read')).toBe('f: a directory, expected a file');
  expect(words('ENOTDIR', 'read')).toBe('f: a file stands in its path, expected a directory');
  expect(words('ENOSPC', 'write')).toBe('f: no space left on the disk');
  expect(words('EROFS', 'write')).toBe('f: the file system is read-only');
  expect(words('EBUSY', 'read')).toBe('f: cannot be read (EBUSY)');
});

test.each([
  [['run', 'small.yaml', '-o', 'empty.yaml/x'], 'exists, and is no directory'],
  [['export', 'small.yaml', '--to', 'ftrace', '-o', 'directory.yaml', '--force'], 'a directory'],
  [['export', 'small.yaml', '--to', 'kernelfs', '-o', 'empty.yaml', '--force'], 'empty.yaml'],
  [['sweep', 'small.yaml', '-o', 'empty.yaml/x'], ''],
  [['merge', 'out', 'directory.yaml'], 'no study.json, expected a results directory'],
  [['query', 'select 1', 'directory.yaml'], 'no results directory'],
])('where nothing can be read or written: %j', async (args, message) => {
  expect(await complaint(args.map((arg) => (/yaml|^out$/.test(arg) ? at(arg) : arg)))).toContain(
    message,
  );
});

test('a file of the command itself that is missing is our bug, any other is a mistake', () => {
  const missing = (path: string) =>
    Object.assign(new Error(), { code: 'ENOENT', syscall: 'open', path });
  const ours = fileURLToPath(new URL('../../package.json', import.meta.url));
  expect(usersMistake(missing(ours))).toBe(null);
  expect(usersMistake(missing('package.json'))?.message).toBe('package.json: no such file');
});

const recorder = readFileSync(new URL('../../scenarios/recorder.mjs', import.meta.url), 'utf8');

test.each([
  [
    'checks its keys',
    '    config,\n',
    "config: config.refine(() => { throw new Error('not here'); }),\n",
  ],
  ['says its memory', '(c) => [{', "() => { throw new Error('not here'); }, x: () => [{"],
])('a module that throws when it %s is the mistake of its line', async (name, from, to) => {
  const kind = name.replaceAll(' ', '-');
  const text = recorder.replace("kind: 'recorder'", `kind: '${kind}'`).replace(from, to);
  writeFileSync(at(`${kind}.mjs`), text.replace('bytes: c.buffer', 'bytes: 1'));
  const scenario = `modules: [./${kind}.mjs]\ndevices: { it: { kind: ${kind} } }\n`;
  writeFileSync(at('own.yaml'), `kernel: 6.12\nmachine: kunpeng920-2p\nstop: 1us\n${scenario}`);
  const expected = new RegExp(`${kind}\\.mjs:\\d+:\\d+: not here$`);
  expect(await complaint(['run', at('own.yaml')])).toMatch(expected);
});
