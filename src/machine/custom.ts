/**
 * A machine from a scenario's own keys: a number of nodes and what differs from the defaults.
 *
 * Defaults are an ordinary small arm64 server; a machine of several chassis is one chassis
 * repeated, with the link between chassis added to every latency that crosses it. Left out: chassis
 * of different kinds, links that several pairs share (they are queues of the actors, not of the
 * map).
 */

import { type Range, without } from '../mm/ranges.js';
import { checkLength, checkMachine, checkSquare, MachineError, nodesMax } from './check.js';
import type { MachineKeys } from './keys.js';
import { type Machine, type MachineNode, type Parameter, sumsOf } from './machine.js';

type NodeKeys = Exclude<MachineKeys['nodes'], number | undefined>[number];

const GiB = 2 ** 30;
const defaults = { memory: 4 * GiB, cpus: 16, onDie: 60, bandwidth: 40 };
/** Links into a node against its own memory: MLC, 34.4 of 69.3 GB/s between two Xeons. */
const linkShare = 0.5;
/** Idle local latency in ns when nothing is said; a remote one grows with the SLIT distance. */
const localNs = 100;
const remoteDistance = 20; // REMOTE_DISTANCE, what the kernel uses without a SLIT
const chassisDistance = 80;

/** Throws MachineError; its path starts at the key of `machine:`. */
export function customMachine(keys: MachineKeys): Machine {
  const arch = keys.arch ?? 'arm64';
  const list = nodeList(keys);
  const size = list.length;
  const inside = keys.chassis?.nodes ?? size;
  const chassis = list.map((_, i) => (keys.chassis ? Math.floor(i / inside) : i));
  // A matrix of one chassis holds for all; `distance` of the whole machine needs no chassis.
  const distance = keys.distance ?? slit(inside);
  const latency = keys.latency ?? distance.map((row) => row.map((d) => (localNs * d) / 10));
  const spread = (matrix: readonly (readonly number[])[], far: number) =>
    keys.chassis ? repeat(matrix, { inside, size, far }) : matrix;
  const link = 2 * (keys.chassis?.link ?? 0);
  const remoteNs = latency.reduce((most, row) => Math.max(most, ...row), 0);
  if (keys.chassis) checkOneChassis(keys, { distance, latency }, inside);
  const nodes = layOut(list, arch);
  const bandwidth =
    perNode(keys.bandwidth, 'bandwidth', size) ?? list.map(() => defaults.bandwidth);
  const links = perNode(keys.link_bandwidth, 'link_bandwidth', size);
  const machine = {
    name: keys.name ?? 'custom',
    arch,
    pageSize: keys.page ?? 4096,
    nodes,
    distance: spread(distance, chassisDistance),
    latency: spread(latency, remoteNs + link),
    onDie: keys.on_die ?? defaults.onDie,
    bandwidth,
    linkBandwidth: links ?? bandwidth.map((own) => own * linkShare),
    chassis,
    reserved: reservedAt(arch, nodes),
    cost: {},
  };
  return checkMachine({ ...machine, parameters: customParameters(keys, machine) });
}

/** Nodes in the order of their ids, with memory still as a size where no ranges were given. */
function nodeList(
  keys: MachineKeys,
): Required<{ [K in keyof NodeKeys]: NonNullable<NodeKeys[K]> }>[] {
  const { nodes, chassis } = keys;
  if (chassis && nodes !== undefined) {
    throw new MachineError(['nodes'], 'beside chassis, expected one of the two');
  }
  if (!chassis && nodes === undefined) {
    throw new MachineError([], 'neither nodes nor chassis, expected one of the two');
  }
  const count = chassis ? chassis.count * chassis.nodes : nodes;
  const size = typeof count === 'number' ? count : (count?.length ?? 0);
  if (size > nodesMax) {
    const key = chassis ? 'chassis' : 'nodes';
    throw new MachineError([key], `${size} nodes, expected at most ${nodesMax}`);
  }
  checkSizes(keys);
  const list: readonly NodeKeys[] =
    typeof count === 'number' ? Array.from({ length: count }, () => ({})) : (count ?? []);
  const memory = perNode(keys.memory, 'memory', list.length);
  const cpus = perNode(keys.cpus, 'cpus', list.length);
  return list.map((node, i) => ({
    nid: node.nid ?? i,
    memory: node.memory ?? memory?.[i] ?? defaults.memory,
    cpus: node.cpus ?? cpus?.[i] ?? defaults.cpus,
    online: node.online ?? true,
  }));
}

/** Sizes under `memory` itself; what a node's own key says is judged when it has its place. */
function checkSizes({ memory, page = 4096 }: MachineKeys): void {
  [memory ?? 0].flat().forEach((bytes, i) => {
    if (bytes % page === 0) return;
    const path = typeof memory === 'number' ? ['memory'] : ['memory', i];
    throw new MachineError(path, `${bytes} bytes, expected a multiple of the page size ${page}`);
  });
}

