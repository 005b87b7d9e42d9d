/** The command as tests call it: in a process of its own, or in one that has loaded it already. */

import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A fresh process, for what concerns streams and signals. */
export function cmasimAlone(args: readonly string[], input: string | Uint8Array = ''): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    input,
    encoding: 'utf8',
    cwd: root,
    maxBuffer: 64 << 20,
  });
  return { code: status, out: stdout, err: stderr };
}

let loaded: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

// Waited for, so that what it took is added to what the test file took.
afterAll(async () => {
  if (loaded === undefined) return;
  loaded.kill();
  await once(loaded, 'exit');
});

function nextTurn(args: readonly string[], input: string): Promise<Ended> {
  loaded ??= fork(new URL('commandProcess.mjs', import.meta.url), {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const child = loaded;
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) =>
      reject(new Error(`${args.join(' ')}: ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as Ended);
    });
    child.send({ args, input });
  });
}

/** One command after another; standard input and output as streams need a process of their own. */
export function cmasim(args: readonly string[], input: string | Uint8Array = ''): Promise<Ended> {
  const isStream = args.includes('-') && args[0] !== 'run';
  if (isStream || typeof input !== 'string') return Promise.resolve(cmasimAlone(args, input));
  const turn = last.then(() => nextTurn(args, input));
  last = turn.catch(() => {});
  return turn;
}
