/**
 * Axes of a study and their combinations: lists, ranges, axes that move together, conditions.
 */

import { type Document, isScalar, isSeq } from 'yaml';
import { parseSize, parseTime, sizeWord, timeWord } from '../mm/units.js';
import type { Source } from '../scenario/document.js';
import { judge, parseExpression } from '../scenario/expect.js';
import { didYouMean } from '../scenario/suggest.js';
import type { AxisKeys, StudyFile } from './schema.js';
import type { AxisValue } from './study.js';

export interface Axis {
  readonly name: string;
  /** Key of the scenario; null: its values are used by `set` alone. */
  readonly key: string | null;
  readonly values: readonly AxisPoint[];
}

interface AxisPoint {
  readonly value: AxisValue;
  /** The value as YAML, as it stands in the file. */
  readonly yaml: string;
}

/** One value of every axis, by name. */
export type Combination = ReadonlyMap<string, AxisPoint>;

/** Columns of the tables that an axis or a label cannot be called. */
export const takenNames: readonly string[] = [
  ...['variant', 'document', 'run', 'scenario', 'seed', 'fingerprint', 'replication'],
  ...['statistic', 'actor', 'measure', 'unit', 'class', 'kind', 'count', 'mean'],
  ...['min', 'p50', 'p90', 'p99', 'p999', 'max', 'deviation', 'baseline', 'difference'],
];

const combinationsMax = 1_000_000;

/** The axes as the file has them. Throws ScenarioError. */
export function readAxes(file: StudyFile): Axis[] {
  const { source, keys } = file;
  const used = JSON.stringify(keys.set ?? {});
  return Object.entries(keys.axes ?? {}).map(([name, axis]): Axis => {
    if (takenNames.includes(name)) {
      const message = 'a column of the tables, expected another name';
      throw source.error(['axes', name], message, { key: true });
    }
    const given = Array.isArray(axis) ? undefined : axis.key;
    const key = given ?? (used.includes(`{${name}}`) ? null : name);
    return { name, key, values: axisPoints(file, name, axis) };
  });
}

function axisPoints({ source, document }: StudyFile, name: string, axis: AxisKeys): AxisPoint[] {
  const path = ['axes', name];
  if (Array.isArray(axis)) return listed(document, path);
  const isRange = axis.from !== undefined || axis.to !== undefined;
  if (axis.values !== undefined) {
    if (isRange) throw source.error(path, 'values and a range, expected one of them');
    return listed(document, [...path, 'values']);
  }
  if (axis.from === undefined || axis.to === undefined) {
    throw source.error(path, 'no values, expected a list, or from and to');
  }
  return rangePoints(source, path, axis);
}

/** `5.10` in a list of kernels is a name: the number 5.1 would be another. */
function listed(document: Document, path: readonly string[]): AxisPoint[] {
  const node = document.getIn(path, true);
  if (!isSeq(node)) return [];
  return node.items.map((item): AxisPoint => {
    const value = (isScalar(item) ? item.value : String(item)) as AxisValue;
    const written = isScalar(item) && item.type === 'PLAIN' ? item.source : undefined;
    if (typeof value === 'number' && written !== undefined && String(value) !== written) {
      return { value: written, yaml: written };
    }
    return { value, yaml: JSON.stringify(value) };
  });
}

interface Quantity {
  readonly value: number;
  readonly unit: 'number' | 'size' | 'time';
}

function quantity(written: AxisValue): Quantity | undefined {
  if (typeof written === 'number') return { value: written, unit: 'number' };
  if (typeof written !== 'string') return undefined;
  const size = parseSize(written);
  if (size !== undefined) return { value: size, unit: 'size' };
  const ns = parseTime(written);
  return ns === undefined ? undefined : { value: ns, unit: 'time' };
}

/** A value in the largest unit that leaves a whole number. */
function written({ value, unit }: Quantity): AxisPoint {
  if (unit === 'number') return { value, yaml: String(value) };
  const text = (unit === 'size' ? sizeWord : timeWord)(Math.round(value));
  return { value: text, yaml: text };
}

