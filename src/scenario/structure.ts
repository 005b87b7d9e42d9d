/**
 * What YAML allows and a scenario has no use for: keys that are no names, the same key twice,
 * aliases that lead nowhere or into themselves.
 *
 * Looked for on the parsed nodes, before they become data, because data has lost their places.
 */

import type { Alias, Document, Node, Pair, YAMLMap } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, visit } from 'yaml';

/** Throws: `node` stands where the mistake is. */
export type Fail = (node: Node | null | undefined, message: string) => never;

type AnyPair = Pair<Node | null, Node | null>;

/** Calls `fail` for the first mistake in the order of the text. */
export function checkStructure(document: Document, fail: Fail): void {
  const anchors = new Map<string, Node>();
  visit(document, {
    Pair: (_, pair) => checkMerge(pair as AnyPair, anchors, fail),
    Scalar: (_, scalar) => remember(scalar, anchors),
    Seq: (_, list) => remember(list, anchors),
    Map: (_, map) => {
      remember(map, anchors);
      checkKeys(map, fail);
    },
    Alias: (_, alias, path) => {
      const target = anchors.get(alias.source);
      if (!target) fail(alias, `*${alias.source}: no anchor of that name before it`);
      if (path.includes(target)) fail(alias, `*${alias.source}: a part of what it stands for`);
    },
  });
}

/** An alias means the last node before it that has its name. */
function remember(node: Node & { anchor?: string }, anchors: Map<string, Node>): void {
  if (node.anchor !== undefined) anchors.set(node.anchor, node);
}

function checkKeys(map: YAMLMap, fail: Fail): void {
  const seen = new Set<string>();
  for (const { key } of map.items as AnyPair[]) {
    if (!isScalar(key)) fail(key ?? map, 'a key that is a list or a mapping, expected a name');
    if (key.value === null) fail(key.range ? key : map, 'an empty key, expected a name');
    const name = keyText(key.value);
    // A property of that name would be the parent of all data, not a part of it.
    if (name === '__proto__') fail(key, `${name}: unknown key`);
    if (seen.has(name)) fail(key, `${name}: a second time in one mapping, expected once`);
    if (name !== '<<') seen.add(name);
  }
}

/** The parser reads the key of a merge as a symbol. */
function keyText(value: unknown): string {
  return typeof value === 'symbol' ? (value.description ?? '') : String(value);
}

/** `<<` takes a mapping, an alias of one, or a list of these. */
function checkMerge({ key, value }: AnyPair, anchors: Map<string, Node>, fail: Fail): void {
  if (!isScalar(key) || keyText(key.value) !== '<<') return;
  for (const source of isSeq(value) ? value.items : [value]) {
    const target = isAlias(source) ? anchors.get(source.source) : source;
    // An alias that leads nowhere is named as such when its turn comes.
    if (isMap(target) || (isAlias(source) && !target)) continue;
    fail(isNode(source) ? source : key, '<<: expected a mapping to merge, or an alias of one');
  }
}

/**
 * Puts what aliases stand for in their place, so that nodes can be changed one by one and taken
 * into another document. They must have been checked, and have become data once, within the
 * parser's limit on expansion.
 */
export function inlineAliases(document: Document): void {
  const anchors = new Map<string, Node>();
  visit(document, {
    Scalar: (_, scalar) => remember(scalar, anchors),
    Seq: (_, list) => remember(list, anchors),
    Map: (_, map) => remember(map, anchors),
    Alias: (_, alias: Alias) => anchors.get(alias.source)?.clone() as Node,
  });
}
