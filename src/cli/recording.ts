/**
 * Recorded traces as they are named on the command line: which files belong together, and where the
 * description of the server lies.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Recording, readRecording } from '../experiment/replayTrace.js';
import { type Server, serverOf, type WhatIf } from '../experiment/server.js';
import { MachineError } from '../machine/check.js';
import type { Machine } from '../machine/machine.js';
import { parseScenario } from '../scenario/load.js';
import { InputError } from '../trace/input.js';
import { isDirectory, phasesOf } from '../trace/phases.js';
import { collectFiles, machineName } from './collect.js';
import { UsageError } from './usage.js';

/** Where the files of a server may lie beside its recording. */
const beside = ['machine', '../machine', 'machine.tar.gz', '../machine.tar.gz'];

/** What --machine names: the server of the recording, or another machine in its place. */
interface Named {
  readonly server: string | null;
  readonly instead: Machine | null;
}

/** Recordings of the paths: each directory is one, the files named together are another. */
export async function recordingsOf(
  paths: readonly string[],
  machine?: string,
): Promise<{ recordings: Recording[]; instead: Pick<WhatIf, 'machine'> }> {
  const named = namedMachine(machine);
  const groups = paths.filter(isDirectory).map((path) => [path]);
  const files = paths.filter((path) => !isDirectory(path));
  if (files.length > 0) groups.push(files);
  const recordings: Recording[] = [];
  for (const group of groups) recordings.push(await recordingOf(group, named));
  return { recordings, instead: named.instead === null ? {} : { machine: named.instead } };
}

async function recordingOf(group: readonly string[], named: Named): Promise<Recording> {
  const files = await phasesOf(group);
  const first = group[0]!;
  const server = readServer(named.server ?? serverBeside(first));
  const name = isDirectory(first) ? basename(resolve(first)) : machineLabel(first);
  return await readRecording(name, files, server);
}

const machineLabel = (file: string): string =>
  file === '-' ? 'standard input' : basename(dirname(resolve(file)));

function serverBeside(path: string): string {
  const directory = isDirectory(path) ? path : dirname(path === '-' ? '.' : path);
  const found = beside.map((name) => join(directory, name)).find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new InputError(path, '', `no machine/ beside it, expected --machine DIR of its server`);
}

function readServer(path: string): Server {
  const { files } = collectFiles(path);
  try {
    return serverOf(files, serverName(path));
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    throw new InputError(path, '', error.message);
  }
}

/** `x86-7.2-direct/machine` is x86-7.2-direct. */
function serverName(path: string): string {
  const full = resolve(path);
  return /^machine(?:\.tar\.gz)?$/.test(basename(full))
    ? basename(dirname(full))
    : machineName(path);
}

/** A directory or an archive is a server's files; a preset or a YAML file is another machine. */
function namedMachine(machine: string | undefined): Named {
  if (machine === undefined) return { server: null, instead: null };
  const isFiles = isDirectory(machine) || /\.(?:tar|tar\.gz|tgz)$/.test(machine);
  if (isFiles) return { server: machine, instead: null };
  return { server: null, instead: machineInstead(machine) };
}

/** A preset or a machine file. @throws ScenarioError when it is neither. */
export function machineInstead(machine: string): Machine {
  const text = `kernel: "7.2"\nmachine: ${JSON.stringify(machine)}\n`;
  const [scenario] = parseScenario(text, machine);
  if (scenario === undefined) throw new UsageError(`--machine ${machine}: no machine`);
  return scenario.machine;
}
