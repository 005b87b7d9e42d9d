/**
 * Scenarios and run directories as verbs take them that repeat a run: one document of a file, or
 * what `run -o` left behind, with what is to differ.
 */

import { join } from 'node:path';
import { exists, isDirectory, readJson } from '../files/read.js';
import { loadScenario, type Override } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { UserError } from '../text/userError.js';

/** A scenario that can be run, or a run that can be repeated. */
export interface Repeatable {
  readonly scenario: Scenario;
  readonly interpreted: boolean;
  /** Of the run that is repeated; null: none is recorded, or it was interrupted. */
  readonly fingerprint: string | null;
}

export interface KeyChange {
  readonly key: string;
  readonly value: string;
}

const isRunDirectory = (path: string) => exists(join(path, 'manifest.json'));

/** True for what is a scenario or a run directory by its name; anything else is a recording. */
export const isScenario = (path: string): boolean =>
  /\.ya?ml(?:#\d+)?$/.test(path) || isRunDirectory(path);

/** @throws UserError when the path is no single scenario. */
export function repeatable(path: string, changes: readonly KeyChange[] = []): Repeatable {
  const isRun = isDirectory(path);
  if (isRun && !isRunDirectory(path)) {
    throw new UserError({ file: path }, 'no manifest.json, expected a directory of run -o');
  }
  const file = isRun ? join(path, 'scenario.yaml') : path.replace(/#\d+$/, '');
  const scenarios = loadScenario(file, { overrides: overrides(file, changes) });
  const number = Number(/#(\d+)$/.exec(path)?.[1] ?? 1);
  const scenario = scenarios[number - 1];
  if (scenario === undefined || (scenarios.length > 1 && !path.includes('#'))) {
    const expected = scenarios.map((_, i) => `#${i + 1}`).join(', ');
    const found = scenario === undefined ? `no document ${number}` : 'several documents';
    throw new UserError({ file: path }, `${found}, expected the file with ${expected}`);
  }
  if (!isRun) return { scenario, interpreted: false, fingerprint: null };
  return { scenario, ...manifestOf(path) };
}

function manifestOf(path: string): Pick<Repeatable, 'interpreted' | 'fingerprint'> {
  const file = join(path, 'manifest.json');
  const { devices, interrupted, fingerprint } = readJson(file, 'a manifest') as {
    devices?: string;
    interrupted?: boolean;
    fingerprint?: string;
  };
  return {
    interpreted: devices === 'interpreted',
    fingerprint: interrupted ? null : (fingerprint ?? null),
  };
}

/** A repeated run that is not the run says something about another. @throws UserError */
export function sameRun(path: string, expected: string | null, repeated: string): void {
  if (expected === null || expected === repeated) return;
  const found = `fingerprint ${expected} in manifest.json, but ${repeated} now`;
  throw new UserError({ file: path }, `${found}, expected the cmasim that made the run`);
}

/** Texts are quoted, so that `kernel=5.10` and `cmdline=a: b` stay what they are. */
function overrides(file: string, changes: readonly KeyChange[]): Override[] {
  const texts = ['kernel', 'policy', 'cmdline', 'machine'];
  return changes.map(({ key, value }): Override => {
    const option = `${key}=${value}`;
    if (key === 'cmdline+') {
      const [scenario] = loadScenario(file);
      const whole = `${scenario?.cmdline ?? ''} ${value}`.trim();
      return { path: 'cmdline', value: JSON.stringify(whole), option };
    }
    return { path: key, value: texts.includes(key) ? JSON.stringify(value) : value, option };
  });
}