/** One number for all nodes or one for each. */
export function perNode(
  value: number | readonly number[] | undefined,
  key: string,
  size: number,
): readonly number[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return Array.from({ length: size }, () => value);
  checkLength([key], value, size, 'number per node');
  return value;
}

function slit(size: number): number[][] {
  return Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) => (a === b ? 10 : remoteDistance)),
  );
}

/** The matrix of one chassis on the diagonal, `far` everywhere else. */
function repeat(
  matrix: readonly (readonly number[])[],
  { inside, size, far }: { inside: number; size: number; far: number },
): number[][] {
  return Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) =>
      Math.floor(a / inside) === Math.floor(b / inside) ? matrix[a % inside][b % inside] : far,
    ),
  );
}

/** Throws unless a chassis' own matrices have its size, before they are repeated. */
function checkOneChassis(
  keys: MachineKeys,
  matrices: Pick<Machine, 'distance' | 'latency'>,
  size: number,
): void {
  for (const key of ['distance', 'latency'] as const) {
    if (keys[key]) checkSquare(key, matrices[key], { size, of: ' of a chassis' });
  }
}

/**
 * Gives every node that names only a size its place: one after the other, as emulators do it.
 * arm64 RAM starts at 1 GiB; a PC has a hole for its BIOS and one for PCI from 3 to 4 GiB.
 */
function layOut(list: ReturnType<typeof nodeList>, arch: Machine['arch']): MachineNode[] {
  let next = arch === 'x86' ? 0 : GiB;
  return list.map(({ nid, memory, cpus, online }) => {
    if (typeof memory !== 'number') {
      next = Math.max(next, ...memory.map(([, end]) => end));
      return { nid, cpus, online, memory };
    }
    const range: Range = [next, next + memory];
    next += memory;
    const ranges = arch === 'x86' ? aroundHoles(range) : [range];
    return { nid, cpus, online, memory: memory > 0 ? ranges : [] };
  });
}

/** RAM goes on behind the PCI hole; what page 0 and the BIOS area cover is lost. */
function aroundHoles([start, end]: Range): Range[] {
  const hole = { start: 3 * GiB, end: 4 * GiB };
  const shift = (from: number) => (from >= hole.start ? from + GiB : from);
  const parts: Range[] =
    start < hole.start && end > hole.start
      ? [
          [start, hole.start],
          [hole.end, end + GiB],
        ]
      : [[shift(start), shift(start) + end - start]];
  return without(parts, [[0, 0x1000], bios]);
}

const bios: Range = [0x9f000, 2 ** 20];

/** The kernel image, 2 MiB into the lowest memory or at 16 MiB of a PC, and a PC's page 0. */
function reservedAt(arch: Machine['arch'], nodes: readonly MachineNode[]): Machine['reserved'] {
  const MiB = 2 ** 20;
  if (arch === 'x86') {
    const page0 = [0, 0x1000] as const;
    return [page0, [16 * MiB, 64 * MiB]];
  }
  const lowest = Math.min(...nodes.flatMap(({ memory }) => memory.map(([start]) => start)));
  return Number.isFinite(lowest) ? [[lowest + 2 * MiB, lowest + 48 * MiB]] : [];
}

function customParameters(keys: MachineKeys, machine: Omit<Machine, 'parameters'>): Parameter[] {
  const { nodes, pageSize, onDie, bandwidth, linkBandwidth, latency } = machine;
  const { bytes, cpus } = sumsOf(nodes);
  const listed = typeof keys.nodes === 'object' ? 'nodes' : undefined;
  const one = (name: string, key: keyof MachineKeys, unit: string, value: number): Parameter => ({
    name: `machine.${name}`,
    value,
    unit,
    class: 'assumed',
    source: keys[key] === undefined ? 'default of a machine without a preset' : 'the scenario',
  });
  const list = [
    one('nodes', keys.chassis ? 'chassis' : 'nodes', '1', nodes.length),
    one('cpus', listed ?? 'cpus', '1', cpus),
    one('memory', listed ?? 'memory', 'B', bytes),
    one('page', 'page', 'B', pageSize),
    one('latency.10', 'latency', 'ns', latency[0]?.[0] ?? localNs),
    one('on_die', 'on_die', 'ns', onDie),
    one('bandwidth', 'bandwidth', 'GB/s', bandwidth[0]),
    one('link_bandwidth', 'link_bandwidth', 'GB/s', linkBandwidth[0]),
  ];
  return keys.chassis ? [...list, one('link', 'chassis', 'ns', keys.chassis.link)] : list;
}
