/**
 * A YAML file as documents whose every value knows its place.
 *
 * Later documents of a file are variants: they keep the first one's keys and replace those they
 * name. `--set` and other options of the command line go in before anything is checked.
 */

import type { Node, Pair, YAMLMap } from 'yaml';
import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  Scalar,
} from 'yaml';
import { found } from '../machine/values.js';
import type { Place } from '../text/userError.js';
import { ScenarioError } from './error.js';
import { ExpressionError } from './expect.js';
import { checkStructure, type Fail, inlineAliases } from './structure.js';

/** One change from the command line; `option` is how an error calls it, such as `--set seed=x`. */
export interface Override {
  /** `devices.nic0.node` */
  readonly path: string;
  /** YAML. */
  readonly value: string;
  readonly option: string;
}

type Path = readonly PropertyKey[];

interface SourceParts {
  document: Document;
  lines: LineCounter;
  overrides: readonly Override[];
}

/** A document of a file, with its overrides. */
export class Source {
  readonly file: string;
  private readonly document: Document;
  private readonly lines: LineCounter;
  private readonly overrides: readonly Override[];

  constructor(file: string, { document, lines, overrides }: SourceParts) {
    this.file = file;
    this.document = document;
    this.lines = lines;
    this.overrides = overrides;
  }

  /** The document as plain data; keys without a value are left out. */
  data(): Record<string, unknown> {
    let data: unknown;
    try {
      data = this.document.toJS();
    } catch (error) {
      // Aliases that expand without end are refused by the parser itself.
      throw new ScenarioError(this.place([]), lowerFirst((error as Error).message));
    }
    const entries = Object.entries(data as Record<string, unknown>);
    return Object.fromEntries(entries.filter(([, value]) => value !== null));
  }

  /** Where the value at `path` stands, or the nearest thing that holds it. */
  place(path: Path, { key = false, offset = 0 }: { key?: boolean; offset?: number } = {}): Place {
    const dotted = path.map(String).join('.');
    const set = this.overrides.findLast(
      ({ path: at }) => dotted === at || dotted.startsWith(`${at}.`),
    );
    if (set) return { file: set.option };
    const node = this.nodeAt(path, key);
    // What an option has put there has no place in the file.
    const maker = node?.range ? undefined : this.makerOf(path);
    if (maker) return { file: maker.option };
    const start = node?.range?.[0] ?? 0;
    const quoted = isScalar(node) && node.type?.startsWith('QUOTE') ? 1 : 0;
    // Offsets into folded or escaped text do not lead back to a column.
    const flow = isScalar(node) && (node.type === 'PLAIN' || quoted === 1);
    const shift = flow ? quoted * Math.sign(offset) + offset : 0;
    return placeAt(this.file, this.lines, start + shift);
  }

  /** The option that made the value at `path`, or the nearest thing that holds it. */
  private makerOf(path: Path): Override | undefined {
    for (let length = path.length; length > 0; length--) {
      const prefix = path.slice(0, length).map(String).join('.');
      const maker = this.overrides.findLast(
        ({ path: at }) => at === prefix || at.startsWith(`${prefix}.`),
      );
      if (maker) return maker;
    }
    return undefined;
  }

  error(path: Path, message: string, at: { key?: boolean; offset?: number } = {}): ScenarioError {
    const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
    const text = name.join('').replace(/^\./, '');
    return new ScenarioError(this.place(path, at), text === '' ? message : `${text}: ${message}`);
  }

  /** What `parse` makes of the text there; an error of the expression is one of its place. */
  parsed<T>(path: Path, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw this.error(path, error.message, { offset: error.offset });
    }
  }

  private nodeAt(path: Path, key: boolean): Node | undefined {
    let node = this.document.contents as Node | null;
    for (let i = 0; i < path.length; i++) {
      if (!isCollection(node)) break;
      const part = path[i];
      if (key && i === path.length - 1 && isMap(node))
        return (pairOf(node, part)?.key as Node | undefined) ?? node;
      const next = isMap(node)
        ? pairOf(node, part)?.value
        : (node.get(part as number, true) as Node | undefined);
      // A key without a value has no node of its own worth pointing at.
      if (next === undefined || next === null)
        return isMap(node) ? ((pairOf(node, part)?.key as Node | undefined) ?? node) : node;
      node = next;
    }
    return node ?? undefined;
  }
}

/** By the key's text: a path says `1` where YAML has read the number 1. */
function pairOf(map: YAMLMap, key: PropertyKey): Pair<unknown, Node | null> | undefined {
  const pair = map.items.find(({ key: k }) => String(isScalar(k) ? k.value : k) === String(key));
  return pair as Pair<unknown, Node | null> | undefined;
}

