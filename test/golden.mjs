/** Writes what every scenario prints beside it: `npm run golden [NAME…]`. Look at the difference. */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const main = fileURLToPath(new URL('dist/src/cli/main.js', root));
const wanted = process.argv.slice(2);
const names = readdirSync(new URL('scenarios/', root))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''));

for (const name of wanted.length > 0 ? wanted : names) {
  const file = fileURLToPath(new URL(`scenarios/${name}.yaml`, root));
  const env = { ...process.env, NO_COLOR: '1' };
  const run = spawnSync(process.execPath, [main, 'run', file], {
    encoding: 'utf8',
    env,
    maxBuffer: 2 ** 26,
  });
  if (run.status !== 0) process.stderr.write(`${name}: exit ${run.status}\n${run.stderr}`);
  writeFileSync(new URL(`scenarios/${name}.out`, root), run.stdout);
}
