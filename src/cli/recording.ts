/**
 * Recorded traces as they are named on the command line: which files belong together, and where the
 * description of the server lies.
 */

import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { exists, inputName, isDirectory } from '../files/read.js';
import { MachineError } from '../machine/check.js';
import type { Machine } from '../machine/machine.js';
import { type RecordedServer, serverOf, type WhatIf } from '../replay/recordedServer.js';
import type { ReplayThreads } from '../replay/threads.js';
import {
  type Recording,
  readRecording,
  type TraceReplay,
  type TraceReplayOptions,
} from '../replay/traceReplay.js';
import { parseScenario } from '../scenario/load.js';
import { UserError } from '../text/userError.js';
import { phasesOf } from '../trace/read/phases.js';
import { collectFiles, machineName } from './collect.js';

/** Places of a server's files beside its recording. */
const beside = ['machine', '../machine', 'machine.tar.gz', '../machine.tar.gz'];

/** Recordings of the paths: each directory is one, the files named together are another. */
export async function recordingsOf(
  paths: readonly string[],
  machine?: string,
): Promise<{ recordings: Recording[]; instead: Pick<WhatIf, 'machine'> }> {
  const groups = paths.filter(isDirectory).map((path) => [path]);
  const files = paths.filter((path) => !isDirectory(path));
  if (files.length > 0) groups.push(files);
  const recordings: Recording[] = [];
  const own = groups.map(([first]) => serverBeside(first!));
  const given = machine === undefined ? null : filesOfServer(machine);
  // The files of a server are the recording's own where none lie beside it.
  const isOwn = given !== null && own.every((path) => path === null || samePlace(path, given));
  for (const [i, group] of groups.entries()) {
    recordings.push(await recordingOf(group, isOwn ? given : own[i]));
  }
  if (machine === undefined || isOwn) return { recordings, instead: {} };
  return { recordings, instead: { machine: machineInstead(machine) } };
}

/** Does the work on threads that stay warm from one recording to the next. */
export async function onReplayThreads<Result>(
  work: (threads: ReplayThreads) => Promise<Result>,
): Promise<Result> {
  // On demand: the event core and its threads are no business of a typing error.
  const { ReplayThreads } = await import('../replay/threads.js');
  const threads = new ReplayThreads();
  try {
    return await work(threads);
  } finally {
    await threads.close();
  }
}

/** Replays recordings one after the other, each with what is to be otherwise. */
export async function replayed(
  recordings: readonly (readonly [Recording, TraceReplayOptions])[],
): Promise<TraceReplay[]> {
  const { replayTrace } = await import('../replay/traceReplay.js');
  return onReplayThreads(async (threads) => {
    const replays: TraceReplay[] = [];
    for (const [one, change] of recordings) replays.push(await replayTrace(threads, one, change));
    return replays;
  });
}

async function recordingOf(group: readonly string[], place: string | null): Promise<Recording> {
  const first = group[0];
  if (place === null) {
    throw new UserError(
      { file: first },
      'no machine/ beside it, expected --machine DIR of its server',
    );
  }
  const files = await phasesOf(group);
  const server = readServer(place);
  const name = isDirectory(first) ? basename(resolve(first)) : machineLabel(first);
  return await readRecording(name, files, server);
}

const machineLabel = (file: string): string =>
  file === '-' ? inputName(file) : basename(dirname(resolve(file)));

function serverBeside(path: string): string | null {
  if (path === '-') return null;
  const directory = isDirectory(path) ? path : dirname(path);
  return beside.map((name) => join(directory, name)).find((place) => exists(place)) ?? null;
}

/** A directory or an archive is a server's files; a preset or a YAML file is not. */
const filesOfServer = (path: string): string | null =>
  isDirectory(path) || /\.(?:tar|tar\.gz|tgz)$/.test(path) ? path : null;

/** `x` and `x/machine` are the same server. */
function samePlace(a: string, b: string): boolean {
  const inner = (path: string) => {
    const found = beside
      .slice(0, 1)
      .map((name) => join(path, name))
      .find(isDirectory);
    return realpathSync(found ?? path);
  };
  return inner(a) === inner(b);
}

function readServer(path: string): RecordedServer {
  const { files } = collectFiles(path);
  try {
    return serverOf(files, serverName(path));
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    throw new UserError({ file: path }, error.message);
  }
}

/** `x86-7.2-direct/machine` is x86-7.2-direct. */
function serverName(path: string): string {
  const full = resolve(path);
  return /^machine(?:\.tar\.gz)?$/.test(basename(full))
    ? basename(dirname(full))
    : machineName(path);
}

/** Another server's files, a preset, or a machine file. @throws UserError */
export function machineInstead(machine: string): Machine {
  const files = filesOfServer(machine);
  if (files !== null) return readServer(files).imported.machine;
  const text = `kernel: "7.2"\nmachine: ${JSON.stringify(machine)}\n`;
  const [scenario] = parseScenario(text, machine);
  if (scenario === undefined) throw new UserError(null, `--machine ${machine}: no machine`);
  return scenario.machine;
}
