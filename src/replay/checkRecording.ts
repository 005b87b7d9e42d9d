/**
 * A whole recording of a kernel held against the model: its boot, then every operation on what it
 * booted.
 *
 * A file of boots alone counts each boot as a row; an operation file its boot and its operations.
 */

import { type BootsDifference, checkBoots } from '../boot/check.js';
import { Comparing } from '../boot/compared.js';
import { readBoots } from '../boot/recorded.js';
import { inputName } from '../files/read.js';
import { readWhole } from '../trace/read/whole.js';
import type { RowComparison, RowDifference } from './compareRows.js';
import { replayOperations } from './replay.js';
import type { ReplayThreads } from './threads.js';

/** Rows of a recording; `boots` of them are boots, of which `loopMs` says nothing. */
export interface RecordingCheck extends RowComparison {
  readonly boots: number;
  /** Wall clock of the operations alone, in ms. */
  readonly loopMs: number;
}

/** True for a recording that goes on after its boot. */
function hasOperations(text: string): boolean {
  return /^\s*\{"type":\s*"meta"/.test(text);
}

const asRow = ({ line, name, what, expected, actual }: BootsDifference): RowDifference => ({
  line,
  expected: ['boot', name, what, expected],
  actual: ['boot', name, what, actual],
});

const noOperations = {
  operations: 0,
  freeDrift: 0,
  leaks: { modelled: 0, recorded: 0 },
  loopMs: 0,
};

/**
 * Checks one file, gzip or not; `-` is standard input.
 * @throws InputError naming file, line and column of what cannot be read.
 */
export async function checkRecording(
  file: string,
  threads: ReplayThreads,
  release?: string,
): Promise<RecordingCheck> {
  const text = await readWhole(file);
  const name = inputName(file);
  const options = release === undefined ? {} : { release };
  const replayed = hasOperations(text)
    ? await replayOperations(threads, { name, text }, options)
    : null;
  const boots = checkBoots(readBoots(name, text), release);
  const all = new Comparing<RowDifference>();
  all.addAll({ ...boots, first: boots.first && asRow(boots.first) });
  if (replayed) all.addAll(replayed);
  return { file: name, ...(replayed ?? noOperations), ...all, boots: boots.compared };
}
