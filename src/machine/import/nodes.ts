/**
 * Nodes, their CPUs, memory and distances: `numactl -H`, and /sys/devices/system/node as single
 * attributes.
 *
 * A row of `distance` has one entry per online node, ascending, so sparse ids need the list of
 * nodes first.
 */
import { type Attribute, type Facts, parseCpuList, parseMask } from './facts.js';

const numbers = (text: string): number[] => text.trim().split(/\s+/).map(Number);

/** Text of `numactl -H`. */
export function importNumactl(facts: Facts, text: string, file: string): void {
  for (const [, nid, key, value] of text.matchAll(/^node (\d+) (cpus|size|free):(.*)$/gm)) {
    const node = facts.node(Number(nid));
    if (node === null) continue;
    const bytes = Number(/(\d+) MB/.exec(value)?.[1] ?? Number.NaN) * 2 ** 20;
    if (key === 'cpus') {
      node.cpus ??= parseCpuList(value);
      facts.from('CPUs', file);
    } else if (Number.isNaN(bytes)) continue;
    else if (key === 'size') {
      node.total ??= bytes;
      facts.from('memory sizes', file);
    } else node.free ??= bytes;
  }
  const header = /^node((?:[ \t]+\d+)+)\s*$/m.exec(text);
  if (header === null) return;
  const table = facts.distanceTable('numactl', file);
  table.order = numbers(header[1]);
  for (const [, nid, row] of text.slice(header.index).matchAll(numactlRow)) {
    table.rows.set(Number(nid), numbers(row));
  }
}

/** Row `  0:  10  21` of the table of distances. */
const numactlRow = /^[ \t]*(\d+):((?:[ \t]+-?\d+)+)[ \t\r]*$/gm;

/** `cpulist`, `cpumap`, `distance` or `meminfo` of one node. */
export function importNodeAttribute(facts: Facts, { name, key, value, file }: Attribute): void {
  const node = facts.node(Number(name));
  if (node === null) return;
  if (key === 'meminfo') importNodeMeminfo(facts, value, file);
  else if (key === 'distance') {
    if (value.trim() === '') return;
    facts.distanceTable('sysfs', file).rows.set(node.nid, numbers(value));
  } else {
    if (key === 'cpumap') node.cpus ??= parseMask(value);
    else if (value.trim() === '' && node.cpus !== null) return;
    else node.cpus = parseCpuList(value);
    facts.from('CPUs', file);
  }
}

/** Lines `Node 0 MemTotal:  1546572 kB`. */
export function importNodeMeminfo(facts: Facts, text: string, file: string): void {
  for (const [, nid, key, kilobytes] of text.matchAll(
    /^Node\s+(\d+)\s+(MemTotal|MemFree):\s+(\d+) kB/gm,
  )) {
    const node = facts.node(Number(nid));
    if (node === null) continue;
    const bytes = Number(kilobytes) * 1_024;
    // Exact, where numactl rounds to MB.
    if (key === 'MemTotal') node.total = bytes;
    else node.free = bytes;
    facts.from('memory sizes', file);
  }
}

/** `# node0 cpulist=0-1 distance=10 12 20 22` with that node's meminfo behind it. */
export function importNodeList(facts: Facts, text: string, file: string): void {
  for (const [, name, cpus, distance] of text.matchAll(
    /^# node(\d+) cpulist=(\S*) distance=([\d ]*)/gm,
  )) {
    importNodeAttribute(facts, { name, key: 'cpulist', value: cpus, file });
    importNodeAttribute(facts, { name, key: 'distance', value: distance, file });
  }
  importNodeMeminfo(facts, text, file);
}
