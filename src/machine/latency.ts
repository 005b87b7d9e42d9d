/**
 * Time a cache line, and therefore a message between nodes, is on its way.
 *
 * Models an idle coherent interconnect: what an access from a to b costs beyond what b's own CPUs
 * pay for it, on top of one round trip on the die. Left out: load (controllers and links are queues
 * of the actors), differences between reads and writes, snoop filters.
 */

import type { Machine } from './machine.js';

/** Times between the nodes of one machine; nodes are positions in `machine.nodes`. */
export class LatencyTable {
  readonly size: number;
  /**
   * Row = from. Whole ns, so that sums are exact in any order; one flat matrix, 4 MiB at 1 024
   * nodes.
   */
  readonly oneWayNs: Int32Array;
  private readonly onDie: number;
  private readonly latency: Machine['latency'];

  constructor(machine: Machine) {
    const size = machine.nodes.length;
    this.size = size;
    this.onDie = machine.onDie;
    this.latency = machine.latency;
    this.oneWayNs = new Int32Array(size * size);
    for (let a = 0; a < size; a++) {
      const row = machine.latency[a];
      for (let b = 0; b < size; b++) {
        if (a === b) continue;
        const transfer = machine.onDie + row[b] - machine.latency[b][b];
        // A message between two nodes that arrived at once would leave the shards no lookahead.
        this.oneWayNs[a * size + b] = Math.max(1, Math.round(transfer / 2));
      }
    }
  }

  /**
   * Round trip of one cache line from node a to the memory of node b, in ns; on the die if a = b.
   */
  transfer(a: number, b: number): number {
    return this.onDie + this.latency[a][b] - this.latency[b][b];
  }

  /**
   * What a message from a to b takes, in whole ns; 0 inside a node.
   *
   * Half the cache-line transfer, and not half the memory latency: what passes between two nodes is
   * a line that one cache writes and the other reads, and no DRAM access is part of that. The
   * published CMD_SYNC times are 3.5 such transfers (docs: model evidence), which halves of the
   * latency miss.
   */
  oneWay(a: number, b: number): number {
    return this.oneWayNs[a * this.size + b];
  }

  /**
   * The shortest way between two nodes of different parts, in ns; Infinity if there is one part
   * only.
   */
  lookahead(partOf: ArrayLike<number>): number {
    let least = Number.POSITIVE_INFINITY;
    for (let a = 0; a < this.size; a++) {
      for (let b = 0; b < this.size; b++) {
        if (partOf[a] !== partOf[b]) least = Math.min(least, this.oneWayNs[a * this.size + b]);
      }
    }
    return least;
  }
}
