/**
 * Options that change a scenario from the command line: --kernel, --cmdline, --machine, --seed and
 * any number of --set KEY=VALUE.
 */

import { InvalidArgumentError } from 'commander';
import type { Override } from '../scenario/document.js';

export interface ChangingOptions {
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly machine?: string;
  readonly seed?: string;
  readonly set?: readonly string[];
}

/** Gathers a repeated KEY=VALUE, for commander. */
export function collectSettings(value: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError('expected key=value');
  return [...before, value];
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
