/**
 * Files that make up one recording, in the order in which they were written.
 *
 * A directory stands for its phases; what was recorded beside them (other tracer options, the page
 * allocator, lost events) is another recording. Order is that of the first event, not of the names.
 */
import { join } from 'node:path';
import { chunksOf, directoryNames, isDirectory } from '../../files/read.js';
import { UserError } from '../../text/userError.js';
import { Names } from './event.js';
import { InputError } from './input.js';
import { plain, readChunks } from './read.js';

const phaseFile = /\.trace(?:\.gz)?$/;
const besides = /^(?:opt-|kmem-|lost-|stacktrace)/;

/** The files of one recording in the order of time. @throws InputError */
export async function phasesOf(paths: readonly string[]): Promise<string[]> {
  const files = paths.flatMap((path) => (isDirectory(path) ? phasesIn(path) : [path]));
  if (files.length < 2) return files;
  const firsts = await Promise.all(files.map(firstTime));
  return files
    .map((file, i) => ({ file, first: firsts[i] }))
    .sort((a, b) => a.first - b.first)
    .map(({ file }) => file);
}

function phasesIn(directory: string): string[] {
  const names = directoryNames(directory).filter((name) => phaseFile.test(name));
  const phases = names.filter((name) => !besides.test(name));
  if (phases.length > 0) return phases.map((name) => join(directory, name));
  throw new InputError(directory, '', 'no recording in it, expected files named PHASE.trace');
}

const HEAD = 1 << 18;

/** Time of a file's first event; what has none goes first and is complained about when read. */
async function firstTime(file: string): Promise<number> {
  let first = Number.NEGATIVE_INFINITY;
  const sink = {
    event({ time }: { time: number }) {
      if (first === Number.NEGATIVE_INFINITY) first = time;
    },
    lost() {},
  };
  try {
    await readChunks(file, head(file), new Names(), sink);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return first;
}

async function* head(file: string): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of plain(chunksOf(file), () => {})) {
    yield chunk;
    bytes += chunk.length;
    if (bytes >= HEAD) return;
  }
}
