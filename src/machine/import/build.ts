/**
 * Machine made of what a server's files say, with words for what they say and what they do not.
 *
 * Left out: latencies and bandwidths, which no such file has (hwloc's attributes apart): the
 * defaults of a machine without a preset stand for them.
 */
import { MachineError } from '../check.js';
import { customMachine } from '../custom.js';
import type { MachineKeys } from '../keys.js';
import type { Machine } from '../machine.js';
import { settleAreas } from './areas.js';
import { describe } from './describe.js';
import { type DistanceTable, Facts, type NodeFacts } from './facts.js';
import { nodeMemory } from './memory.js';
import { type ImportFile, importFile } from './recognise.js';
import { type StartState, startState } from './state.js';

export interface ImportedMachine {
  readonly machine: Machine;
  /**
   * What stands in a machine file: `--machine FILE` of it gives `machine`, apart from `reserved`.
   */
  readonly keys: MachineKeys;
  readonly state: StartState;
  /** CPU -> node, as far as a source names them; empty when none does. */
  readonly cpuNode: readonly number[];
  /** The machine in words, a sentence or row per line. */
  readonly description: readonly string[];
  /** Contradictions and damage in the sources; every one is true. */
  readonly warnings: readonly string[];
}

/** Throws MachineError when the files do not hold a single node with memory. */
export function importMachine(files: readonly ImportFile[], name: string): ImportedMachine {
  const facts = new Facts();
  // A snapshot made by hand may list the same thing twice; the order of the names decides, not of
  // the disk.
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) importFile(facts, file);
  settleAreas(facts);
  if (facts.nodes.size === 0) throw new MachineError([], 'no NUMA node found in it');
  const arch = archOf(facts);
  const pageSize = pageSizeOf(facts);
  const nids = [...facts.nodes.keys()].sort((a, b) => a - b);
  const memory = nodeMemory(facts, nids, pageSize);
  const distance = distances(facts, nids);
  const cpus = cpuCounts(facts, nids);
  const keys: MachineKeys = {
    name,
    arch,
    page: pageSize,
    nodes: nids.map((nid, i) => ({ nid, memory: memory.perNode[i], cpus: cpus[i] })),
    ...(distance === null ? {} : { distance }),
    ...bandwidths(facts, nids),
  };
  const machine = reservedRanges(customMachine(keys), facts);
  const state = startState(facts, pageSize);
  const description = describe({ machine, facts, state, memory });
  return { machine, keys, state, cpuNode: cpuNodes(facts), description, warnings: facts.warnings };
}

function cpuNodes(facts: Facts): number[] {
  const nodes: number[] = [];
  for (const { nid, cpus } of facts.nodes.values()) for (const cpu of cpus ?? []) nodes[cpu] = nid;
  return Array.from(nodes, (nid) => nid ?? -1);
}

function archOf(facts: Facts): Machine['arch'] {
  if (/^(?:x86_64|i[3-6]86|amd64)/.test(facts.arch)) return 'x86';
  if (/^(?:aarch64|arm64)/.test(facts.arch)) return 'arm64';
  if (facts.arch !== '') {
    facts.warn(`architecture ${facts.arch} is not modelled: it boots as arm64 would`);
    return 'arm64';
  }
  // No file says it. Zones and firmware tables of a PC do.
  const zones = [...facts.zones.values()];
  const pc = zones.some(({ name, startPfn }) => name === 'DMA' && startPfn === 1);
  facts.from('architecture', pc ? "the zones' addresses" : 'nothing: arm64 is assumed');
  return pc ? 'x86' : 'arm64';
}

function pageSizeOf(facts: Facts): number {
  const sizes = [4_096, 16_384, 65_536];
  const known = facts.pageSize ?? managedPageSize(facts);
  if (known !== null && sizes.includes(known)) return known;
  if (known !== null) facts.warn(`page size ${known} is not modelled: 4096 is taken`);
  else facts.from('page size', 'nothing: 4096 is assumed');
  return 4_096;
}

