/**
 * What a run is made of, as every shard gets it: plain data, sent once. The wiring is derived from it.
 */


import { LatencyTable } from '../machine/latency.js';
import type { Machine } from '../machine/machine.js';
import { areaDirectory, type DmaLimits } from '../mm/contiguous.js';
import { CostModel, costsWith } from '../mm/cost.js';
import type { MemoryLayout } from '../mm/layout.js';
import { lowerPolicy, type PolicyRow } from '../mm/policy.js';
import { type WatermarkOptions, zoneIndex } from '../mm/zones.js';
import { RunLog } from './log.js';
import type { ReleaseRules, Wiring } from './wiring.js';

/** Something that happens to the machine or to a device at a time. */
export type Disturbance =
  | { readonly at: number; readonly do: 'write'; readonly device: number; readonly numaNode: number }
  | {
      readonly at: number;
      readonly do: 'send';
      readonly device: number;
      readonly event: string;
      readonly numbers: readonly number[];
    }
  | { readonly at: number; readonly do: 'take' | 'give'; readonly nid: number; readonly pages: number };

export interface Plan {
  readonly seed: number;
  readonly machine: Machine;
  readonly layout: MemoryLayout;
  readonly limits: DmaLimits;
  readonly rules: ReleaseRules;
  /** Rows in force; requests name them by position. */
  readonly policies: readonly Pick<PolicyRow, 'id' | 'alloc' | 'free'>[];
  /** Overrides of mm/cost.ts by name. */
  readonly cost: Readonly<Record<string, number>>;
  readonly watermarks: WatermarkOptions;
  readonly devices: readonly { nid: number }[];
  readonly interpreted: boolean;
  readonly timeline: readonly Disturbance[];
  /** Operations of a replay (operations.ts) and the node of the CPU that begins it. */
  readonly replay: { readonly operations: Float64Array; readonly cpuNode: number } | null;
  readonly keepAttempts: boolean;
}

/** Actor numbers: nodes by position in the machine, the coordinator, the replayer, the devices. */
export function actorNumbers(plan: Pick<Plan, 'machine' | 'devices'>): {
  readonly coordinator: number;
  readonly replayer: number;
  readonly firstDevice: number;
  readonly count: number;
} {
  const nodes = plan.machine.nodes.length;
  return {
    coordinator: nodes,
    replayer: nodes + 1,
    firstDevice: nodes + 2,
    count: nodes + 2 + plan.devices.length,
  };
}

/** Position of the coordinator's node: where the default area lies, the first node without one. */
function homeOf(plan: Plan, positionOf: ReadonlyMap<number, number>): number {
  const { areas, defaultArea } = plan.layout;
  return defaultArea < 0 ? 0 : positionOf.get(areas[defaultArea]!.nid)!;
}

/** Position of each actor's node, which is its group. */
function placesOf(plan: Plan, positionOf: ReadonlyMap<number, number>): Int32Array {
  const numbers = actorNumbers(plan);
  const place = new Int32Array(numbers.count);
  for (let node = 0; node < plan.machine.nodes.length; node++) place[node] = node;
  place[numbers.coordinator] = homeOf(plan, positionOf);
  place[numbers.replayer] = positionOf.get(plan.replay?.cpuNode ?? -1) ?? 0;
  plan.devices.forEach((device, i) => {
    place[numbers.firstDevice + i] = positionOf.get(device.nid)!;
  });
  return place;
}

/** Derives what actors share. Pure: every shard gets the same. */
export function wiringOf(plan: Plan): Wiring {
  const { machine, layout } = plan;
  const numbers = actorNumbers(plan);
  const positionOf = new Map(machine.nodes.map((node, position) => [node.nid, position]));
  const nodeOf = new Int32Array(1 + Math.max(...positionOf.keys())).fill(-1);
  for (const [nid, position] of positionOf) nodeOf[nid] = position;
  const areaOwner = Int32Array.from(layout.areas, (area) =>
    area.index === layout.defaultArea ? numbers.coordinator : nodeOf[area.nid]!,
  );
  const pageSize = 2 ** layout.pageShift;
  const memory = { pageblockOrder: layout.pageblockOrder, pageSize };
  return {
    layout,
    directory: areaDirectory(layout),
    limits: plan.limits,
    rules: plan.rules,
    costs: new CostModel(costsWith({ ...machine.cost, ...plan.cost }), memory),
    policies: plan.policies.map((row) => lowerPolicy(row, pageSize)),
    latency: new LatencyTable(machine),
    log: new RunLog(plan.keepAttempts),
    coordinator: numbers.coordinator,
    place: placesOf(plan, positionOf),
    areaOwner,
    nodeOf,
    nidOf: Int32Array.from(machine.nodes, (node) => node.nid),
    cpus: machine.nodes.reduce((sum, node) => sum + node.cpus, 0),
    zoneIndex,
  };
}
