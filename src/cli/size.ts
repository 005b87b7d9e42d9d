/**
 * `cmasim size SCENARIO`: the smallest boot string that is enough, and what less would cost.
 */

import { Command, InvalidArgumentError, Option } from 'commander';
import { loadScenario } from '../index.js';
import type { Scenario } from '../scenario/scenario.js';
import type { SizeWhat } from '../size/bootString.js';
import { type Avoid, avoidable, size } from '../size/size.js';
import { sizeAnswerText, sizeDocument } from '../size/text.js';
import { modelVersion } from '../study/identity.js';
import { openEngine } from '../study/runStudy.js';
import { UserError } from '../text/userError.js';
import { interruptedCode, interruptible } from './interrupt.js';
import {
  type ChangingOptions,
  countUpTo,
  type EngineOptions,
  given,
  overridesOf,
  shared,
} from './options.js';
import { print, printJson, stdoutPaint } from './output.js';
import { ProgressLine } from './progress.js';

interface SizeCliOptions extends ChangingOptions, EngineOptions {
  readonly risk: number;
  readonly confidence: number;
  readonly avoid: readonly Avoid[];
  readonly areas: SizeWhat;
  readonly uniform?: boolean;
  readonly runs?: number;
  readonly curve: number;
  readonly json?: boolean;
}

export function sizeCommand(): Command {
  return new Command('size')
    .summary('find the smallest cma= and numa_cma= that are enough')
    .description(
      'Finds the smallest areas with which a run of SCENARIO goes wrong at most so often: with\n' +
        '95 % confidence, in at most 1 % of runs is any request refused or placed on another ' +
        'node\n' +
        'than its device. Prints the boot parameters, what the next size down costs, and the ' +
        'curve.',
    )
    .argument('<scenario>', 'a scenario; its sizes are replaced')
    .option('--risk <share>', 'largest allowed probability of a bad run', share, 0.01)
    .option('--confidence <share>', 'of the answer', share, 0.95)
    .option('--avoid <list>', `what makes a run bad, of ${avoidable.join(', ')}`, avoid, [
      'refused',
      'remote',
    ])
    .addOption(
      new Option('--areas <which>', 'areas to size; the others stay as they are')
        .choices(['all', 'default', 'nodes'])
        .default('all'),
    )
    .option('--uniform', 'one size for all nodes')
    .option('--runs <count>', 'seeds; as many as the confidence takes unless given', seeds)
    .option('--curve <count>', 'seeds of every point of the curve', seeds, 40)
    .addOption(shared.kernel)
    .addOption(shared.cmdline)
    .addOption(shared.machine)
    .addOption(shared.seed)
    .addOption(shared.set)
    .addOption(shared.jobs)
    .addOption(shared.engine)
    .option('--json', 'print one document')
    .action(sizeFile);
}

const seeds = countUpTo(1_000_000);

function share(value: string): number {
  const number = value.endsWith('%') ? Number(value.slice(0, -1)) / 100 : Number(value);
  if (number > 0 && number < 1) return number;
  throw new InvalidArgumentError('expected 0.01 or 1%');
}

function avoid(value: string): Avoid[] {
  const list = value.split(',');
  const wrong = list.find((one) => !(avoidable as readonly string[]).includes(one));
  if (wrong === undefined) return list as Avoid[];
  throw new InvalidArgumentError(`${wrong}, expected a list of ${avoidable.join(', ')}`);
}

async function sizeFile(file: string, options: SizeCliOptions): Promise<void> {
  const scenarios = loadScenario(file, { overrides: overridesOf(options) });
  if (scenarios.length > 1) {
    throw new UserError({ file }, `${scenarios.length} documents, expected one scenario`);
  }
  await sizeScenario(scenarios[0], options);
}

async function sizeScenario(scenario: Scenario, options: SizeCliOptions): Promise<void> {
  const engine = await openEngine(modelVersion(), options);
  const line = new ProgressLine();
  const { risk, confidence, avoid, areas: what, uniform = false, runs } = options;
  const asked = { risk, confidence, avoid };
  try {
    const answer = await interruptible(null, (signal) =>
      Promise.race([
        size(scenario, {
          engine,
          ...asked,
          ...{ what, uniform, curveRuns: options.curve, ...given({ runs }) },
          signal,
          onRun: (made) => {
            if (line.isDue()) line.draw(madeText(scenario.name, made, line.elapsedMs));
          },
        }),
        aborted(signal),
      ]),
    );
    line.clear();
    if (answer === null) {
      process.exitCode = interruptedCode;
      return;
    }
    if (options.json) printJson(sizeDocument(scenario, answer, asked));
    else print(sizeAnswerText(scenario, answer, { ...asked, paint: stdoutPaint() }));
    if (!answer.found) process.exitCode = 1;
  } finally {
    await engine.close();
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

/** Runs so far are all that is known: how many it takes depends on what they say. */
function madeText(name: string, made: number, elapsedMs: number): string {
  return `${name}: ${made} runs, ${((made / elapsedMs) * 1000).toFixed(0)} runs/s`;
}
