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
import { print, printJson, stdoutPaint } from './output.js';
import { interruptedCode, overridesOf, type RunOptions } from './run.js';
import { engineUrl, jobs, keyValue } from './sweep.js';

interface SizeCliOptions
  extends Pick<RunOptions, 'kernel' | 'cmdline' | 'machine' | 'seed' | 'set'> {
  readonly risk: number;
  readonly confidence: number;
  readonly avoid: readonly Avoid[];
  readonly areas: SizeWhat;
  readonly uniform?: boolean;
  readonly runs?: number;
  readonly curve: number;
  readonly jobs?: number;
  readonly engine?: string;
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
    .option('--runs <count>', 'seeds; as many as the confidence takes unless given', jobsOrMore)
    .option('--curve <count>', 'seeds of every point of the curve', jobsOrMore, 40)
    .option('--kernel <id>', "release or policy, instead of the scenario's")
    .option('--cmdline <text>', "kernel command line, instead of the scenario's")
    .option('--machine <name>', "preset or file, instead of the scenario's")
    .option('--seed <number>', "first seed, instead of the scenario's")
    .option('--set <key=value>', 'any key of the scenario', keyValue, [])
    .option('--jobs <count>', 'threads; as many as there are cores unless given', jobs)
    .option(
      '--engine <url>',
      'hand runs to `cmasim worker`s through this Redis or Valkey',
      engineUrl,
    )
    .option('--json', 'print one document')
    .action(sizeFile);
}

function share(value: string): number {
  const number = value.endsWith('%') ? Number(value.slice(0, -1)) / 100 : Number(value);
  if (number > 0 && number < 1) return number;
  throw new InvalidArgumentError('expected 0.01 or 1%');
}

function jobsOrMore(value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('expected a number from 1 to 1000000');
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
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once('SIGINT', stop);
  const engine = await openEngine(modelVersion(), options);
  const progress = new SizeProgress(scenario.name);
  try {
    const asked = { risk: options.risk, confidence: options.confidence, avoid: options.avoid };
    const answer = await Promise.race([
      size(scenario, {
        engine,
        ...asked,
        what: options.areas,
        uniform: options.uniform === true,
        ...(options.runs === undefined ? {} : { runs: options.runs }),
        curveRuns: options.curve,
        signal: interrupt.signal,
        onRun: (made) => progress.show(made),
      }),
      aborted(interrupt.signal),
    ]);
    progress.end();
    if (answer === null) {
      process.exitCode = interruptedCode;
      return;
    }
    if (options.json) printJson(sizeDocument(scenario, answer, asked));
    else print(sizeAnswerText(scenario, answer, { ...asked, paint: stdoutPaint() }));
    if (!answer.found) process.exitCode = 1;
  } finally {
    await engine.close();
    process.off('SIGINT', stop);
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

/** How many runs were made is all that is known: how many it takes depends on what they say. */
class SizeProgress {
  private readonly active = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  private readonly startMs = performance.now();
  private readonly name: string;
  private drawnMs = 0;

  constructor(name: string) {
    this.name = name;
  }

  show(made: number): void {
    const now = performance.now();
    if (!this.active || now - this.drawnMs < 100) return;
    this.drawnMs = now;
    const rate = (made / (now - this.startMs)) * 1000;
    process.stderr.write(`\r\u001b[K${this.name}: ${made} runs, ${rate.toFixed(0)} runs/s`);
  }

  end(): void {
    if (this.active) process.stderr.write('\r\u001b[K');
  }
}
