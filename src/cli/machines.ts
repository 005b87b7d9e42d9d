/**
 * `cmasim machines`: the presets, and what is known about one of them: nodes, distances, latencies,
 * and where every number comes from.
 */

import { Command } from 'commander';
import type { Machine } from '../machine/machine.js';
import { presetMachine } from '../machine/preset.js';
import { presets } from '../machine/presets.js';
import { didYouMean } from '../scenario/suggest.js';
import { right, sizeText, table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import { print, printJson } from './output.js';

export function machinesCommand(): Command {
  return new Command('machines')
    .summary('list machines; with NAME, its nodes, distances and sources')
    .description(
      'Lists the presets --machine takes. With NAME: all its numbers, each with its class.',
    )
    .argument('[name]', 'a preset')
    .option('--json', 'print one document instead of tables')
    .action((name: string | undefined, options: { json?: boolean }) => {
      const machines = name === undefined ? presets.map((row) => find(row.name)) : [find(name)];
      if (options.json) printJson({ format: 'cmasim-machines/1', machines });
      else print((name === undefined ? list(machines) : one(machines[0])).join('\n'));
    });
}

function find(name: string): Machine {
  const machine = presetMachine(name);
  if (machine) return machine;
  const known = presets.map((row) => row.name);
  throw new UserError(null, `machine ${name} is not known, ${didYouMean(name, known)}`);
}

function memoryOf(nodes: Machine['nodes']): number {
  return nodes.flatMap(({ memory }) => memory).reduce((sum, [start, end]) => sum + end - start, 0);
}

function list(machines: readonly Machine[]): string[] {
  return table(
    ['machine', 'arch', ...right('nodes', 'CPUs', 'memory', 'page'), 'what it is'],
    machines.map((machine) => [
      machine.name,
      machine.arch,
      machine.nodes.length,
      String(machine.nodes.reduce((sum, { cpus }) => sum + cpus, 0)),
      gib(memoryOf(machine.nodes)),
      sizeText(machine.pageSize),
      presets.find(({ name }) => name === machine.name)?.summary ?? '',
    ]),
  );
}

/** GiB to one place: memory has holes of a few KiB that nobody wants to read about. */
function gib(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;
}

function one(machine: Machine): string[] {
  const nids = right(...machine.nodes.map(({ nid }) => String(nid)));
  const matrix = (title: string, rows: readonly (readonly number[])[]) => [
    '',
    ...table(
      [title, ...nids],
      machine.nodes.map(({ nid }, i) => [String(nid), ...rows[i].map((value) => String(value))]),
    ),
  ];
  return [
    `${machine.name}: ${presets.find(({ name }) => name === machine.name)?.summary ?? ''}`,
    '',
    ...table(
      ['node', ...right('CPUs', 'memory'), 'ranges'],
      machine.nodes.map(({ nid, cpus, memory }, i) => [
        String(nid),
        String(cpus),
        gib(memoryOf([machine.nodes[i]])),
        memory.map(([start, end]) => `[0x${start.toString(16)}, 0x${end.toString(16)})`).join(' '),
      ]),
    ),
    ...matrix('SLIT', machine.distance),
    ...matrix('ns', machine.latency),
    '',
    ...table(
      ['number', ...right('value'), 'unit', 'class', 'source'],
      machine.parameters.map(({ name, value, unit, class: of, source }) => {
        return [name, String(value), unit, of, source];
      }),
    ),
  ];
}
