/**
 * `cmasim boot`: the areas a command line yields on a machine under a release, or, with --check,
 * the boots of recorded kernels held against the model's.
 */

import { Command } from 'commander';
import { type BootsDifference, checkBoots, recordedRelease } from '../boot/check.js';
import { Comparing } from '../boot/compared.js';
import { machineBoot } from '../boot/input.js';
import { readRecorded } from '../boot/recordedFiles.js';
import {
  type BootsFileCheck,
  bootDocument,
  bootText,
  checkText,
  type NamedBoot,
} from '../boot/text.js';
import { boot } from '../mm/boot/boot.js';
import { policies } from '../mm/policy.js';
import { kernelOf } from '../mm/release.js';
import { loadScenario, parseScenario } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { UserError } from '../text/userError.js';
import { type ChangingOptions, overridesOf, shared } from './options.js';
import { print, printJson, stdoutPaint } from './output.js';

interface BootOptions extends Omit<ChangingOptions, 'seed'> {
  readonly json?: boolean;
  readonly check?: readonly string[];
}

export function bootCommand(): Command {
  return new Command('boot')
    .summary('reserve areas as the kernel does at boot, or compare with recorded boots')
    .description(
      'Prints the areas that a command line yields on a machine under a release: asked, taken, ' +
        "where, the kernel's messages, and a sentence for everything that did not happen as asked.",
    )
    .argument('[scenario...]', 'scenario files whose machine, kernel and command line are booted')
    .addOption(shared.kernel)
    .addOption(shared.cmdline)
    .addOption(shared.machine)
    .addOption(shared.set)
    .option('--check <file...>', 'recorded boots, operation files, or directories with dmesg.txt')
    .option('--json', 'print one document instead of tables')
    .action((files: readonly string[], options: BootOptions) => {
      if (options.check) checkFiles([...options.check, ...files], options);
      else bootScenarios(files, options);
    });
}

function scenarios(files: readonly string[], options: BootOptions): Scenario[] {
  const overrides = overridesOf(options);
  if (files.length > 0) return files.flatMap((file) => loadScenario(file, { overrides }));
  if (options.machine === undefined) {
    throw new UserError(null, 'boot: expected a scenario, --machine NAME, or --check FILE');
  }
  const text = `kernel: "${recordedRelease}"\nmachine: ${JSON.stringify(options.machine)}\n`;
  return parseScenario(text, options.machine, { overrides });
}

function bootScenario(scenario: Scenario): NamedBoot {
  const { machine, cmdline, config } = scenario;
  const isNamed = policies.some(({ id }) => id === scenario.policy);
  const kernel = kernelOf(scenario.kernel, isNamed ? scenario.policy : undefined);
  const from = machineBoot(machine, kernel, { cmdline, config });
  return { machine: machine.name, kernel, cmdline, from, report: boot(from.input) };
}

function bootScenarios(files: readonly string[], options: BootOptions): void {
  const booted = scenarios(files, options).map(bootScenario);
  const paint = stdoutPaint();
  if (!options.json) print(booted.map((one) => bootText(one, paint)).join('\n\n'));
  else if (booted.length === 1) printJson(bootDocument(booted[0]));
  else printJson({ format: 'cmasim-boot/1', runs: booted.map(bootDocument) });
}

function checkFiles(paths: readonly string[], options: BootOptions): void {
  const given = Object.fromEntries(
    overridesOf({ set: options.set ?? [] }).map(({ path, value }) => [
      path.replace(/^config\./, ''),
      value,
    ]),
  );
  const all = new Comparing<BootsDifference>();
  const files = paths.map((file): BootsFileCheck => {
    const checked = checkBoots(readRecorded(file), options.kernel, given);
    all.addAll(checked);
    return { file, ...checked };
  });
  const { compared: boots, equal, different, first } = all;
  if (options.json) printJson({ format: 'cmasim-boot/1', boots, equal, different, first });
  else print(checkText(files, first, stdoutPaint()));
  if (different > 0) process.exitCode = 1;
}
