/**
 * A process that has loaded the command, and runs it again and again: a turn takes what the verb takes, not
 * what reading 350 modules takes. The main module is evaluated anew for every turn.
 */

import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = new URL('../../dist/src/cli/main.js', import.meta.url).href;
const said = { stdout: '', stderr: '' };
let turns = 0;

for (const name of ['stdout', 'stderr']) {
  // Every turn listens for readers that go away.
  process[name].setMaxListeners(0);
  process[name].write = (data, encoding, done) => {
    said[name] += typeof data === 'string' ? data : Buffer.from(data).toString();
    const told = typeof encoding === 'function' ? encoding : done;
    if (told) queueMicrotask(told);
    return true;
  };
}

/** A file that is read as standard input: it takes the descriptor that is free. */
function becomeInput(input) {
  const file = join(tmpdir(), `cmasim-stdin-${process.pid}`);
  writeFileSync(file, input);
  closeSync(0);
  if (openSync(file, 'r') !== 0) throw new Error('expected descriptor 0 to be free');
  unlinkSync(file);
}

process.on('message', async ({ args, input }) => {
  becomeInput(input);
  Object.assign(said, { stdout: '', stderr: '' });
  process.argv = [process.execPath, fileURLToPath(main), ...args];
  process.exitCode = undefined;
  await import(`${main}?turn=${turns++}`);
  const code = process.exitCode ?? 0;
  process.exitCode = undefined;
  process.send({ code, out: said.stdout, err: said.stderr });
});
