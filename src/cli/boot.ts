/**
 * `cmasim boot`: the areas a command line yields on a machine under a release, or, with --check,
 * the boots of recorded kernels held against the model's.
 */

import { join } from 'node:path';
import { Command } from 'commander';
import {
  type BootsCheck,
  type BootsDifference,
  checkBoots,
  recordedRelease,
} from '../boot/check.js';
import { Comparing } from '../boot/compared.js';
import { machineBoot } from '../boot/input.js';
import { bootOfLog, type RecordedBoot, readBoots, readCmaTotals } from '../boot/recorded.js';
import { bootDocument, bootText, type NamedBoot } from '../boot/text.js';
import { exists, inputName, isDirectory, readBytes, unzipped } from '../files/read.js';
import { readKernelLog } from '../machine/import/dmesg.js';
import { readZoneinfo } from '../machine/import/zones.js';
import { boot } from '../mm/boot/boot.js';
import { policies } from '../mm/policy.js';
import { kernelOf } from '../mm/release.js';
import { loadScenario, parseScenario } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import { print, printJson, stdoutPaint } from './output.js';
import { type ChangingOptions, collectSettings, overridesOf } from './overrides.js';

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
    .option('--kernel <id>', 'release or policy of `cmasim kernels`')
    .option('--cmdline <text>', 'kernel command line')
    .option('--machine <name>', 'preset of `cmasim machines` or a file')
    .option(
      '--set <key=value>',
      'a key of the scenario, or a Kconfig symbol such as CMA_AREAS=7',
      collectSettings,
    )
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

/** A file's text, unpacked; NAME.gz stands in for NAME. */
function readText(path: string): string {
  const isPacked = path !== '-' && !exists(path) && exists(`${path}.gz`);
  const file = isPacked ? `${path}.gz` : path;
  const bytes = readBytes(file, { expected: 'recorded boots' });
  return Buffer.from(unzipped(inputName(file), bytes)).toString('utf8');
}

/**
 * A directory with dmesg.txt, and beside it cmdline.txt, iomem.txt, zoneinfo.txt where they are
 * there.
 */
function readDirectory(directory: string): RecordedBoot {
  const file = join(directory, 'dmesg.txt');
  const has = (path: string) => exists(path) || exists(`${path}.gz`);
  if (!has(file)) throw new UserError({ file: directory }, 'no dmesg.txt or dmesg.txt.gz in it');
  const beside = (name: string) => {
    const path = join(directory, name);
    return has(path) ? readText(path) : null;
  };
  const log = readKernelLog(readText(file), beside('iomem.txt') ?? '');
  if (log.memory.length === 0 || log.online.length === 0) {
    throw new UserError({ file }, `cannot be booted: ${log.lacks.join('; ')}`);
  }
  const zoneinfo = beside('zoneinfo.txt');
  const totals = beside('sys-kernel-mm-cma.txt');
  const rest = {
    zones: zoneinfo === null ? null : readZoneinfo(zoneinfo),
    totals: totals === null ? null : readCmaTotals(totals),
  };
  const cmdline = beside('cmdline.txt')?.trim() ?? log.commandLine;
  return { ...bootOfLog({ file, name: directory }, log, rest), cmdline };
}

function readRecorded(path: string): RecordedBoot[] {
  if (isDirectory(path)) return [readDirectory(path)];
  return readBoots(inputName(path), readText(path));
}

interface FileCheck extends BootsCheck {
  readonly file: string;
}

function checkFiles(paths: readonly string[], options: BootOptions): void {
  const given = Object.fromEntries(
    overridesOf({ set: options.set ?? [] }).map(({ path, value }) => [
      path.replace(/^config\./, ''),
      value,
    ]),
  );
  const all = new Comparing<BootsDifference>();
  const files = paths.map((file): FileCheck => {
    const checked = checkBoots(readRecorded(file), options.kernel, given);
    all.addAll(checked);
    return { file, ...checked };
  });
  const { compared: boots, equal, different, first } = all;
  if (options.json) printJson({ format: 'cmasim-boot/1', boots, equal, different, first });
  else print(checkText(files, first));
  if (different > 0) process.exitCode = 1;
}

function checkText(files: readonly FileCheck[], first: BootsDifference | null): string {
  const right = true;
  const titles = ['boots', 'equal', 'different', 'values compared'];
  const lines = table(
    [{ title: 'recording' }, ...titles.map((title) => ({ title, right }))],
    files.map((f) => [f.file, f.compared, f.equal, f.different, f.values]),
  );
  if (first !== null) {
    lines.push(
      '',
      stdoutPaint().bad(
        `${first.file}:${first.line}: ${first.name}: first difference, ${first.what}`,
      ),
      `  kernel  ${JSON.stringify(first.expected)}`,
      `  model   ${JSON.stringify(first.actual)}`,
    );
  }
  const notes = new Set(files.flatMap((f) => [...f.notes]));
  if (notes.size > 0) lines.push('', 'not in the recordings:', ...[...notes].map((n) => `  ${n}`));
  return lines.join('\n');
}
