/**
 * Conditions a machine must satisfy before anything is built on it.
 *
 * Models slit_valid() of drivers/acpi/numa/srat.c and the overlap tests of numa_add_memblk(); what
 * the kernel would quietly repair (a wrong SLIT is ignored, overlapping nodes fail the NUMA setup)
 * is an error here.
 */

import type { Machine, MachineNode } from './machine.js';

/**
 * A machine that cannot be; `path` leads to the key that says so, from the machine's own keys on.
 */
export class MachineError extends Error {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.name = 'MachineError';
    this.path = path;
  }
}

type Path = readonly (string | number)[];

function wrong(path: Path, message: string): never {
  throw new MachineError(path, message);
}

/** Throws unless a list has one entry, such as `number`, per node. */
export function checkLength(
  path: Path,
  list: ArrayLike<unknown>,
  size: number,
  each: string,
): void {
  if (list.length !== size) wrong(path, `length ${list.length}, expected ${size}, one ${each}`);
}

/** Throws unless a matrix has a row and a column per node; `of` says of what these are nodes. */
export function checkSquare(
  key: string,
  matrix: readonly (readonly number[])[],
  { size, of = '' }: { size: number; of?: string },
): void {
  checkLength([key], matrix, size, `row per node${of}`);
  for (const [a, row] of matrix.entries()) {
    checkLength([key, a], row, size, `number per node${of}`);
  }
}

/** CONFIG_NODES_SHIFT is at most 10. */
const nidMax = 1023;
export const nodesMax = nidMax + 1;
/** Physical addresses have 52 bits on either architecture. */
const addressMax = 2 ** 52;
const pageSizes: Readonly<Record<Machine['arch'], readonly number[]>> = {
  arm64: [4096, 16384, 65536],
  x86: [4096],
};
const localDistance = 10;
const unreachableDistance = 255;

/**
 * Throws MachineError if a matrix is not square, a node overlaps another, or a number is out of
 * range.
 */
export function checkMachine(machine: Machine): Machine {
  if (machine.nodes.length === 0) wrong(['nodes'], 'no nodes, expected at least 1');
  checkNids(machine.nodes);
  checkPage(machine);
  checkMemory(machine);
  checkDistance(machine);
  checkLatency(machine);
  checkPerNode(machine);
  return machine;
}

function checkNids(nodes: readonly MachineNode[]): void {
  nodes.forEach((node, i) => {
    const path = ['nodes', i, 'nid'];
    if (!Number.isInteger(node.nid) || node.nid < 0 || node.nid > nidMax) {
      wrong(path, `${node.nid} is no node id, expected 0-${nidMax}`);
    }
    const before = nodes[i - 1];
    if (before && before.nid >= node.nid) {
      wrong(path, `${node.nid}, expected more than ${before.nid}, ascending and once each`);
    }
  });
}

function checkPage({ arch, pageSize }: Machine): void {
  const known = pageSizes[arch];
  if (known.includes(pageSize)) return;
  const expected = `expected ${known.length > 1 ? 'one of ' : ''}${known.join(', ')} on ${arch}`;
  wrong(['page'], `${pageSize}, ${expected}`);
}

function checkMemory({ nodes, pageSize }: Machine): void {
  const ranges: { start: number; end: number; i: number }[] = [];
  nodes.forEach((node, i) => {
    for (const [start, end] of node.memory) {
      const text = `${hex(start)}-${hex(end)}`;
      const path = ['nodes', i, 'memory'];
      if (start >= end) wrong(path, `${text} ends before it starts`);
      if (end > addressMax) {
        wrong(path, `${text}, expected addresses below ${hex(addressMax)} (4P)`);
      }
      if (start % pageSize !== 0 || end % pageSize !== 0) {
        wrong(path, `${text}, expected multiples of the page size ${pageSize}`);
      }
      ranges.push({ start, end, i });
    }
  });
  if (ranges.length === 0) wrong(['memory'], 'no node has memory');
  ranges.sort((a, b) => a.start - b.start);
  for (let k = 1; k < ranges.length; k++) {
    const [low, high] = [ranges[k - 1], ranges[k]];
    if (low.end > high.start) {
      const at = `${hex(high.start)}-${hex(low.end)}`;
      const owners = `nodes ${nodes[low.i].nid} and ${nodes[high.i].nid}`;
      wrong(['nodes', high.i, 'memory'], `${at} belongs to ${owners}`);
    }
  }
}

function checkDistance({ distance, nodes }: Machine): void {
  checkSquare('distance', distance, { size: nodes.length });
  distance.forEach((row, a) => {
    row.forEach((value, b) => {
      const path = ['distance', a, b];
      if (a === b && value !== localDistance) {
        wrong(path, `${value} from a node to itself, expected ${localDistance}`);
      }
      const valid =
        Number.isInteger(value) && value > localDistance && value <= unreachableDistance;
      if (a !== b && !valid) {
        wrong(path, `${value} between two nodes, expected a whole number 11-255`);
      }
    });
  });
}

function checkLatency({ latency, nodes, onDie }: Machine): void {
  checkSquare('latency', latency, { size: nodes.length });
  latency.forEach((row, a) => {
    row.forEach((value, b) => {
      const path = ['latency', a, b];
      const local = latency[b][b];
      if (!(value > 0 && value <= 1e9)) {
        wrong(path, `${value} ns, expected more than 0 and at most 1e9`);
      }
      // transfer() subtracts the local latency of the target: a shorter way from afar would be
      // negative.
      if (value < local) {
        wrong(path, `${value} ns, less than the ${local} ns node ${b} needs itself`);
      }
    });
  });
  if (!(onDie > 0)) wrong(['on_die'], `${onDie} ns, expected more than 0`);
}

function checkPerNode(machine: Machine): void {
  const size = machine.nodes.length;
  const rates = { bandwidth: machine.bandwidth, link_bandwidth: machine.linkBandwidth };
  for (const [key, values] of Object.entries(rates)) {
    checkLength([key], values, size, 'number per node');
    values.forEach((value, i) => {
      if (!(value > 0)) wrong([key, i], `${value} GB/s, expected more than 0`);
    });
  }
  if (machine.nodes.every((node) => node.cpus === 0)) {
    wrong(['cpus'], 'no node has a CPU');
  }
}

function hex(bytes: number): string {
  return `0x${bytes.toString(16)}`;
}
