/** The recorded servers and topologies, as the files an import is given. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { collectFiles } from '#cmasim/cli/collect.js';
import { type ImportedMachine, importMachine } from '#cmasim/machine/import/build.js';

const kernel = fileURLToPath(new URL('../../kernel/', import.meta.url));

const list = (folder: string, ending: RegExp) =>
  readdirSync(`${kernel}${folder}`)
    .filter((name) => ending.test(name))
    .sort();

export const topologies = list('topologies', /\.(?:tar|xml)\.gz$/);
export const servers = list('traces', /^(?:x86|arm64)-/);

export function topology(name: string): ImportedMachine {
  return importMachine(collectFiles(`${kernel}topologies/${name}`).files, name);
}

export const serverPath = (name: string): string => `${kernel}traces/${name}/machine.tar.gz`;

export function server(name: string): ImportedMachine {
  return importMachine(collectFiles(serverPath(name)).files, name);
}

/** A machine from texts, each with its path. */
export function from(files: Readonly<Record<string, string>>): ImportedMachine {
  return importMachine(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    'test',
  );
}

/** `numactl -H` of nodes with these ids, CPUs and MB, all at distance 10 and 20. */
export function numactl(nodes: readonly { nid: number; cpus: string; mb: number }[]): string {
  const nids = nodes.map(({ nid }) => nid);
  return [
    `available: ${nodes.length} nodes (${nids.join(',')})`,
    ...nodes.flatMap(({ nid, cpus, mb }) => [
      `node ${nid} cpus: ${cpus}`,
      `node ${nid} size: ${mb} MB`,
      `node ${nid} free: ${mb} MB`,
    ]),
    'node distances:',
    `node ${nids.map((nid) => String(nid).padStart(3)).join(' ')} `,
    ...nids.map((a) => `  ${a}: ${nids.map((b) => (a === b ? ' 10' : ' 20')).join(' ')} `),
  ].join('\n');
}
