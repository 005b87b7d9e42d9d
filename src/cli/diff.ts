/**
 * `cmasim diff WORKLOAD…`: one workload under two kernels, command lines, policies or machines, or
 * two runs; what moved, what fails, what got slower. Exit 1 when something got worse.
 */

import { Command } from 'commander';
import { type Diff, type DiffSide, diffRuns } from '../diff/diff.js';
import { diffDocument, diffText } from '../diff/text.js';
import type { WhatIf } from '../replay/recordedServer.js';
import type { Recording, TraceReplay } from '../replay/traceReplay.js';
import { type RunPlacements, runPlacements } from '../run/placements.js';
import { UserError } from '../text/userError.js';
import { print, printJson, stdoutPaint } from './output.js';
import { machineInstead, recordingsOf, replayed } from './recording.js';
import { isScenario, type KeyChange, repeatable, sameRun } from './workload.js';

export function diffCommand(): Command {
  return new Command('diff')
    .summary('compare two kernels, command lines, policies, machines or runs on one workload')
    .description(
      'Runs WORKLOAD twice, as it is but for --a and as it is but for --b, and compares request ' +
        'by request. WORKLOAD is a scenario, or a recorded trace (a directory, or the files of ' +
        'its phases). Two scenarios, or two directories of `run -o`, are compared with each other.',
    )
    .argument('<workload...>', 'scenario, recording, or two scenarios or run directories')
    .option('--a <key=value>', 'A differs in this; may be repeated', collect)
    .option('--b <key=value>', 'B differs in this; may be repeated', collect)
    .option('--machine <path>', "the recorded server's files, where they are not beside it")
    .option('--closed-loop', 'recordings: as fast as requests are served')
    .option('--json', 'print one document instead of tables')
    .addHelpText(
      'after',
      '\nKeys: kernel, policy, machine, cmdline (all of it), cmdline+ (appended: the later' +
        '\nparameter wins), config.SYMBOL; of scenarios every other key too, such as seed or' +
        '\ndevices.nic0.node.' +
        '\n\n  cmasim diff recording/ --b cmdline+=cma_pernuma=0' +
        '\n  cmasim diff scenario.yaml --a kernel=6.6 --b kernel=7.2' +
        '\n\nExit: 0 B is not worse, 1 B is worse (requests fail, leave their node, leak or take ' +
        'longer), 2 wrong input.',
    )
    .action(compare);
}

interface DiffOptions {
  readonly a?: readonly string[];
  readonly b?: readonly string[];
  readonly machine?: string;
  readonly closedLoop?: boolean;
  readonly json?: boolean;
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^=]+\+?=/.test(text)) throw new UserError(null, `diff: ${text}: expected key=value`);
  return [...before, text];
}

/** `cmdline+=cma=0` is appended to the command line, `a=b=c` has the value `b=c`. */
function changes(texts: readonly string[] = []): KeyChange[] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    return { key: text.slice(0, at), value: text.slice(at + 1) };
  });
}

async function compare(paths: readonly string[], options: DiffOptions): Promise<void> {
  const diff = paths.every(isScenario)
    ? await compareScenarios(paths, options)
    : await compareTraces(paths, options);
  const report = { ...diff, workload: paths.join(' ') };
  if (options.json) printJson(diffDocument(report));
  else print(diffText(report, stdoutPaint()));
  if (diff.worse.length > 0) process.exitCode = 1;
}

async function compareTraces(paths: readonly string[], options: DiffOptions): Promise<Diff> {
  const { recordings } = await recordingsOf(paths, options.machine);
  const [recording] = recordings as [Recording];
  if (recordings.length > 1) {
    throw new UserError(
      null,
      'diff: several recordings, expected one and --a and --b, or two runs',
    );
  }
  const a = whatIf(changes(options.a));
  const b = whatIf(changes(options.b));
  if (options.a === undefined && options.b === undefined) {
    throw new UserError(null, 'diff: nothing differs, expected --a or --b KEY=VALUE');
  }
  const closedLoop = options.closedLoop ?? false;
  const [first, second] = await replayed([
    [recording, { ...a, closedLoop }],
    [recording, { ...b, closedLoop }],
  ]);
  return diffRuns(sideOfReplay(first), sideOfReplay(second));
}

function whatIf(list: readonly KeyChange[]): WhatIf {
  let change: WhatIf & { config: Record<string, unknown> } = { config: {} };
  for (const { key, value } of list) {
    if (key === 'kernel' || key === 'policy' || key === 'cmdline')
      change = { ...change, [key]: value };
    else if (key === 'cmdline+')
      change = { ...change, append: `${change.append ?? ''} ${value}`.trim() };
    else if (key === 'machine') change = { ...change, machine: machineInstead(value) };
    else if (key.startsWith('config.')) change.config[key.slice('config.'.length)] = value;
    else {
      const known = 'kernel, policy, machine, cmdline, cmdline+ or config.SYMBOL';
      throw new UserError(null, `diff: ${key} is no key of a recording, expected ${known}`);
    }
  }
  return change;
}

function sideOfReplay({ site, placements, findings, notes }: TraceReplay): DiffSide {
  return {
    kernel: site.kernel.release.id,
    policy: site.kernel.policy.id,
    machine: site.machine.name,
    cmdline: site.cmdline,
    areas: site.plan.layout.areas,
    placements,
    findings: findings.length,
    notes,
  };
}

async function compareScenarios(paths: readonly string[], options: DiffOptions): Promise<Diff> {
  if (paths.length > 2) throw new UserError(null, 'diff: expected one workload, or two to compare');
  const [first, second = first] = paths as [string, string?];
  if (paths.length === 1 && options.a === undefined && options.b === undefined) {
    throw new UserError(null, 'diff: nothing differs, expected --a or --b KEY=VALUE');
  }
  const a = await runSide(first, changes(options.a));
  const b = await runSide(second!, changes(options.b));
  return diffRuns(a, b);
}

async function runSide(path: string, list: readonly KeyChange[]): Promise<DiffSide> {
  const { scenario, interpreted, fingerprint } = repeatable(path, list);
  const run = await runPlacements(scenario, { interpreted });
  sameRun(path, list.length === 0 ? fingerprint : null, run.outcome.fingerprint);
  return sideOfRun(run);
}

function sideOfRun({ scenario, planned, placements, outcome }: RunPlacements): DiffSide {
  return {
    kernel: scenario.kernel,
    policy: scenario.policy,
    machine: scenario.machine.name,
    cmdline: scenario.cmdline,
    areas: planned.plan.layout.areas,
    placements,
    findings: outcome.findings.length,
    notes: planned.notes,
  };
}
