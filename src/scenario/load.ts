/**
 * Reads scenarios: a YAML file with one document per variant, checked to the last key.
 *
 * Every mistake is a ScenarioError, one line with its place. Nothing is guessed: a key that is not
 * known, a node that the machine does not have or a size that does not parse ends the reading.
 */

import { basename, dirname, extname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { emptyFile, inputName, readText } from '../files/read.js';
import { changedPreset } from '../machine/change.js';
import { MachineError } from '../machine/check.js';
import { customMachine } from '../machine/custom.js';
import { type MachineKeys, machineKeys } from '../machine/keys.js';
import type { Machine } from '../machine/machine.js';
import { presetMachine } from '../machine/preset.js';
import { presets } from '../machine/presets.js';
import { UserError } from '../text/userError.js';
import { type Override, parseSources, type Source } from './document.js';
import { ScenarioError } from './error.js';
import { readKeys } from './explain.js';
import { loadModules } from './modules.js';
import {
  checkConfig,
  checkPolicy,
  checkReservedMemory,
  expandDevices,
  resolveExpect,
  resolveKernel,
  resolvePressure,
  resolveTimeline,
} from './resolve.js';
import type { Scenario } from './scenario.js';
import { type ScenarioKeys, scenarioKeys } from './schema.js';
import { nearest } from './suggest.js';

export type { Override } from './document.js';

export interface LoadOptions {
  /** Changes from the command line, in order; they apply to every document. */
  readonly overrides?: readonly Override[];
}

/** Far more than a scenario of ten thousand devices; reading YAML takes seconds per MiB. */
const bytesMax = 16 * 2 ** 20;
const stopDefault = '10ms';

/** Reads a file, `-` being standard input. Throws UserError. */
export function loadScenario(file: string, options: LoadOptions = {}): Scenario[] {
  const text = readText(file, { expected: 'a scenario', bytesMax });
  return parseScenario(text, inputName(file), options);
}

/**
 * The scenarios of one text; `file` is how errors call it, and where files it names are looked up.
 */
export function parseScenario(text: string, file: string, options: LoadOptions = {}): Scenario[] {
  checkKind(text, file);
  const sources = parseSources(file, text, options.overrides);
  const stem = basename(file, extname(file));
  return sources.map((source, i) => {
    return resolved(source, sources.length > 1 ? `${stem}#${i + 1}` : stem);
  });
}

/** The scenario as a document that loads as the same scenario. */
export function scenarioYaml(scenario: Scenario): string {
  return stringify(scenario.document, { lineWidth: 100, flowCollectionPadding: true });
}

/** Several as one file. What the first has and a later one does not is said not to be there. */
export function scenariosYaml(scenarios: readonly Scenario[]): string {
  const inherited = Object.keys(scenarios[0]?.document ?? {}).filter((key) => key !== 'title');
  const none = Object.fromEntries(inherited.map((key) => [key, null]));
  return scenarios
    .map((one) => scenarioYaml({ ...one, document: { ...none, ...one.document } }))
    .join('---\n');
}

function resolved(source: Source, name: string): Scenario {
  const data = source.data();
  const keys = readKeys(source, scenarioKeys, data);
  const { machine, document } = resolveMachine(source, keys, data.machine);
  const kernel = resolveKernel(source, keys);
  checkPolicy(source, kernel.policy, machine.pageSize);
  const given = { source, keys, machine };
  checkConfig(given, kernel);
  const modules = loadModules(source, keys.modules);
  const devices = expandDevices(given);
  checkReservedMemory(given);
  const { stop: stopNs, ...rest } = keys;
  return {
    ...rest,
    name,
    kernel: kernel.release.id,
    policy: kernel.policy.id,
    policyRow: kernel.policy,
    machine: { ...machine, cost: keys.cost },
    modules,
    devices,
    timeline: resolveTimeline(given, devices),
    pressure: resolvePressure(given),
    stopNs,
    expect: resolveExpect(given, devices),
    document: inSchemaOrder({
      ...data,
      kernel: kernel.release.id,
      policy: typeof keys.policy === 'object' ? keys.policy : kernel.policy.id,
      machine: document,
      seed: keys.seed,
      stop: data.stop ?? stopDefault,
    }),
  };
}

function inSchemaOrder(document: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(scenarioKeys.shape).filter((key) => document[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, document[key]]));
}

/** The machine, and its keys as the resolved document states them: a file's stand in its place. */
function resolveMachine(
  source: Source,
  { machine }: ScenarioKeys,
  document: unknown,
): { machine: Machine; document: unknown } {
  if (typeof machine !== 'string') {
    return { machine: buildMachine(source, ['machine'], machine), document };
  }
  const preset = presetMachine(machine);
  if (preset) return { machine: preset, document };
  if (/[/\\.]/.test(machine)) return machineFile(source, machine);
  const known = presets.map(({ name }) => name);
  const near = nearest(machine, known);
  const hint = near ? `did you mean ${near}?` : `expected a file or one of ${known.join(', ')}`;
  throw source.error(['machine'], `${machine} is not known, ${hint}`);
}

/** A path in a file is relative to it; one from the command line to where the command runs. */
function machineFile(source: Source, path: string): { machine: Machine; document: unknown } {
  const given = source.place(['machine']);
  const file = resolve(given.line === undefined ? '.' : dirname(given.file), path);
  let text: string;
  try {
    text = readText(file, { name: path, expected: 'a machine', bytesMax });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw source.error(['machine'], error.message);
  }
  const [own] = parseSources(path, text);
  const document = own!.data();
  const keys = readKeys(own!, machineKeys, document);
  return { machine: buildMachine(own!, [], keys), document };
}

function buildMachine(source: Source, root: readonly string[], keys: MachineKeys): Machine {
  const { preset, ...own } = keys;
  try {
    return preset === undefined ? customMachine(own) : changedPreset(preset, own);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    throw source.error([...root, ...error.path], error.message);
  }
}

/** Files of other kinds that come near: the parser's own complaint would not help. */
function checkKind(text: string, file: string): void {
  if (text.trim() === '') throw emptyFile(file, 'a scenario');
  const wrong = (what: string) => new ScenarioError({ file, line: 1, col: 1 }, what);
  const [first = '', second = ''] = text.trimStart().split('\n', 2);
  if (/^\{.*\}\s*$/.test(first) && /^[{[]/.test(second)) {
    throw wrong('JSON Lines, expected a scenario; `cmasim replay` reads recordings');
  }
  const other = [/^#!/, /^<\?xml|^<!DOCTYPE|^<html/i, /^# tracer:/];
  if (other.some((sign) => sign.test(first))) {
    throw wrong(`a file that begins with ${first.slice(0, 30)}, expected a scenario`);
  }
}
