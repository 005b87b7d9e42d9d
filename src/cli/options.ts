/**
 * Options that several verbs take, each declared once, and what they change in a scenario.
 */

import { InvalidArgumentError, Option } from 'commander';
import type { Override } from '../scenario/document.js';

export interface ChangingOptions {
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly machine?: string;
  readonly seed?: string;
  readonly set?: readonly string[];
}

/** Options of verbs that hand their runs to threads or workers. */
export interface EngineOptions {
  readonly jobs?: number;
  readonly engine?: string;
}

const instead = "instead of the scenario's";

/** Options by name: the same words and the same check for every verb. */
export const shared = {
  kernel: new Option('--kernel <id>', `release or policy of \`cmasim kernels\`, ${instead}`),
  cmdline: new Option('--cmdline <text>', `kernel command line, ${instead}`),
  machine: new Option('--machine <name>', `preset of \`cmasim machines\` or a file, ${instead}`),
  seed: new Option('--seed <number>', `start of all random streams, ${instead}`),
  set: new Option(
    '--set <key=value>',
    'any key of the scenario, such as devices.nic0.node=2, or a Kconfig symbol',
  ).argParser(collectSettings),
  jobs: new Option('--jobs <count>', 'threads; as many as there are cores unless given').argParser(
    countUpTo(1024),
  ),
  engine: new Option(
    '--engine <url>',
    'hand runs to `cmasim worker`s through this Redis or Valkey',
  ).argParser(engineUrl),
};

/** Reads a whole number from 1, for commander; errors name the other words that are taken. */
export function countUpTo(most: number, otherwise = ''): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (Number.isInteger(count) && count >= 1 && count <= most) return count;
    throw new InvalidArgumentError(`expected ${otherwise}a number from 1 to ${most}`);
  };
}

/** Gathers a repeated KEY=VALUE, for commander. */
function collectSettings(value: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError('expected key=value');
  return [...before, value];
}

export function engineUrl(value: string): string {
  if (/^(redis|valkey)s?:\/\/./.test(value)) return value;
  throw new InvalidArgumentError('expected redis://host:port or valkey://host:port');
}

/** `CMA_AREAS` stands for `config.CMA_AREAS`: no key of a scenario is written in capitals. */
function keyPath(key: string): string {
  return /^[A-Z][A-Z0-9_]*$/.test(key) ? `config.${key}` : key;
}

/** As changes of the scenario, in the order in which they count. */
export function overridesOf(options: ChangingOptions): Override[] {
  const named = (['kernel', 'cmdline', 'machine', 'seed'] as const).flatMap((path): Override[] => {
    const value = options[path];
    if (value === undefined) return [];
    // Quoted, so that `--cmdline 'a: b'` and `--kernel 5.10` are text; a seed is a number.
    const yaml = path === 'seed' && value.trim() !== '' ? value : JSON.stringify(value);
    return [{ path, value: yaml, option: `--${path} ${value}` }];
  });
  const set = (options.set ?? []).map((text): Override => {
    const at = text.indexOf('=');
    const path = keyPath(text.slice(0, at));
    return { path, value: text.slice(at + 1), option: `--set ${text}` };
  });
  return [...named, ...set];
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Those of the options that were given. */
export function given<T extends object>(options: T): Given<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<T>;
}
