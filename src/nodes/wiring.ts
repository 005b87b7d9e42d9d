/**
 * What every actor knows and nobody changes after boot: who owns what, how far it is, how to send
 * there.
 *
 * Each shard holds its own copy, so that asking costs what the kernel pays (a pointer test, a list
 * walk) and never a message.
 */

import type { LatencyTable } from '../machine/latency.js';
import type { AreaDirectory, DmaLimits } from '../mm/alloc/contiguous.js';
import type { CostModel } from '../mm/alloc/cost.js';
import type { MemoryLayout } from '../mm/layout.js';
import type { Policy } from '../mm/policy.js';
import type { Nid } from '../mm/units.js';
import type { RunRecorder } from './recorder.js';
import type { ReleaseRules } from './rules.js';

/** How actors are numbered: nodes by position, then the coordinator, the replayers, the devices. */
export interface Wiring {
  readonly layout: MemoryLayout;
  readonly directory: AreaDirectory;
  readonly limits: DmaLimits;
  readonly rules: ReleaseRules;
  readonly costs: CostModel;
  /** Requests say which by number; a run has one, a replay may have several. */
  readonly policies: readonly Policy[];
  readonly latency: LatencyTable;
  readonly recorder: RunRecorder;
  /** The run checks itself at every step, not only at its end. */
  readonly checks: boolean;
  readonly coordinator: number;
  /** Actor -> position of its node. */
  readonly place: Int32Array;
  /** Area -> actor that owns it: its node, or the coordinator for the default area. */
  readonly areaOwner: Int32Array;
  /** nid -> node actor, -1 without one; node actor -> nid. */
  readonly nodeOf: Int32Array;
  readonly nidOf: Int32Array;
  /** Online CPUs, for what visits every one. */
  readonly cpus: number;
  /** `DMA` 0, `DMA32` 1, `Normal` 2, `Movable` 3. */
  zoneIndex(name: string): number;
}

/** One-way time between two actors, in ns; 0 on the same node. */
export function between(wiring: Wiring, from: number, to: number): number {
  return wiring.latency.oneWay(wiring.place[from], wiring.place[to]);
}

/** Node on which an allocation starts: the device's, or that of the CPU which runs the call. */
export function startNode(request: { readonly devNode: Nid; readonly cpuNode: Nid }): Nid {
  return request.devNode >= 0 ? request.devNode : request.cpuNode;
}
