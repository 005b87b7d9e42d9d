/**
 * A machine: NUMA nodes, their memory and CPUs, how far they are from each other.
 *
 * SLIT distances decide the order of zonelists and nothing else; latency is held apart from them,
 * because firmware tables are not measurements.
 */

import { rangesSize } from '../mm/ranges.js';

/**
 * exact: checked against a kernel. calibrated: fitted to a published measurement. assumed: ours.
 */
export type NumberClass = 'exact' | 'calibrated' | 'assumed';

/** One named number of a machine or of the cost model, with where it comes from. */
export interface Parameter {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly class: NumberClass;
  readonly source: string;
}

export interface MachineNode {
  readonly nid: number;
  readonly cpus: number;
  /** RAM as half-open byte ranges [start, end), ascending; empty for a node without memory. */
  readonly memory: readonly (readonly [start: number, end: number])[];
  readonly online: boolean;
}

/** CPUs and bytes of RAM of all nodes together. */
export function sumsOf(nodes: readonly Pick<MachineNode, 'cpus' | 'memory'>[]) {
  const cpus = nodes.reduce((sum, node) => sum + node.cpus, 0);
  return { cpus, bytes: rangesSize(nodes.flatMap((node) => node.memory)) };
}

export interface Machine {
  readonly name: string;
  readonly arch: 'arm64' | 'x86';
  /** Bytes: 4096, 16384 or 65536. */
  readonly pageSize: number;
  /** Ascending nid; ids may be sparse. All matrices are indexed by position in this list. */
  readonly nodes: readonly MachineNode[];
  /** SLIT, local = 10; row = from. */
  readonly distance: readonly (readonly number[])[];
  /** Idle load-to-use latency in ns, row = from; the diagonal is local. */
  readonly latency: readonly (readonly number[])[];
  /** A cache line's round trip on one die, in ns: what an access costs before the way is added. */
  readonly onDie: number;
  /** Memory controller bandwidth per node in bytes per ns (= GB/s). */
  readonly bandwidth: readonly number[];
  /** Bandwidth of all links into a node together, likewise: what remote accesses share. */
  readonly linkBandwidth: readonly number[];
  /** Group of nodes that share a chassis or a socket, per position: shards are cut between them. */
  readonly chassis: readonly number[];
  readonly parameters: readonly Parameter[];
  /** Ranges the firmware or the kernel image already holds at boot, [start, end) in bytes. */
  readonly reserved: readonly (readonly [start: number, end: number])[];
  /** Numbers of the cost model (mm/alloc/cost.ts) this machine overrides. */
  readonly cost: Readonly<Record<string, number>>;
}
