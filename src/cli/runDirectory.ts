/**
 * The directory a run leaves behind: manifest.json, scenario.yaml, stats.json.
 *
 * It appears at once and whole, or not at all: written beside its place, then renamed.
 */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileError } from '../files/fileError.js';
import { makeDirectory } from '../files/write.js';
import { runDocument } from '../run/json.js';
import type { RunResult } from '../run/result.js';
import { scenarioYaml } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { UserError } from '../text/userError.js';
import { packageVersion } from './output.js';

export interface FinishedRun {
  readonly scenario: Scenario;
  readonly result: RunResult;
}

/** The place of a run's directory, tried before the run: a wrong name costs no simulation. */
export class RunDirectory {
  readonly #given: string;
  readonly #target: string;
  readonly #temporary: string;

  /** Throws UserError if nothing can be written there, or something is there already. */
  constructor(directory: string, { force }: { force: boolean }) {
    this.#given = directory === '' ? '--output' : directory;
    if (directory === '') throw this.#error('an empty name, expected a directory');
    this.#target = resolve(directory);
    this.#temporary = join(
      dirname(this.#target),
      `.${basename(this.#target).slice(0, 200)}.${process.pid}`,
    );
    if (existsSync(this.#target)) {
      if (!force) throw this.#error('exists, expected a new directory or --force');
      // Whatever else lies there is not ours to remove.
      if (!isRunDirectory(this.#target)) {
        throw this.#error('not written by a run, expected a new directory');
      }
    }
    this.#attempt(() => {
      makeDirectory(dirname(this.#target));
      mkdirSync(this.#temporary);
      rmdirSync(this.#temporary);
    });
  }

  /** One run fills the directory itself; of several each gets a directory in it. */
  write(runs: readonly FinishedRun[], devices: string): void {
    this.#attempt(() => {
      mkdirSync(this.#temporary);
      const names = directoryNames(runs);
      runs.forEach((run, i) => {
        writeRun(
          runs.length === 1 ? this.#temporary : join(this.#temporary, names[i]),
          run,
          devices,
        );
      });
      const old = `${this.#temporary}.old`;
      if (existsSync(this.#target)) renameSync(this.#target, old);
      renameSync(this.#temporary, this.#target);
      rmSync(old, { recursive: true, force: true });
    });
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (existsSync(this.#temporary)) rmSync(this.#temporary, { recursive: true });
      throw fileError(this.#given, error, 'write');
    }
  }

  #error(message: string): UserError {
    return new UserError({ file: this.#given }, message);
  }
}

/** A directory of one run, of several, or of nothing. */
function isRunDirectory(path: string): boolean {
  const isRun = (directory: string) => existsSync(join(directory, 'manifest.json'));
  if (!statSync(path).isDirectory()) return false;
  return isRun(path) || readdirSync(path).every((name) => isRun(join(path, name)));
}

/** Names of the runs fit for a file system, each once. */
function directoryNames(runs: readonly FinishedRun[]): string[] {
  const taken = new Set<string>();
  return runs.map(({ scenario }) => {
    const name = scenario.name.replaceAll(/[^A-Za-z0-9._-]/g, '-');
    let free = name;
    for (let k = 2; taken.has(free); k++) free = `${name}.${k}`;
    taken.add(free);
    return free;
  });
}

function writeRun(directory: string, { scenario, result }: FinishedRun, devices: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write('manifest.json', json(manifest({ scenario, result }, devices)));
  write('scenario.yaml', scenarioYaml(scenario));
  write('stats.json', json(runDocument([result])));
}

/** Data to repeat the run and to know what its numbers rest on. */
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
