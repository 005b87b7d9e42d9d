/** Recordings of test/kernel with their servers, read as the command reads them. */
import { existsSync } from 'node:fs';
import { collectFiles } from '#cmasim/cli/collect.js';
import { serverOf } from '#cmasim/replay/recordedServer.js';
import { type Recording, readRecording } from '#cmasim/replay/traceReplay.js';
import { phasesOf } from '#cmasim/trace/read/phases.js';
import { recorded } from './recordings.js';

export const serverFiles = (name: string) => {
  const path = recorded(`${name}/machine.tar.gz`);
  return collectFiles(existsSync(path) ? path : recorded(name)).files;
};

/** A recording by its folder; `files` are some of its files instead of all phases. */
export async function recordingOf(name: string, files?: readonly string[]): Promise<Recording> {
  const paths = files?.map((file) => recorded(`${name}/${file}`)) ?? [recorded(name)];
  return await readRecording(name, await phasesOf(paths), serverOf(serverFiles(name), name));
}
