#!/usr/bin/env node
/**
 * The command: parses, hands over to one file per verb, and turns what went wrong into an exit
 * code.
 *
 * 0 fine; 1 a check or comparison failed; 2 wrong input; 3 our bug; 130 interrupted.
 */

import { Command, CommanderError } from 'commander';
import { bootCommand } from './boot.js';
import { captureCommand } from './capture.js';
import { demoCommand } from './demo.js';
import { devicesCommand } from './devices.js';
import { diffCommand } from './diff.js';
import { exportCommand } from './export.js';
import { importCommand } from './import.js';
import { kernelsCommand } from './kernels.js';
import { machinesCommand } from './machines.js';
import { mergeCommand } from './merge.js';
import { usersMistake } from './mistake.js';
import { complain, ignoreClosedPipes, packageVersion } from './output.js';
import { queryCommand } from './query.js';
import { replayCommand } from './replay.js';
import { runCommand } from './run.js';
import { schemaCommand } from './schema.js';
import { sizeCommand } from './size.js';
import { sweepCommand } from './sweep.js';
import { traceCommand } from './trace.js';
import { whyCommand } from './why.js';
import { workerCommand } from './worker.js';

const wrongInput = 2;
const ourBug = 3;

function program(): Command {
  const commands = [
    runCommand(),
    whyCommand(),
    bootCommand(),
    sizeCommand(),
    sweepCommand(),
    workerCommand(),
    mergeCommand(),
    queryCommand(),
    replayCommand(),
    diffCommand(),
    exportCommand(),
    traceCommand(),
    importCommand(),
    captureCommand(),
    kernelsCommand(),
    machinesCommand(),
    devicesCommand(),
    schemaCommand(),
  ];
  const all = new Command('cmasim')
    .description("Simulates where a Linux machine's DMA memory comes from, and what that costs.")
    .version(packageVersion())
    .addHelpText(
      'after',
      '\nExit: 0 fine, 1 a check failed, 2 wrong input, 3 our bug, 130 interrupted.',
    );
  for (const command of commands) all.addCommand(command);
  const demo = demoCommand();
  all.addCommand(demo, { hidden: true });
  // Verbs are made elsewhere and inherit nothing: each is told to throw instead of exiting.
  for (const command of [all, demo, ...commands]) command.exitOverride().showHelpAfterError(false);
  return all;
}

/** Code to exit with; prints the one line that goes with it. */
function failure(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version come this way too, with code 0; commander has printed what there is to say.
    return error.exitCode === 0 ? 0 : wrongInput;
  }
  const mistake = usersMistake(error);
  if (mistake !== null) {
    // A place comes first, so that editors and terminals find their way to it.
    complain(mistake.place === null ? `cmasim: ${mistake.message}` : mistake.message);
    return mistake.exitCode;
  }
  const { message = String(error), stack, seed } = error as Error & { seed?: number };
  const which = seed === undefined ? '' : ` (seed ${seed})`;
  complain(`cmasim: internal error${which}: ${message.split('\n')[0]}`);
  if (process.env.CMASIM_DEBUG) process.stderr.write(`${stack}\n`);
  return ourBug;
}

ignoreClosedPipes();
try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = failure(error);
}
