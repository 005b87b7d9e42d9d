/**
 * `cmasim import PATH…`: a server's own files become a machine, its state and a description in
 * words.
 */

import { Command } from 'commander';
import { writeText } from '../files/write.js';
import { MachineError } from '../machine/check.js';
import { type ImportedMachine, importMachine } from '../machine/import/build.js';
import type { ImportFile } from '../machine/import/recognise.js';
import { machineYaml } from '../machine/import/yaml.js';
import { UserError } from '../text/userError.js';
import { collectFiles, machineName } from './collect.js';
import { complain, print, printJson } from './output.js';

interface ImportOptions {
  readonly output?: string;
  readonly state?: string;
  readonly name?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function importCommand(): Command {
  return new Command('import')
    .summary('make a machine of what a server says about itself')
    .description(
      'Reads an archive of `cmasim capture`, a directory, or single files (numactl -H, sysfs, ' +
        'hwloc XML, zoneinfo, buddyinfo, iomem, dmesg, PCI devices), tells in words what they ' +
        'describe, and writes a file for --machine.',
    )
    .argument('<path...>', 'archive, directory or files of one machine; - is the standard input')
    .option('-o, --output <file>', 'write the machine as YAML; - writes it to standard output')
    .option('--state <file>', 'write areas, zones and devices as they were found, as JSON')
    .option(
      '--name <name>',
      'how reports call the machine; the name of the first path unless given',
    )
    .option('--force', 'write over files that exist')
    .option('--json', 'print one document instead of words')
    .action(importPaths);
}

function importPaths(paths: readonly string[], options: ImportOptions): void {
  const { force = false } = options;
  const imported = importFrom(paths, options.name);
  for (const warning of imported.warnings) complain(`cmasim: ${warning}`);
  if (options.state !== undefined) {
    writeText(options.state, `${JSON.stringify(imported.state, null, 2)}\n`, { force });
  }
  const yaml = machineYaml(imported);
  if (options.json) {
    const { keys, state, description, warnings } = imported;
    printJson({ format: 'cmasim-import/1', machine: keys, state, description, warnings });
  } else if (options.output !== '-') print(imported.description.join('\n'));
  if (options.output === '-' && !options.json) print(yaml);
  else if (options.output !== undefined && options.output !== '-') {
    writeText(options.output, yaml, { force });
  }
}

/** The machine the files at `paths` describe. Throws UserError. */
export function importFrom(paths: readonly string[], name?: string): ImportedMachine {
  const files: ImportFile[] = [];
  const warnings: string[] = [];
  for (const path of paths) {
    const collected = collectFiles(path);
    files.push(...collected.files);
    warnings.push(...collected.warnings);
  }
  try {
    const imported = importMachine(files, name ?? machineName(paths[0]));
    return { ...imported, warnings: [...warnings, ...imported.warnings] };
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    const where = error.path.length > 0 ? `${error.path.join('.')}: ` : '';
    throw new UserError({ file: paths.join(' ') }, `${where}${error.message}`);
  }
}
