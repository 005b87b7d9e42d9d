/**
 * The directory a run leaves behind: manifest.json, scenario.yaml, stats.json.
 *
 * It appears at once and whole, or not at all: written beside its place, then renamed.
 */

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { runDocument } from '../report/json.js';
import type { RunResult } from '../report/result.js';
import { ScenarioError } from '../scenario/error.js';
import { scenarioYaml } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { packageVersion } from './output.js';

export interface FinishedRun {
  readonly scenario: Scenario;
  readonly result: RunResult;
}

/** Throws ScenarioError if the directory is there and may not be replaced. */
export function refuseExisting(directory: string, { force }: { force: boolean }): void {
  if (force || !existsSync(directory)) return;
  throw new ScenarioError({ file: directory }, 'exists, expected a new directory or --force');
}

/** One run fills the directory itself; of several each gets a directory in it. */
export function writeRunDirectory(
  directory: string,
  runs: readonly FinishedRun[],
  { force, devices }: { force: boolean; devices: string },
): void {
  refuseExisting(directory, { force });
  const target = resolve(directory);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}`);
  mkdirSync(temporary, { recursive: true });
  try {
    for (const run of runs) {
      const name = run.scenario.name.replaceAll(/[^A-Za-z0-9._-]/g, '-');
      writeRun(runs.length === 1 ? temporary : join(temporary, name), run, devices);
    }
    if (force) rmSync(target, { recursive: true, force: true });
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function writeRun(directory: string, { scenario, result }: FinishedRun, devices: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write('manifest.json', json(manifest({ scenario, result }, devices)));
  write('scenario.yaml', scenarioYaml(scenario));
  write('stats.json', json(runDocument([result])));
}

/** What it takes to repeat the run and to know what its numbers rest on. */
function manifest({ scenario, result }: FinishedRun, devices: string): Record<string, unknown> {
  return {
    format: 'cmasim-manifest/1',
    version: packageVersion(),
    repeat: ['cmasim', 'run', 'scenario.yaml', '--devices', devices],
    scenario: result.scenario,
    kernel: result.kernel,
    policy: result.policy,
    cmdline: result.cmdline,
    machine: result.machine,
    seed: scenario.seed,
    shards: result.shards,
    devices,
    interrupted: result.interrupted,
    fingerprint: result.fingerprint,
    parameters: result.parameters,
  };
}

function json(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
