/**
 * The shape of the source: dependencies point one way, the model knows no clock and no chance but its own,
 * and no file outgrows a reader.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { codeLines, exportedNames, longSignatures } from './source.js';

const root = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();
const source = new Map(files.map((name) => [name, readFileSync(join(root, name), 'utf8')]));

/** What the source may have of each; a limit only ever falls. */
const limits = {
  filesInCircles: 0,
  sameNames: 0,
  longLines: 0,
  longSignatures: 10,
  codeLines: 32_200,
};

/** First folder of a file, or the file itself at the top: `mm`, `cli`, `index.ts`. */
function partOf(file: string): string {
  return file.split('/')[0];
}

/** Our own files that a file imports, statically, on demand, for its types, or by URL for a thread. */
function importsOf(file: string): string[] {
  const found = source.get(file)!.matchAll(/(?:from|import|import\(|new URL\()\s*'(\.[^']+\.js)'/g);
  return [...found].map(([, path]) => {
    return relative(root, resolve(root, dirname(file), path!)).replace(/\.js$/, '.ts');
  });
}

/**
 * The rooms of the house, and what each may know besides itself. Whoever is not listed under a room is
 * unknown to it: a study knows runs, a run knows no study; scenarios know no recordings; kinds of
 * devices know no actor.
 */
const model = ['mm', 'sim', 'machine', 'wire', 'devices', 'nodes'];
/** Texts and files, for every room but the model. */
const low = ['text', 'files'];
const below: Readonly<Record<string, readonly string[]>> = {
  mm: [],
  sim: [],
  text: [],
  files: ['text'],
  machine: ['mm', 'sim'],
  wire: ['mm', 'sim', 'machine'],
  devices: ['wire', 'machine', 'mm', 'sim'],
  nodes: ['devices', 'wire', 'machine', 'mm', 'sim'],
  scenario: [...low, ...model],
  trace: ['mm', ...low],
  boot: ['scenario', 'trace', ...low, ...model],
  tables: ['run', 'scenario', ...low, ...model],
  // Threads are started by the URL of what they run, which lies beside src.
  run: ['..', 'boot', 'scenario', ...low, ...model],
  explain: ['run', 'scenario', ...low, ...model],
  study: ['..', 'explain', 'run', 'tables', 'scenario', ...low, ...model],
  size: ['study', 'boot', 'run', 'scenario', ...low, ...model],
  diff: ['study', 'run', 'scenario', ...low, ...model],
  replay: ['run', 'boot', 'trace', 'scenario', ...low, ...model],
  export: ['replay', 'run', 'tables', 'scenario', ...low, ...model],
};

/** Parts a part may import besides itself. */
function allowed(part: string): readonly string[] {
  if (part === 'cli') return ['index.ts', ...Object.keys(below)];
  if (part === 'index.ts') return Object.keys(below);
  return below[part] ?? [];
}

test('every folder has its place in the order of dependencies', () => {
  const known = new Set(['cli', 'index.ts', ...Object.keys(below)]);
  expect([...new Set(files.map(partOf))].filter((part) => !known.has(part))).toEqual([]);
});

test.each([...new Set(files.map(partOf))])('%s imports only what lies below it', (part) => {
  const wrong = files
    .filter((file) => partOf(file) === part)
    .flatMap((file) => importsOf(file).map((target) => [file, target] as const))
    .filter(([, target]) => partOf(target) !== part && !allowed(part).includes(partOf(target)))
    .map(([file, target]) => `${file} -> ${target}`);
  expect(wrong).toEqual([]);
});

describe('the model has no clock, no chance and no files of its own', () => {
  const forbidden = [
    'Date.now',
    'performance.now',
    'hrtime',
    'Math.random',
    'setTimeout',
    'Promise.race',
    'node:fs',
  ];
  const modelled = files.filter((file) => model.includes(partOf(file)));
  test.each(forbidden)('%s', (word) => {
    // The thing itself, and not a property of that name such as the clock XState is given.
    const used = new RegExp(`(?<![.\\w])${word.replaceAll('.', '\\.')}\\b(?!\\s*:)`);
    expect(modelled.filter((file) => used.test(withoutComments(source.get(file)!)))).toEqual([]);
  });
});

test('files are opened in one room, and by those who keep a folder of their own', () => {
  const opens = files.filter((file) => /from 'node:fs(?:\/promises)?'/.test(source.get(file)!));
  expect(opens.filter((file) => partOf(file) !== 'files')).toEqual([
    'cli/collect.ts', // a tree of files of which some may not be read
    'cli/output.ts', // our own package.json
    'cli/query.ts', // a temporary folder
    'cli/recording.ts', // whether two paths are one place
    'cli/runDirectory.ts', // the folder of a run
    'study/identity.ts', // our own code
    'study/journal.ts', // the folder of a study
    'study/results.ts',
  ]);
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

test('every file begins by saying what it is', () => {
  const wrong = files.filter((file) => !/^(#!.*\n)?\/\*\*\n/.test(source.get(file)!));
  expect(wrong).toEqual([]);
});

test('no file is a drawer for odds and ends, and none is longer than 400 lines', () => {
  const drawers = ['utils.ts', 'types.ts', 'helpers.ts', 'constants.ts'];
  expect(files.filter((file) => drawers.includes(basename(file)))).toEqual([]);
  const long = files.filter((file) => source.get(file)!.trimEnd().split('\n').length > 400);
  expect(long).toEqual([]);
});

/** Files that import each other, types included, each with the reason why it may. */
const circles: Readonly<Record<string, string>> = {
  'sim/loop.ts': 'the loop calls behaviours, which post to it: one contract, from both sides',
  'sim/model.ts': 'the other side of it',
};

test('no file imports itself by a circle, not for types either', () => {
  const targets = new Map(files.map((file) => [file, importsOf(file)]));
  const reach = (from: string): Set<string> => {
    const seen = new Set<string>();
    const next = [...targets.get(from)!];
    for (let file = next.pop(); file !== undefined; file = next.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      next.push(...(targets.get(file) ?? []));
    }
    return seen;
  };
  const circular = files.filter((file) => !(file in circles) && reach(file).has(file));
  expect(circular.length, circular.join('\n')).toBeLessThanOrEqual(limits.filesInCircles);
});

/** Names that two files export, each with the reason why. */
const sameNames: Readonly<Record<string, string>> = {};

test('one name stands for one thing: no two files export it', () => {
  const owners = new Map<string, string[]>();
  for (const [file, text] of source) {
    for (const name of new Set(exportedNames(file, text))) {
      owners.set(name, [...(owners.get(name) ?? []), file]);
    }
  }
  const twice = [...owners]
    .filter(([name, list]) => list.length > 1 && !(name in sameNames))
    .map(([name, list]) => `${name}: ${list.join(', ')}`);
  expect(twice.length, twice.join('\n')).toBeLessThanOrEqual(limits.sameNames);
});

test('no line is longer than 100 columns', () => {
  const long = [...source].flatMap(([file, text]) =>
    text
      .split('\n')
      .map((line, i) => ({ length: line.length, at: `${file}:${i + 1}` }))
      .filter(({ length }) => length > 100)
      .map(({ at }) => at),
  );
  expect(long.length, long.join('\n')).toBeLessThanOrEqual(limits.longLines);
});

test('functions with five parameters or more are the exception', () => {
  const long = [...source].flatMap(([file, text]) => longSignatures(file, text, 5));
  expect(long.length, long.join('\n')).toBeLessThanOrEqual(limits.longSignatures);
});

test('the source stays within its budget of lines of code', () => {
  const sum = [...source].reduce((lines, [file, text]) => lines + codeLines(file, text), 0);
  expect(sum).toBeLessThanOrEqual(limits.codeLines);
});
