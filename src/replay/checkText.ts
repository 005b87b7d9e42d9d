/**
 * Recordings held against the model, in words: a row per file, and the first difference of each.
 */

import { differenceText } from '../boot/compared.js';
import { type Paint, right, table } from '../text/table.js';
import type { RecordingCheck } from './checkRecording.js';

/** A check for scripts. */
export function checkDocument({
  file,
  operations,
  compared,
  equal,
  different,
  first,
}: RecordingCheck) {
  return { file, operations, compared, equal, different, first };
}

function totalOf(results: readonly RecordingCheck[]): RecordingCheck {
  const sum = (of: (one: RecordingCheck) => number) =>
    results.reduce((total, one) => total + of(one), 0);
  return {
    file: `all ${results.length}`,
    boots: sum((one) => one.boots),
    operations: sum((one) => one.operations),
    compared: sum((one) => one.compared),
    equal: sum((one) => one.equal),
    different: sum((one) => one.different),
    first: null,
    freeDrift: Math.max(...results.map((one) => one.freeDrift)),
    leaks: {
      modelled: sum((one) => one.leaks.modelled),
      recorded: sum((one) => one.leaks.recorded),
    },
    loopMs: sum((one) => one.loopMs),
  };
}

/** One row per file, and below them the first difference of each that has one. */
export function replayText(results: readonly RecordingCheck[], paint: Paint): string {
  const columns = ['boots', 'operations', 'compared', 'equal', 'different', 'leaks', 'free drift'];
  const lines = table(
    ['recording', ...right(...columns)],
    [...results, ...(results.length > 1 ? [totalOf(results)] : [])].map((one) => [
      one.file,
      one.boots,
      one.operations,
      one.compared,
      one.equal,
      one.different,
      one.leaks.modelled,
      one.freeDrift,
    ]),
  );
  lines.push(
    '',
    'free drift: largest gap of a zone to the recorded free pages; per-CPU lists and background ' +
      'work',
    'move them, so it is shown and not judged.',
  );
  for (const { file, first } of results) {
    if (first === null) continue;
    lines.push('', ...differenceText(`${file}:${first.line}: first difference`, first, paint));
  }
  return lines.join('\n');
}
