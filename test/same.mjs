/**
 * `npm run same -- --against DIR`: what another built tree prints, and what this one does, side by side.
 *
 * Runs the same commands in both and shows where the texts differ. Fingerprints, wall clock and the number of
 * shards are left out: they may change where results do not. `--write OUT` only writes this tree's texts.
 */

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, write: { type: 'string' }, long: { type: 'boolean' } },
});

const scenarios = readdirSync(join(root, 'scenarios'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''));
const kernel = (kind) =>
  readdirSync(join(root, 'test/kernel', kind)).filter((name) => !/\.md$|^LICENSE/.test(name));

/** Name of a text -> arguments; `OUT` stands for a path of its own, whose files count as text. */
function commands() {
  const all = new Map();
  const add = (name, ...args) => all.set(name, args);
  for (const name of scenarios) {
    if (name === 'rack-1024' && !values.long) continue;
    const file = `scenarios/${name}.yaml`;
    add(`run.${name}`, 'run', file);
    add(`json.${name}`, 'run', file, '--json');
    if (name === 'rack-1024' || name === 'server-busy') continue;
    add(`interpreted.${name}`, 'run', file, '--json', '--devices', 'interpreted', '--shards', '2');
    add(`config.${name}`, 'run', file, '--print-config');
    add(`boot.${name}`, 'boot', file);
    const documents = readFileSync(join(root, file), 'utf8').split(/^---$/m).length;
    const first = documents > 1 ? `${file}#1` : file;
    add(`why.${name}`, 'why', first);
    for (const to of ['ftrace', 'kernelfs', 'perfetto', 'parquet']) {
      add(`${to}.${name}`, 'export', first, '--to', to, '-o', 'OUT');
    }
  }
  add('why.exhausted', 'why', 'scenarios/area-exhausted.yaml', 'd#1');
  add('why.exhausted.json', 'why', 'scenarios/area-exhausted.yaml', 'd#1', '--json');
  add('why.nic', 'why', 'scenarios/nic-passthrough.yaml#1', 'nic@0#0');
  add(
    'diff.kernels',
    'diff',
    'scenarios/nic-passthrough.yaml',
    '--a',
    'kernel=5.7',
    '--b',
    'kernel=6.12',
  );
  add('size.nvme', 'size', 'scenarios/area-exhausted.yaml');
  add('replay.oracle', 'replay', '--check', 'test/kernel/oracle');
  add('replay.oracle.json', 'replay', '--check', '--json', 'test/kernel/oracle');
  add('boots', 'boot', '--check', 'test/kernel/oracle/boots.jsonl.gz');
  for (const name of kernel('traces')) {
    const folder = `test/kernel/traces/${name}`;
    const files = readdirSync(join(root, folder))
      .filter((file) => /\.(trace|txt|report|script|jsonl?|dat)(\.gz)?$/.test(file))
      .filter((file) => !/summary|counts/.test(file))
      .map((file) => `${folder}/${file}`);
    add(`trace.${name}`, 'trace', ...files);
    add(`trace.json.${name}`, 'trace', ...files, '--json');
    add(`replay.${name}`, 'replay', '--check', folder);
    add(`replay.json.${name}`, 'replay', '--check', '--json', folder);
    add(`replay.diff.${name}`, 'diff', folder, '--a', 'kernel=7.2', '--b', 'kernel=5.10');
    add(`replay.parquet.${name}`, 'export', folder, '--to', 'parquet', '-o', 'OUT');
    add(`replay.ftrace.${name}`, 'export', folder, '--to', 'ftrace', '-o', 'OUT');
  }
  for (const kind of ['topologies', 'machines']) {
    for (const name of kernel(kind))
      add(`import.${name}`, 'import', `test/kernel/${kind}/${name}`, '-o', 'OUT');
  }
  for (const verb of ['kernels', 'machines', 'devices', 'schema']) add(verb, verb);
  for (const kind of ['hns3', 'smmuv3', 'mlx5', 'nvme', 'vb2'])
    add(`devices.${kind}`, 'devices', kind);
  for (const id of ['6.12', '5.10', 'v2', '7.2']) add(`kernels.${id}`, 'kernels', id);
  return positionals.length === 0
    ? all
    : new Map([...all].filter(([name]) => positionals.some((word) => name.includes(word))));
}

/** What may differ between builds that agree. */
function comparable(text) {
  return text
    .replaceAll(/("?fingerprint"?:? +"?)[0-9a-f]{16}/g, '$1…')
    .replaceAll(/"(wall_ms|shards|fingerprint)": ?[^,\n}]+/g, '"$1": …')
    .replaceAll(/\b[0-9a-f]{16}\b/g, '…')
    .replaceAll(/\d+\.\d+ s\b.*events\/s.*/g, '…');
}

function filesOf(path) {
  try {
    const names = readdirSync(path, { recursive: true, withFileTypes: true });
    return names
      .filter((one) => one.isFile())
      .map((one) => join(one.parentPath ?? one.path, one.name))
      .sort();
  } catch (error) {
    return error.code === 'ENOTDIR' ? [path] : [];
  }
}

function outputText(path) {
  return filesOf(path)
    .map((file) => {
      const bytes = readFileSync(file);
      const body = bytes.includes(0)
        ? createHash('sha256')
            .update(bytes)
            .digest('hex')
            .replaceAll(/(.{8})/g, '$1 ')
        : bytes;
      return `--- ${relative(path, file)}\n${body}`;
    })
    .join('\n');
}

function once(tree, args) {
  const out = join(mkdtempSync(join(tmpdir(), 'same-')), 'out');
  const given = args.map((word) => (word === 'OUT' ? out : word));
  const main = resolve(tree, 'dist/src/cli/main.js');
  const env = { ...process.env, NO_COLOR: '1', COLUMNS: '80' };
  return new Promise((done) => {
    const child = spawn(process.execPath, [main, ...given], { cwd: root, env });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (text[name] += data));
    child.on('close', (code) => {
      const body = `exit ${code}\n${text.stdout}\n=== stderr\n${text.stderr}\n${outputText(out)}`;
      rmSync(resolve(out, '..'), { recursive: true, force: true });
      done(comparable(body.replaceAll(out, 'OUT')));
    });
  });
}

async function write(tree, folder) {
  mkdirSync(folder, { recursive: true });
  const waiting = [...commands()];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      writeFileSync(join(folder, next[0]), await once(tree, next[1]));
    }
  };
  await Promise.all([work(), work()]);
}

if (values.write !== undefined) {
  await write(root, values.write);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'same-'));
  await write(resolve(values.against), join(folder, 'a'));
  await write(root, join(folder, 'b'));
  try {
    execFileSync('diff', ['-r', '-U2', 'a', 'b'], { cwd: folder, stdio: 'inherit' });
    console.log(`${commands().size} commands: the same texts`);
  } catch {
    process.exitCode = 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