/** MemTotal of a node counts the managed pages of its zones: their ratio is the page size. */
function managedPageSize(facts: Facts): number | null {
  for (const node of facts.nodes.values()) {
    let managed = 0;
    for (const zone of facts.zones.values()) if (zone.nid === node.nid) managed += zone.managed;
    if (node.total === null || managed <= 0) continue;
    const size = 2 ** Math.round(Math.log2(node.total / managed));
    if (size >= 4_096 && size <= 65_536) return size;
  }
  return null;
}

/**
 * The SLIT by position; null when no source has one, or a broken one, which the kernel ignores too.
 */
function distances(facts: Facts, nids: readonly number[]): number[][] | null {
  const table = bestTable(facts);
  if (table === null) {
    if (nids.length > 1) facts.from('distances', 'nothing: 10 and 20 are assumed');
    return null;
  }
  facts.from('distances', table.file);
  const order = table.order ?? [...table.rows.keys()].sort((a, b) => a - b);
  const columns = nids.map((nid) => order.indexOf(nid));
  const matrix = nids.map((nid, a) => {
    const row = table.rows.get(nid) ?? null;
    return columns.map((column, b) => distance(row, column, a === b));
  });
  const wrong = broken(matrix, nids);
  if (wrong === '') return matrix;
  facts.warn(
    `the distance table is broken (${wrong}): the kernel uses 10 and 20 then, so does this`,
  );
  return null;
}

/** The table with the most rows; of equals the kernel's own. */
function bestTable(facts: Facts): DistanceTable | null {
  let best: DistanceTable | null = null;
  for (const kind of ['sysfs', 'numactl', 'hwloc']) {
    const table = facts.distances.get(kind);
    if (table !== undefined && table.rows.size > (best?.rows.size ?? 0)) best = table;
  }
  return best;
}

function distance(row: readonly number[] | null, column: number, local: boolean): number {
  // A node that is in no table of distances, offline at boot or without a row of its own.
  if (row === null || column < 0) return local ? 10 : 20;
  return row[column] ?? Number.NaN;
}

/** slit_valid(): 10 to itself, more to others, at most 255. */
function broken(matrix: readonly (readonly number[])[], nids: readonly number[]): string {
  for (const [a, row] of matrix.entries()) {
    for (const [b, value] of row.entries()) {
      const fine = a === b ? value === 10 : value > 10 && value <= 255;
      if (fine) continue;
      const what = Number.isNaN(value) ? 'nothing' : String(value);
      return `${what} from node ${nids[a]} to ${nids[b]}`;
    }
  }
  return '';
}

function cpuCounts(facts: Facts, nids: readonly number[]): number[] {
  const nodes = nids.map((nid) => facts.nodes.get(nid)!);
  if (nodes.some(({ cpus }) => cpus !== null && cpus.size > 0)) {
    return nodes.map(({ cpus }) => cpus?.size ?? 0);
  }
  if (nodes.some(({ cpus }) => cpus !== null)) {
    facts.warn('no node has a CPU: one is put on the first node with memory');
    const first = firstWithMemory(facts, nodes);
    return nodes.map((node) => (node === first ? 1 : 0));
  }
  facts.from('CPUs', 'nothing: one per node is assumed');
  return nodes.map(() => 1);
}

function firstWithMemory(facts: Facts, nodes: readonly NodeFacts[]): NodeFacts {
  const has = ({ nid, total }: NodeFacts) => facts.nodeRanges.has(nid) || (total ?? 0) > 0;
  return nodes.find(has) ?? nodes[0];
}

function bandwidths(facts: Facts, nids: readonly number[]): Pick<MachineKeys, 'bandwidth'> {
  if (!nids.every((nid) => facts.bandwidth.has(nid))) return {};
  facts.from('bandwidth', "hwloc's memory attributes");
  return { bandwidth: nids.map((nid) => facts.bandwidth.get(nid)!) };
}

/**
 * Memory that firmware and the image hold, where a source says it; otherwise customMachine()'s own
 * guess stands.
 */
function reservedRanges(machine: Machine, facts: Facts): Machine {
  if (facts.reserved.length === 0) return machine;
  const ranges = facts.reserved
    .filter(([start, end]) =>
      machine.nodes.some(({ memory }) => memory.some(([from, to]) => start < to && end > from)),
    )
    .sort((a, b) => a[0] - b[0]);
  return { ...machine, reserved: ranges };
}
