/**
 * Reads a study: a YAML file checked to the last key, whose every variant is a scenario that loads.
 *
 * A mistake in a variant is named at the axis or the key of `set` that made it. Left out: studies
 * of studies, axes whose values depend on other axes (`where` and `zip` stand in for them).
 */

import { basename, dirname, extname, resolve } from 'node:path';
import { isNode, parseDocument } from 'yaml';
import { emptyFile, exists, inputName, readText } from '../files/read.js';
import { type Override, parseSources, type Source } from '../scenario/document.js';
import { readKeys } from '../scenario/explain.js';
import { parseScenario } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { didYouMean } from '../scenario/suggest.js';
import { placeText, UserError } from '../text/userError.js';
import { type Axis, type Combination, combine, readAxes, takenNames } from './axes.js';
import { type Digests, digestsOf, modelVersion, placedDocument } from './identity.js';
import { parseRule, type Replications } from './rule.js';
import { type StudyFile, studyKeys } from './schema.js';
import type { AxisValue, Study, Variant } from './study.js';

export interface LoadStudyOptions {
  /** Changes of the scenario from the command line; they count over axes and `set`. */
  readonly overrides?: readonly Override[];
  /** Stands for modelVersion() where something else makes the runs. */
  readonly model?: string;
}

/** Reads a study file, `-` being standard input. Throws UserError. */
export function loadStudy(file: string, options: LoadStudyOptions = {}): Study {
  return parseStudy(readText(file, { expected: 'a study' }), inputName(file), options);
}

export function parseStudy(text: string, file: string, options: LoadStudyOptions = {}): Study {
  if (text.trim() === '') throw emptyFile(file, 'a study');
  const sources = parseSources(file, text);
  if (sources.length > 1) {
    throw new UserError({ file }, `${sources.length} documents, expected one study`);
  }
  const source = sources[0];
  const data = source.data();
  const keys = readKeys(source, studyKeys, data);
  const study: StudyFile = { source, keys, text, document: parseDocument(text) };
  const axes = readAxes(study);
  const { variants, modules } = makeVariants(study, axes, options.overrides ?? []);
  const [first] = variants;
  return {
    name: basename(file, extname(file)),
    title: keys.title ?? '',
    axes: Object.keys(first!.values),
    variants,
    replications: replicationsOf(study),
    until: (keys.until ?? []).map((rule, i) => source.parsed(['until', i], () => parseRule(rule))),
    confidence: keys.confidence ?? 0.95,
    quantiles: keys.quantiles ?? [0.5],
    seed: keys.seed ?? (first!.document.seed as number),
    random: keys.random ?? 'common',
    warmupNs: keys.warmup ?? 0,
    labels: labelsOf(study, axes),
    baseline: baselineValues(study, variants),
    show: keys.show ?? [],
    model: options.model ?? modelVersion(),
    modules,
  };
}

/** Text of the scenario and the name that errors and relative paths go by. */
interface BaseScenario {
  readonly text: string;
  readonly file: string;
}

function baseScenario({ source, keys: { scenario }, text, document }: StudyFile): BaseScenario {
  if (typeof scenario === 'string') {
    const file = resolve(dirname(source.file), scenario);
    try {
      return { text: readText(file, { name: scenario, expected: 'a scenario' }), file };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw source.error(['scenario'], error.message);
    }
  }
  const node = document.get('scenario', true);
  if (!isNode(node) || !node.range)
    throw source.error(['scenario'], 'nothing, expected a scenario');
  // Everything around the keys is blanked out, so that a mistake in them keeps its line and column.
  const [start, end] = node.range;
  const before = text.slice(0, start).replaceAll(/[^\n]/g, ' ');
  return { text: before + text.slice(start, end), file: source.file };
}

function makeVariants(
  study: StudyFile,
  axes: readonly Axis[],
  overrides: readonly Override[],
): { variants: Variant[]; modules: Digests } {
  const base = baseScenario(study);
  const variants: Variant[] = [];
  const urls = new Set<string>();
  for (const combination of combine(study, axes)) {
    const changes = [...changesOf(study, axes, combination), ...overrides];
    const scenarios = parseScenario(base.text, base.file, { overrides: changes });
    scenarios.forEach((scenario: Scenario, i) => {
      const values: Record<string, AxisValue> = scenarios.length > 1 ? { document: i + 1 } : {};
      for (const [name, { value }] of combination) values[name] = value;
      for (const url of scenario.modules) urls.add(url);
      const document = placedDocument(scenario);
      variants.push({ index: variants.length, values, scenario: scenario.name, document });
    });
  }
  return { variants, modules: digestsOf(urls) };
}

