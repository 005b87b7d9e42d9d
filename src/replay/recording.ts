/**
 * A whole recording of a kernel held against the model: its boot, then every operation on what it booted.
 *
 * A file of boots alone counts each boot as a row; an operation file counts its boot and its operations.
 */

import { compareBoot } from '../boot/check.js';
import { recordedBoot } from '../boot/input.js';
import { type RecordedBoot, readBoots } from '../boot/recorded.js';
import { inputName } from '../files/read.js';
import { boot } from '../mm/boot/boot.js';
import { kernelOf } from '../mm/release.js';
import { readWhole } from '../trace/read/whole.js';
import type { Comparison, Difference } from './compare.js';
import type { Replayer } from './replay.js';

/** Release of recordings that do not name one. */
const recordedRelease = '6.12';

/** Rows of a recording; `boots` of them are boots, of which `loopMs` says nothing. */
export interface RecordingCheck extends Comparison {
  readonly boots: number;
  /** Wall clock of the operations alone, in ms. */
  readonly loopMs: number;
}

interface BootsCheck {
  readonly equal: number;
  readonly first: Difference | null;
}

function checkBoots(boots: readonly RecordedBoot[], release: string | undefined): BootsCheck {
  let equal = 0;
  let first: Difference | null = null;
  for (const one of boots) {
    const kernel = kernelOf(release ?? one.release ?? recordedRelease);
    const result = compareBoot(one.outcome, boot(recordedBoot(one, kernel).input));
    if (result.first === null) equal++;
    else {
      const { what, expected, actual } = result.first;
      first ??= {
        line: one.line,
        expected: ['boot', one.name, what, expected],
        actual: ['boot', one.name, what, actual],
      };
    }
  }
  return { equal, first };
}

/** True for a recording that goes on after its boot. */
function hasOperations(text: string): boolean {
  return /^\s*\{"type":\s*"meta"/.test(text);
}

/**
 * Checks one file, gzip or not; `-` is standard input.
 * @throws InputError naming file, line and column of what cannot be read.
 */
export async function checkRecording(
  file: string,
  replayer: Replayer,
  release?: string,
): Promise<RecordingCheck> {
  const text = await readWhole(file);
  const options = release === undefined ? {} : { release };
  const name = inputName(file);
  if (!hasOperations(text)) {
    const boots = readBoots(name, text);
    const { equal, first } = checkBoots(boots, release);
    const rows = boots.length;
    return {
      ...{ file: name, operations: 0, boots: rows, compared: rows, equal, first },
      ...{ different: rows - equal, freeDrift: 0, loopMs: 0 },
      leaks: { modelled: 0, recorded: 0 },
    };
  }
  const replayed = await replayer.replayText(name, text, options);
  const booted = checkBoots(readBoots(name, text), release);
  return {
    ...replayed,
    boots: 1,
    compared: replayed.compared + 1,
    equal: replayed.equal + booted.equal,
    different: replayed.different + 1 - booted.equal,
    first: booted.first ?? replayed.first,
  };
}