function rangePoints(
  source: Source,
  path: readonly string[],
  axis: Exclude<AxisKeys, readonly unknown[]>,
): AxisPoint[] {
  const bound = (key: 'from' | 'to' | 'step'): Quantity => {
    const written = axis[key];
    const found = written === undefined ? undefined : quantity(written);
    if (found) return found;
    throw source.error([...path, key], `${written}, expected a number, a size or a time`);
  };
  const from = bound('from');
  const to = bound('to');
  if (from.unit !== to.unit && from.value !== 0) {
    throw source.error([...path, 'to'], `a ${to.unit}, expected a ${from.unit} as in from`);
  }
  const { unit } = to;
  const { factor } = axis;
  const step = axis.step === undefined ? (factor ? 0 : 1) : bound('step').value;
  if (factor !== undefined && (axis.step !== undefined || from.value <= 0)) {
    const what = axis.step === undefined ? 'from above 0' : 'step or factor, not both';
    throw source.error([...path, 'factor'], `${factor}, expected ${what}`);
  }
  if (factor === undefined && step <= 0) {
    throw source.error([...path, 'step'], `${axis.step}, expected more than 0`);
  }
  const points: AxisPoint[] = [];
  // Counted rather than summed, so that 0.1 thirty times is 3; the slack is for what sums to one.
  const end = to.value + Math.abs(to.value) * 1e-9;
  for (let i = 0; points.length <= combinationsMax; i++) {
    const value = factor === undefined ? from.value + i * step : from.value * factor ** i;
    if (value > end) break;
    points.push(written({ value: Number(value.toPrecision(12)), unit }));
  }
  if (points.length > 0) return points;
  throw source.error([...path, 'to'], `${axis.to}, expected at least ${axis.from}`);
}

/**
 * Every combination that meets all conditions; the last axis varies fastest. Throws ScenarioError.
 */
export function combine(file: StudyFile, axes: readonly Axis[]): Combination[] {
  const { source } = file;
  const groups = groupsOf(file, axes);
  const total = groups.reduce((product, group) => product * group[0].values.length, 1);
  if (total > combinationsMax) {
    throw source.error(['axes'], `${total} combinations, expected at most ${combinationsMax}`);
  }
  let list: Map<string, AxisPoint>[] = [new Map()];
  for (const group of groups) {
    list = list.flatMap((before) =>
      group[0].values.map((_, i) => {
        const own = group.map(({ name, values }) => [name, values[i]] as const);
        return new Map([...before, ...own]);
      }),
    );
  }
  const kept = list.filter(conditions(file, axes));
  if (kept.length === 0) {
    throw source.error(['where'], `none of ${total} combinations is left, expected at least one`);
  }
  const order = axes.map(({ name }) => name);
  return kept.map((one) => new Map(order.map((name) => [name, one.get(name)!])));
}

/** Axes that move together, in the order in which the first of each group stands in the file. */
function groupsOf({ source, keys }: StudyFile, axes: readonly Axis[]): Axis[][] {
  const byName = new Map(axes.map((axis) => [axis.name, axis]));
  const groupOf = new Map<string, Axis[]>();
  keys.zip?.forEach((names, i) => {
    const group = names.map((name, j): Axis => {
      const axis = byName.get(name);
      const path = ['zip', i, j];
      if (!axis) {
        throw source.error(path, `${name} is no axis, ${didYouMean(name, [...byName.keys()])}`);
      }
      if (groupOf.has(name)) throw source.error(path, `${name} is zipped twice`);
      return axis;
    });
    const uneven = group.findIndex(({ values }) => values.length !== group[0].values.length);
    if (uneven >= 0) {
      const [first, other] = [group[0], group[uneven]];
      const found = `${other.name} has ${other.values.length} values`;
      const message = `${found}, expected ${first.values.length} as ${first.name} has`;
      throw source.error(['zip', i, uneven], message);
    }
    for (const { name } of group) groupOf.set(name, group);
  });
  const seen = new Set<Axis[]>();
  return axes.flatMap((axis) => {
    const group = groupOf.get(axis.name) ?? [axis];
    if (seen.has(group)) return [];
    seen.add(group);
    return [group];
  });
}

/** `where`, as one predicate; words that are no axis stand for themselves: `kernel == v2`. */
function conditions({ source, keys }: StudyFile, axes: readonly Axis[]) {
  const numbers = new Map<string, number>();
  const numberOf = (value: AxisValue): number => {
    const known = typeof value === 'boolean' ? undefined : quantity(value);
    const plain = known ?? (Number.isFinite(Number(value)) ? { value: Number(value) } : undefined);
    if (plain && typeof value !== 'boolean') return plain.value;
    // Equal words are equal numbers, and equal to no number that anybody writes.
    const word = String(value);
    if (!numbers.has(word)) numbers.set(word, -(2 ** 50) - numbers.size);
    return numbers.get(word)!;
  };
  const names = new Set(axes.map(({ name }) => name));
  const parsed = (keys.where ?? []).map((text, i) =>
    source.parsed(['where', i], () => parseExpression(text)),
  );
  return (one: Combination): boolean =>
    parsed.every(
      (expression) =>
        judge(expression, (name, measure) => {
          const word = measure === null ? name : `${name}.${measure}`;
          return numberOf(names.has(word) ? one.get(word)!.value : word);
        }).ok,
    );
}
