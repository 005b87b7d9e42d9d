/**
 * Places of text: data on standard output, everything else on standard error, colour only on
 * terminals.
 */

import { readFileSync } from 'node:fs';
import { type Paint, paint } from '../text/table.js';
import { oneLine } from '../text/userError.js';

/** A reader that goes away (`| head`) is no mistake: what is left is not written. */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      if (stream !== process.stderr) complain(`cmasim: output cannot be written (${error.code})`);
      process.exit(2);
    });
  }
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printJson(document: unknown): void {
  print(JSON.stringify(document, null, 2));
}

/** One line, whatever file names or values it quotes. */
export function complain(line: string): void {
  process.stderr.write(`${oneLine(line)}\n`);
}

/** https://no-color.org: any value but the empty one turns colour off. */
export function stdoutPaint(): Paint {
  const { NO_COLOR, TERM } = process.env;
  const refused = (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb';
  return paint({ colour: process.stdout.isTTY === true && !refused });
}

/** The root of the installed package: what ships beside the code is found from there. */
export const packageRoot = new URL('../../../', import.meta.url);

export function packageVersion(): string {
  const text = readFileSync(new URL('package.json', packageRoot), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
