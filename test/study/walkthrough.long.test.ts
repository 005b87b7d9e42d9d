/** docs/studies.md: the files it shows load, and its commands run. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { start, temporary } from './harness.js';

const cli = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const text = readFileSync(new URL('../../docs/studies.md', import.meta.url), 'utf8');
const directory = temporary();

for (const [, name, content] of text.matchAll(/^`(\w+\.yaml)`:\n\n```yaml\n([\s\S]*?)```/gm)) {
  writeFileSync(join(directory, name!), content!);
}

/** The words of a command line; quotes hold several together. */
const words = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

const commands = [...text.matchAll(/^\$ cmasim ((?:[^"\n]|"[^"]*")*)/gm)].map(([, line]) => line!);

test('it has commands of every verb it is about', () => {
  expect(new Set(commands.map((line) => line.split(' ')[0]))).toEqual(
    new Set(['sweep', 'query', 'size']),
  );
});

test('its commands run, one after the other', async () => {
  mkdirSync(directory, { recursive: true });
  for (const line of commands) {
    // What size finds does not depend on how sure it is; the test need not be.
    const quick = line.startsWith('size') ? ['--risk', '50%', '--curve', '1'] : [];
    const running = start('env', [
      '-C',
      directory,
      process.execPath,
      cli,
      ...words(line),
      ...quick,
    ]);
    expect(await running.exit, `${line}\n${running.output}`).toBe(0);
    if (line.startsWith('size')) expect(running.output).toMatch(/cma=\d+M? numa_cma=0:\d+M,1:/);
  }
});
