/**
 * `cmasim demo`, which is what `npm start` runs: the June 2020 patch on its machine under three
 * kernels, then a recorded kernel held against the model.
 */

import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { replayText } from '../replay/checkText.js';
import { loadScenario } from '../scenario/load.js';
import { packageRoot, print, stdoutPaint } from './output.js';
import { replayAll } from './replay.js';
import { exitCode, simulateAll } from './run.js';

const scenario = 'scenarios/smmu-cmd-sync.yaml';
const recording = 'test/kernel/oracle/c04_4node_both.jsonl.gz';

export function demoCommand(): Command {
  return new Command('demo')
    .summary(
      'what `npm start` shows: one scenario under three kernels, one recorded kernel replayed',
    )
    .action(async () => {
      print(`$ cmasim run ${scenario}`);
      const scenarios = loadScenario(shipped(scenario));
      const runs = await simulateAll(scenarios, { shards: 'auto', devices: 'lowered' });
      const code = exitCode(
        runs.map(({ result }) => result),
        { check: false },
      );
      if (code !== 0) {
        process.exitCode = code;
        return;
      }
      print(`\n$ cmasim replay --check ${recording}`);
      const [replayed] = await replayAll([shipped(recording)]);
      print(replayText([{ ...replayed!, file: recording }], stdoutPaint()));
      if (replayed!.different > 0) process.exitCode = 1;
    });
}

/** A file of the package, wherever it is installed. */
function shipped(path: string): string {
  return fileURLToPath(new URL(path, packageRoot));
}
