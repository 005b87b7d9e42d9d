/**
 * What zod found wrong, as one line: the thing, the value, what was expected.
 */

import { z } from 'zod';
import { found } from '../machine/values.js';
import type { Source } from './document.js';
import type { ScenarioError } from './error.js';
import { didYouMean } from './suggest.js';

type Issue = z.core.$ZodIssue;

/** Where the data stands in the document, and what may stand beside the keys of the schema. */
interface Where {
  readonly root?: readonly PropertyKey[];
  readonly besides?: readonly string[];
}

/** What `schema` makes of `data`. Throws ScenarioError for the first mistake. */
export function readKeys<Schema extends z.ZodType>(
  source: Source,
  schema: Schema,
  data: unknown,
  where: Where = {},
): z.output<Schema> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw explain(source, parsed.error.issues[0], { ...where, schema, data });
}

function explain(
  source: Source,
  issue: Issue,
  { root = [], besides = [], schema, data }: Where & { schema: z.ZodType; data: unknown },
): ScenarioError {
  const deepest = deepen(issue);
  const path = [...root, ...deepest.path];
  const value = valueAt(data, deepest.path);
  switch (deepest.code) {
    case 'unrecognized_keys': {
      const key = deepest.keys[0];
      const known = keysAt(schema, deepest.path);
      const hint = didYouMean(key, deepest.path.length > 0 ? known : [...known, ...besides]);
      return source.error([...path, key], `unknown key, ${hint}`, { key: true });
    }
    case 'invalid_key': {
      const [inner] = deepest.issues;
      return source.error(path, inner?.message ?? 'not a name', { key: true });
    }
    case 'invalid_union':
      if (!('options' in deepest) || !Array.isArray(deepest.options)) {
        return source.error(path, deepest.message);
      }
      return source.error(
        path,
        `${found(value)}, ${didYouMean(found(value), deepest.options.map(String))}`,
      );
    default:
      return source.error(path, stated(deepest, value));
  }
}

/** Of a union's branches, the one that got furthest into the value: there the mistake is. */
function deepen(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  let best: Issue | undefined;
  for (const [first] of issue.errors) {
    if (!first) continue;
    const inner = deepen(first);
    const further = inner.path.length > 0 || inner.code === 'unrecognized_keys';
    if (further && (!best || inner.path.length > best.path.length)) best = inner;
  }
  return best ? { ...best, path: [...issue.path, ...best.path] } : issue;
}

/** Our own messages begin with what was found; zod's are replaced by ones that do. */
function stated(issue: Issue, value: unknown): string {
  const own = !/^(Invalid|Too|Unrecognized|Expected|Missing)\b/.test(issue.message);
  return own ? issue.message : `${found(value)}, expected ${wanted(issue)}`;
}

function wanted(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return article(issue.expected);
    case 'too_small':
      return [
        issue.inclusive ? 'at least' : 'more than',
        issue.minimum,
        ...(issue.origin === 'array' ? ['entry'] : []),
      ].join(' ');
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return `a text that matches ${issue.pattern ?? issue.format}`;
    default:
      return issue.message.toLowerCase();
  }
}

function article(type: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'text',
    int: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  };
  return names[type] ?? type;
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  return value;
}

/** Keys the schema knows at a path; none where it takes any. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let level: z.ZodType[] = [schema];
  for (const part of path) level = level.flatMap((one) => step(one, part));
  return [...new Set(level.flatMap((one) => shapesOf(one).flatMap((shape) => Object.keys(shape))))];
}

function step(schema: z.ZodType, part: PropertyKey): z.ZodType[] {
  const plain = unwrapped(schema);
  if (plain instanceof z.ZodUnion) {
    return (plain.options as z.ZodType[]).flatMap((option) => step(option, part));
  }
  if (plain instanceof z.ZodObject) {
    const next = (plain.shape as Record<PropertyKey, z.ZodType>)[part];
    return next ? [next] : [];
  }
  if (plain instanceof z.ZodRecord) return [plain.valueType as z.ZodType];
  if (plain instanceof z.ZodArray) return [plain.element as z.ZodType];
  return [];
}

function shapesOf(schema: z.ZodType): Record<string, unknown>[] {
  const plain = unwrapped(schema);
  if (plain instanceof z.ZodUnion) return (plain.options as z.ZodType[]).flatMap(shapesOf);
  return plain instanceof z.ZodObject ? [plain.shape] : [];
}

function unwrapped(schema: z.ZodType): z.ZodType {
  let inner = schema;
  for (;;) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault)
      inner = inner.unwrap() as z.ZodType;
    else if (inner instanceof z.ZodPipe) inner = inner.in as z.ZodType;
    else return inner;
  }
}
