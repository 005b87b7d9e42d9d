/** What the tests of the source's shape read in a file: names, signatures, lines that are code. */

import { type ParseResult, parseSync, Visitor } from 'oxc-parser';

const parsed = new Map<string, ParseResult>();

function parse(file: string, text: string): ParseResult {
  const known = parsed.get(file) ?? parseSync(file, text);
  parsed.set(file, known);
  return known;
}

/** Names that a file declares and exports; what it only passes on is not its own. */
export function exportedNames(file: string, text: string): string[] {
  const { staticExports, staticImports } = parse(file, text).module;
  const imported = new Set(
    staticImports.flatMap(({ entries }) => entries.map(({ localName }) => localName.value)),
  );
  return staticExports
    .flatMap(({ entries }) => entries)
    .filter(({ moduleRequest, localName }) => {
      return moduleRequest === null && !imported.has(localName.name ?? '');
    })
    .flatMap(({ exportName }) => (exportName.name === null ? [] : [exportName.name]));
}

/** Functions of `least` parameters or more, as file:line. */
export function longSignatures(file: string, text: string, least: number): string[] {
  const found: string[] = [];
  const look = (node: { params: readonly unknown[]; body: unknown; start: number }): void => {
    if (node.params.length < least || node.body === null) return;
    found.push(`${file}:${text.slice(0, node.start).split('\n').length}`);
  };
  const visitor = new Visitor({
    FunctionDeclaration: look,
    FunctionExpression: look,
    ArrowFunctionExpression: look,
  });
  visitor.visit(parse(file, text).program);
  return found;
}

/** Lines that hold more than blanks and comments. */
export function codeLines(file: string, text: string): number {
  let code = text;
  for (const { start, end } of parse(file, text).comments) {
    const comment = text.slice(start, end).replaceAll(/[^\n]/g, ' ');
    code = code.slice(0, start) + comment + code.slice(end);
  }
  return code.split('\n').filter((line) => line.trim() !== '').length;
}
