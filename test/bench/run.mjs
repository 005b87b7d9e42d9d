/**
 * `npm run bench -- [name…]`: runs the benchmarks of this folder that export run(), all if none is named.
 *
 * They are not tests: machines are noisy, so each measures a yardstick beside itself and prints ratios.
 */

import { readdirSync } from 'node:fs';

const here = new URL('.', import.meta.url);
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const benches = new Map();
for (const file of readdirSync(here).sort()) {
  if (!file.endsWith('.mjs') || file === 'run.mjs') continue;
  const module = await import(new URL(file, here).href);
  if (typeof module.run === 'function') benches.set(file.replace(/\.mjs$/, ''), module.run);
}
const unknown = wanted.filter((name) => !benches.has(name));
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(', ')}: expected ${[...benches.keys()].join(', ')}`);
  process.exitCode = 2;
} else {
  for (const [name, run] of benches) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n# ${name}`);
    await run();
  }
}
