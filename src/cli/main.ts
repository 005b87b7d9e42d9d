#!/usr/bin/env node
/**
 * The command: parses, hands over to one file per verb, and turns what went wrong into an exit
 * code.
 *
 * 0 fine; 1 a check or comparison failed; 2 wrong input; 3 our bug; 130 interrupted.
 */

import { Command, CommanderError } from 'commander';
import { usersMistake } from './mistake.js';
import { complain, ignoreClosedPipes, packageVersion } from './output.js';

const wrongInput = 2;
const ourBug = 3;

/**
 * Verbs in the order of the help; each is loaded when it is called, or when all are to be listed.
 */
const verbs: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.js')).runCommand(),
  why: async () => (await import('./why.js')).whyCommand(),
  boot: async () => (await import('./boot.js')).bootCommand(),
  size: async () => (await import('./size.js')).sizeCommand(),
  sweep: async () => (await import('./sweep.js')).sweepCommand(),
  worker: async () => (await import('./worker.js')).workerCommand(),
  merge: async () => (await import('./merge.js')).mergeCommand(),
  query: async () => (await import('./query.js')).queryCommand(),
  replay: async () => (await import('./replay.js')).replayCommand(),
  diff: async () => (await import('./diff.js')).diffCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  trace: async () => (await import('./trace.js')).traceCommand(),
  import: async () => (await import('./import.js')).importCommand(),
  capture: async () => (await import('./capture.js')).captureCommand(),
  kernels: async () => (await import('./kernels.js')).kernelsCommand(),
  machines: async () => (await import('./machines.js')).machinesCommand(),
  devices: async () => (await import('./devices.js')).devicesCommand(),
  schema: async () => (await import('./schema.js')).schemaCommand(),
  demo: async () => (await import('./demo.js')).demoCommand(),
};

async function program(called: string | undefined): Promise<Command> {
  const loaded =
    called !== undefined && Object.hasOwn(verbs, called) ? [called] : Object.keys(verbs);
  const all = new Command('cmasim')
    .description("Simulates where a Linux machine's DMA memory comes from, and what that costs.")
    .version(packageVersion())
    .addHelpText(
      'after',
      '\nExit: 0 fine, 1 a check failed, 2 wrong input, 3 our bug, 130 interrupted.',
    );
  for (const verb of loaded) all.addCommand(await verbs[verb](), { hidden: verb === 'demo' });
  // Verbs are made elsewhere and inherit nothing: each is told to throw instead of exiting.
  for (const command of [all, ...all.commands]) command.exitOverride().showHelpAfterError(false);
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
  const all = await program(process.argv[2]);
  await all.parseAsync();
} catch (error) {
  process.exitCode = failure(error);
}
