/** What the README counts, for the tests that count it. */

import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const sentence =
  /([\d ]+) recorded boots and ([\d ]+) recorded operations[^.]*?([\d ]+) requests\sof/.exec(
    readme,
  );
const [boots, operations, requests] = (sentence ?? [])
  .slice(1)
  .map((text) => Number(text.replaceAll(' ', '')));

export const claims = { boots, operations, requests };
