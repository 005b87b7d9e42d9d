/**
 * Nodes, their CPUs, memory and distances: `numactl -H`, and /sys/devices/system/node as single
 * attributes.
 *
 * A row of `distance` has one entry per online node, ascending, so sparse ids need the list of
 * nodes first.
 */
import { type Facts, parseCpuList, parseMask } from './facts.js';

/** Text of `numactl -H`. */
export function importNumactl(facts: Facts, text: string, file: string): void {
  let order: number[] | null = null;
  for (const line of text.split('\n')) {
    const attribute = /^node (\d+) (cpus|size|free):(.*)$/.exec(line);
    if (attribute !== null) {
      numactlNode(facts, attribute, file);
      continue;
    }
    const header = /^node((?:\s+\d+)+)\s*$/.exec(line);
    if (header !== null) {
      order = header[1].trim().split(/\s+/).map(Number);
      facts.distanceTable('numactl', file).order = order;
      continue;
    }
    const row = /^\s*(\d+):((?:\s+-?\d+)+)\s*$/.exec(line);
    if (row === null || order === null) continue;
    const distances = row[2].trim().split(/\s+/).map(Number);
    facts.distanceTable('numactl', file).rows.set(Number(row[1]), distances);
  }
}

function numactlNode(facts: Facts, [, nid, key, value]: RegExpExecArray, file: string): void {
  const node = facts.node(Number(nid));
  if (node === null) return;
  if (key === 'cpus') {
    node.cpus ??= parseCpuList(value!);
    facts.from('CPUs', file);
    return;
  }
  const size = /(\d+) MB/.exec(value!);
  if (size === null) return;
  const bytes = Number(size[1]) * 2 ** 20;
  if (key === 'size') {
    node.total ??= bytes;
    facts.from('memory sizes', file);
  } else node.free ??= bytes;
}

/** `cpulist`, `cpumap`, `distance` or `meminfo` of one node. */
export function importNodeAttribute(
  facts: Facts,
  { nid, key, value, file }: { nid: number; key: string; value: string; file: string },
): void {
  const node = facts.node(nid);
  if (node === null) return;
  switch (key) {
    case 'cpulist':
      if (value.trim() === '' && node.cpus !== null) return;
      node.cpus = parseCpuList(value);
      facts.from('CPUs', file);
      break;
    case 'cpumap':
      node.cpus ??= parseMask(value);
      facts.from('CPUs', file);
      break;
    case 'distance':
      if (value.trim() === '') return;
      facts.distanceTable('sysfs', file).rows.set(nid, value.trim().split(/\s+/).map(Number));
      break;
    case 'meminfo':
      importNodeMeminfo(facts, value, file);
      break;
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
  for (const [, nid, cpus, distance] of text.matchAll(
    /^# node(\d+) cpulist=(\S*) distance=([\d ]*)/gm,
  )) {
    const common = { nid: Number(nid), file };
    importNodeAttribute(facts, { ...common, key: 'cpulist', value: cpus! });
    importNodeAttribute(facts, { ...common, key: 'distance', value: distance! });
  }
  importNodeMeminfo(facts, text, file);
}
