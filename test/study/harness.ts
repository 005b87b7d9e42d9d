/** Processes that are started, watched and killed; directories and their bytes. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const children = new Set<ChildProcess>();
const directories = new Set<string>();

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** A directory that is gone when the tests of a file are over. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'cmasim-'));
  directories.add(directory);
  return directory;
}

/** What every finished results directory of one study must agree on, to the byte. */
export function bytesOf(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => name !== 'journal');
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  return Object.fromEntries(names.sort().map((name) => [name, hash(name)]));
}

export interface Running {
  readonly process: ChildProcess;
  /** Everything it has written so far. */
  output: string;
  readonly exit: Promise<number | string>;
  /** Resolves as soon as its output is such; rejects if it ends before. */
  until(done: (output: string) => boolean): Promise<void>;
}

export function start(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Running {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  children.add(child);
  child.on('close', () => children.delete(child));
  const waiting = new Set<() => void>();
  const exit = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  const running: Running = {
    process: child,
    output: '',
    exit,
    until: (done) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!done(running.output)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        exit.then((code) => reject(new Error(`ended with ${code}: ${running.output.slice(-500)}`)));
        look();
      }),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      running.output += data;
      for (const look of [...waiting]) look();
    });
  }
  return running;
}

/** Starts one of processes/*.mjs. */
export function startScript(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Running {
  const script = fileURLToPath(new URL(`processes/${name}`, import.meta.url));
  return start(process.execPath, [script, ...args], env);
}

/** Runs that a sweeper has made so far: one dot each. */
export const dots = (output: string) => output.split('.').length - 1;

/** The line with figures that a sweeper ends with. */
export function figures(output: string): Record<string, number> {
  return JSON.parse(/\{.*\}/.exec(output)![0]);
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export const onPath = (program: string) =>
  (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));

/** A study of `variants` times `replications` runs that runner.mjs makes. */
export function writeStudy(directory: string, variants: number, replications: number): string {
  const file = join(directory, 'study.yaml');
  const text = `
scenario: { kernel: "6.12", machine: { nodes: 2, memory: 1G } }
set: { cmdline: "cma={size}M" }
axes: { size: { from: 1, to: ${variants} } }
replications: ${replications}
baseline: { size: 1 }
quantiles: [0.5, 0.9]
`;
  writeFileSync(file, text);
  return file;
}