/** Changes that one combination makes in the scenario, each with the place that errors name. */
function changesOf(
  { source, keys }: StudyFile,
  axes: readonly Axis[],
  combination: Combination,
): Override[] {
  const set = Object.entries(keys.set ?? {}).map(([path, value]): Override => {
    const option = placeText(source.place(['set', path]));
    const yaml = filled(source, path, { value, combination });
    return { path, value: located(source, path, yaml), option };
  });
  const own = axes.flatMap(({ name, key }): Override[] => {
    if (key === null) return [];
    const { yaml } = combination.get(name)!;
    const option = placeText(source.place(['axes', name]));
    return [{ path: key, value: located(source, key, yaml), option }];
  });
  return [...set, ...own];
}

/** A machine's file is looked up beside the study, wherever the command runs. */
function located(source: Source, path: string, yaml: string): string {
  if (path !== 'machine') return yaml;
  const file = resolve(dirname(source.file), yaml.replaceAll('"', ''));
  return /[/\\.]/.test(yaml) && exists(file) ? JSON.stringify(file) : yaml;
}

/** The YAML of a value of `set` with `{axis}` replaced. */
function filled(
  source: Source,
  path: string,
  { value, combination }: { value: unknown; combination: Combination },
): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const alone = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value);
  const pointOf = (name: string) => {
    const point = combination.get(name);
    if (point) return point;
    const message = `{${name}} is no axis, ${didYouMean(name, [...combination.keys()])}`;
    throw source.error(['set', path], message);
  };
  if (alone) return pointOf(alone[1]).yaml;
  return JSON.stringify(
    value.replaceAll(/\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) =>
      String(pointOf(name).value),
    ),
  );
}

function replicationsOf({ source, keys }: StudyFile): Replications {
  const { replications, until } = keys;
  if (typeof replications === 'object') {
    const { at_least: atLeast = 10, at_most: atMost, step = 5 } = replications;
    if (atMost < atLeast) {
      const message = `${atMost}, expected at least ${atLeast} as in at_least`;
      throw source.error(['replications', 'at_most'], message);
    }
    return { atLeast, atMost, step };
  }
  const count = replications ?? 10;
  if (until !== undefined && until.length > 0) {
    throw source.error(['until'], 'no bound, expected replications: { at_most: … }');
  }
  return { atLeast: count, atMost: count, step: 1 };
}

function labelsOf({ source, keys }: StudyFile, axes: readonly Axis[]): Study['labels'] {
  const { labels = {} } = keys;
  const runs = ['kernel', 'policy', 'machine', 'cmdline'];
  const taken = [...takenNames, ...runs, ...axes.map(({ name }) => name)];
  const wrong = Object.keys(labels).find((name) => taken.includes(name));
  if (wrong === undefined) return labels;
  throw source.error(['labels', wrong], 'a column of the tables, expected another name', {
    key: true,
  });
}

function baselineValues(
  { source, keys: { baseline, random } }: StudyFile,
  variants: readonly Variant[],
): Study['baseline'] {
  if (baseline === undefined) return null;
  if (random === 'independent') {
    throw source.error(['baseline'], 'pairs nothing, expected random: common');
  }
  const known = Object.keys(variants[0].values);
  for (const [axis, value] of Object.entries(baseline)) {
    if (!known.includes(axis)) {
      const message = `${axis} is no axis, ${didYouMean(axis, known)}`;
      throw source.error(['baseline', axis], message, { key: true });
    }
    const values = [...new Set(variants.map((variant) => variant.values[axis]))];
    if (values.some((one) => String(one) === String(value))) continue;
    throw source.error(['baseline', axis], `${value}, expected one of ${values.join(', ')}`);
  }
  const exact = Object.entries(baseline).map(([axis, value]) => {
    const found = variants.find(({ values }) => String(values[axis]) === String(value))!;
    return [axis, found.values[axis]] as const;
  });
  return Object.fromEntries(exact);
}
