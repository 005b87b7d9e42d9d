/**
 * `cmasim run SCENARIO…`: simulates and says where every device's memory came from.
 */

import { Command, Option } from 'commander';
import { runDocument } from '../run/json.js';
import type { RunResult } from '../run/result.js';
import { runText, timingText } from '../run/text.js';
import { ScenarioError } from '../scenario/error.js';
import { loadScenario, scenariosYaml } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { interruptedCode, interruptible } from './interrupt.js';
import { type ChangingOptions, countUpTo, overridesOf, shared } from './options.js';
import { complain, print, printJson, stdoutPaint } from './output.js';
import { ProgressLine, progressText } from './progress.js';
import { type FinishedRun, RunDirectory } from './runDirectory.js';

export interface RunOptions extends ChangingOptions {
  readonly shards: number | 'auto';
  readonly devices: 'lowered' | 'interpreted';
  readonly check?: boolean;
  readonly log?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly printConfig?: boolean;
}

export function runCommand(): Command {
  return new Command('run')
    .summary('simulate scenarios: where memory came from, and what that cost')
    .description(
      'Simulates every document of every SCENARIO (a YAML file; - is standard input) and prints ' +
        "where each device's memory came from, the areas, times, findings and checks.",
    )
    .argument('<scenario...>', 'scenario files')
    .addOption(shared.kernel)
    .addOption(shared.cmdline)
    .addOption(shared.machine)
    .addOption(shared.seed)
    .addOption(shared.set)
    .option(
      '--shards <count>',
      'parts the machine is cut into; never changes a result',
      shards,
      'auto',
    )
    .addOption(
      new Option('--devices <how>', 'run state machines as tables, or through XState itself')
        .choices(['lowered', 'interpreted'])
        .default('lowered'),
    )
    .option('--check', 'check invariants; findings such as leaks end with exit code 1')
    .option('--log <device>', "say a device's requests, attempts and answers on standard error")
    .option('-o, --output <dir>', 'write manifest.json, scenario.yaml and stats.json there')
    .option('--force', 'replace the directory of -o')
    .option('--json', 'print one document instead of tables')
    .option('--print-config', 'print the scenarios as resolved, and run nothing')
    .action(runScenarios);
}

function shards(value: string): number | 'auto' {
  return value === 'auto' ? value : countUpTo(1024, 'auto or ')(value);
}

async function runScenarios(files: readonly string[], options: RunOptions): Promise<void> {
  const overrides = overridesOf(options);
  const scenarios = files.flatMap((file) => loadScenario(file, { overrides }));
  if (options.printConfig) {
    print(scenariosYaml(scenarios));
    return;
  }
  for (const scenario of scenarios) checkLogged(scenario, options.log);
  const directory =
    options.output === undefined
      ? null
      : new RunDirectory(options.output, { force: options.force === true });
  const runs = await simulateAll(scenarios, options);
  const results = runs.map(({ result }) => result);
  directory?.write(runs, options.devices);
  if (options.json) printJson(runDocument(results));
  process.exitCode = exitCode(results, { check: options.check === true });
}

/** @throws ScenarioError if the scenario has no such device. */
function checkLogged({ name: file, devices }: Scenario, log: string | undefined): void {
  const names = devices.flatMap(({ name, declaration }) => [name, declaration]);
  if (log === undefined || names.includes(log)) return;
  const known = [...new Set(names)].slice(0, 8).join(', ') || 'none';
  throw new ScenarioError({ file }, `--log ${log}: no such device, expected one of ${known}`);
}

/** One after the other; Ctrl-C ends the one that runs with what it has, and skips the rest. */
export async function simulateAll(
  scenarios: readonly Scenario[],
  options: Pick<RunOptions, 'shards' | 'devices' | 'check' | 'log' | 'json'>,
): Promise<FinishedRun[]> {
  // On demand: the event core and its threads are no business of `--print-config` or a typing
  // error.
  const { simulate } = await import('../index.js');
  const runs: FinishedRun[] = [];
  const paint = stdoutPaint();
  const words = 'interrupted: finishing with what there is; again to stop at once';
  await interruptible(words, async (signal) => {
    for (const scenario of scenarios) {
      if (signal.aborted) break;
      const line = new ProgressLine();
      const result = await simulate(scenario, {
        shards: options.shards,
        devices: options.devices,
        check: options.check === true,
        ...(options.log === undefined ? {} : { log: options.log }),
        onProgress: (progress) => {
          if (line.isDue()) line.draw(progressText(scenario.name, progress, line.elapsedMs));
        },
        signal,
      }).catch((error: unknown) => {
        // The line that reports our bug says which seed shows it again.
        throw error instanceof Error ? Object.assign(error, { seed: scenario.seed }) : error;
      });
      line.end(timingText(result));
      for (const text of result.log) complain(text);
      if (!options.json) {
        const numbersKnown = runs.some((run) => sameNumbers(run.result, result));
        print(`${runs.length > 0 ? '\n' : ''}${runText(result, { paint, numbersKnown })}`);
      }
      runs.push({ scenario, result });
    }
  });
  return runs;
}

function sameNumbers(a: RunResult, b: RunResult): boolean {
  return JSON.stringify(a.parameters) === JSON.stringify(b.parameters);
}

/** 130 interrupted, 1 a check failed or (with --check) something was found, 0 fine. */
export function exitCode(results: readonly RunResult[], { check }: { check: boolean }): number {
  if (results.some(({ interrupted }) => interrupted)) return interruptedCode;
  if (results.some(({ checks }) => checks.some(({ ok }) => !ok))) return 1;
  return check && results.some(({ findings }) => findings.length > 0) ? 1 : 0;
}