/** Throws ScenarioError for text that is no YAML, or YAML that is no mapping. */
export function parseSources(
  file: string,
  text: string,
  overrides: readonly Override[] = [],
): Source[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    // Looked for in structure.ts: the parser compares every key with every other.
    uniqueKeys: false,
  });
  if (!Array.isArray(documents) || documents.length === 0) throw empty(file);
  const list = documents.filter(({ contents }, i) => i === 0 || contents !== null) as Document[];
  if (list.length === 1 && list[0].contents === null) throw empty(file);
  const fail: Fail = (node, message) => {
    throw new ScenarioError(placeAt(file, lines, node?.range?.[0] ?? 0), message);
  };
  for (const document of list) checkDocument(document, { file, lines, fail });
  for (const document of list) {
    // Aliases that expand without end are refused here.
    new Source(file, { document, lines, overrides: [] }).data();
    inlineAliases(document);
  }
  const base = list[0];
  const changes = overrides.map((one) => ({ ...one, path: dotted(one.path) }));
  return list.map((document) => {
    const whole = document === base ? document : variant(base, document);
    for (const change of changes) applyOverride(whole, change);
    namesAsText(whole);
    return new Source(file, { document: whole, lines, overrides: changes });
  });
}

/** `timeline[0].size`, as messages write it, is `timeline.0.size`. */
function dotted(path: string): string {
  return path.replaceAll(/\[(\d+)\]/g, '.$1');
}

function placeAt(file: string, lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), col: Math.max(1, col) };
}

function checkDocument(
  document: Document,
  { file, lines, fail }: { file: string; lines: LineCounter; fail: Fail },
): void {
  const wrong = document.errors[0] ?? document.warnings[0];
  if (wrong) {
    const [first = ''] = wrong.message.split('\n');
    const deep = first.startsWith('Maximum call stack');
    const message = deep ? 'nested too deeply to be read' : lowerFirst(first);
    throw new ScenarioError(placeAt(file, lines, wrong.pos[0]), message);
  }
  const { contents } = document;
  if (isMap(contents)) return checkStructure(document, fail);
  const isText = isScalar(contents) && contents.value !== null;
  const what = isText
    ? `the text ${snippet(contents.value)}`
    : isScalar(contents)
      ? 'nothing'
      : 'a list';
  fail(contents, `${what}, expected a mapping of keys such as kernel and machine`);
}

function lowerFirst(text: string): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}

function empty(file: string): ScenarioError {
  return new ScenarioError({ file, line: 1, col: 1 }, 'an empty file, expected a scenario');
}

function snippet(value: unknown): string {
  const text = found(value).replaceAll(/\s+/g, ' ');
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** The first document with the keys that `document` replaces; nodes keep their places. */
function variant(base: Document, document: Document): Document {
  const whole = document.clone();
  const replaced = whole.contents as YAMLMap;
  const own = new Set(replaced.items.map(({ key }) => String(key)));
  const kept = (base.contents as YAMLMap).clone() as YAMLMap;
  // `title` says what one document is about.
  const items = kept.items.filter(({ key }) => !own.has(String(key)) && String(key) !== 'title');
  replaced.items.unshift(...(items as Pair<never, never>[]));
  return whole;
}

function applyOverride(document: Document, { path, value, option }: Override): void {
  const fail = (message: string): never => {
    throw new ScenarioError({ file: option }, message);
  };
  const keys = path.split('.');
  if (keys.some((key) => key === '')) fail('an empty key, expected key.key=value');
  if (keys.includes('__proto__')) fail('__proto__: unknown key');
  const [given] = parseAllDocuments(value, { prettyErrors: false, uniqueKeys: false });
  if (given && given.errors.length > 0) fail(`${value} is no YAML value`);
  if (given) checkStructure(given as Document, (_, message) => fail(message));
  const node = (given?.contents ?? new Scalar(null)) as Node;
  // `--set machine.on_die=70` of a preset's name means that preset, changed.
  const machine = document.get('machine');
  if (keys[0] === 'machine' && keys.length > 1 && typeof machine === 'string') {
    document.set('machine', document.createNode({ preset: machine }));
  }
  keys.forEach((key, i) => {
    const list = document.getIn(keys.slice(0, i), true);
    if (!isSeq(list) || Number(key) <= list.items.length) return;
    const count = list.items.length;
    fail(`${keys.slice(0, i).join('.')} has ${count} entries, expected a number up to ${count}`);
  });
  try {
    document.setIn(keys, node);
  } catch {
    fail(`${keys.slice(0, -1).join('.')} has no keys, expected a mapping or a list`);
  }
}

/** `kernel: 5.10` is a name: the number 5.1 would be another kernel. */
function namesAsText(document: Document): void {
  for (const key of ['kernel', 'policy', 'cmdline', 'title']) {
    const node = document.get(key, true);
    if (isScalar(node) && typeof node.value === 'number' && node.source) node.value = node.source;
  }
}
