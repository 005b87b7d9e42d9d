/**
 * `npm run bench -- [name…]`: runs the benchmarks of this folder that export run(), all if none is named.
 *
 * They are not tests: machines are noisy, so each measures a yardstick beside itself and prints ratios.
 * `--against DIR [--rounds N] [name…]` compares this tree with another that is built (against.mjs).
 */

import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runAgainst } from './against.mjs';

const notBenches = ['run.mjs', 'against.mjs', 'cases.mjs', 'inProcess.mjs', 'probe.mjs'];

async function runHere(wanted) {
  const here = new URL('.', import.meta.url);
  const benches = new Map();
  for (const file of readdirSync(here).sort()) {
    if (!file.endsWith('.mjs') || notBenches.includes(file)) continue;
    const module = await import(new URL(file, here).href);
    if (typeof module.run === 'function') benches.set(file.replace(/\.mjs$/, ''), module.run);
  }
  const unknown = wanted.filter((name) => !benches.has(name));
  if (unknown.length > 0) {
    console.error(`bench: ${unknown.join(', ')}: expected ${[...benches.keys()].join(', ')}`);
    process.exitCode = 2;
    return;
  }
  for (const [name, run] of benches) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n# ${name}`);
    await run();
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, rounds: { type: 'string', default: '5' } },
});
if (values.against === undefined) await runHere(positionals);
else await runAgainst(values.against, { rounds: Number(values.rounds), names: positionals });
