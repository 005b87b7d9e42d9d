/**
 * What a run is made of, as every shard gets it: plain data, sent once. The wiring is derived from
 * it.
 */

import type { DeviceEnvironment } from '../devices/memory.js';
import type { PlannedDevice } from '../devices/model.js';
import { LatencyTable } from '../machine/latency.js';
import type { Machine } from '../machine/machine.js';
import { areaDirectory, type DmaLimits } from '../mm/alloc/contiguous.js';
import { costModel } from '../mm/alloc/cost.js';
import { type WatermarkOptions, zoneIndex } from '../mm/alloc/zones.js';
import type { AtomicPool } from '../mm/boot/atomicpool.js';
import type { MemoryLayout } from '../mm/layout.js';
import { lowerPolicy, type PolicyRow } from '../mm/policy.js';
import type { Groups } from '../sim/partition.js';
import type { MovablePressure } from './movablePages.js';
import type { Observe } from './observers.js';
import type { ReplayPlan } from './operations.js';
import type { RunRecorder } from './recorder.js';
import type { ReleaseRules } from './rules.js';
import type { TimelineEntry } from './timeline.js';
import type { Wiring } from './wiring.js';

export interface Plan {
  readonly seed: number;
  readonly machine: Machine;
  readonly layout: MemoryLayout;
  readonly limits: DmaLimits;
  readonly rules: ReleaseRules;
  /** Rows in force; requests name them by position. */
  readonly policies: readonly Pick<PolicyRow, 'id' | 'alloc' | 'free'>[];
  /** Overrides of mm/alloc/cost.ts by name. */
  readonly cost: Readonly<Record<string, number>>;
  readonly watermarks: WatermarkOptions;
  /** DMA atomic pools, allocated before the first device is probed. */
  readonly atomicPools: readonly AtomicPool[];
  /** CONFIG_DMA_CMA. */
  readonly dmaCma: boolean;
  /** URLs of modules with device models of the user's own. */
  readonly modules?: readonly string[];
  readonly devices: readonly PlannedDevice[];
  /** Per device: which declaration of the scenario made it, counted from 0. */
  readonly declarations: readonly number[];
  readonly interpreted: boolean;
  readonly timeline: readonly TimelineEntry[];
  /** Movable pages of programs, at most once per node. */
  readonly pressure: readonly MovablePressure[];
  readonly replay: ReplayPlan | null;
  /** Who watches, and what. */
  readonly observe: Observe;
  /** Free blocks of the buddy are wanted when the run has ended. */
  readonly keepsZones: boolean;
  /** Statistics are those from here on, ns; 0: all. */
  readonly warmupNs?: number;
  /** Check invariants at every step, not only at the end. */
  readonly checks: boolean;
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

/** What devices are told of the kernel and the machine. */
export function environmentOf({ layout, dmaCma }: Plan): DeviceEnvironment {
  const { pageShift, maxPageOrder, cmaAlignment, cpuNode } = layout;
  const cpus = cpuNode.length;
  return { pageSize: 2 ** pageShift, maxPageOrder, cmaAlignment, dmaCma, cpus };
}

/**
 * Number under which statistics of an actor's parts are kept: one past the actors for each
 * declaration of devices, the actor itself otherwise.
 */
export function statisticActors(
  plan: Pick<Plan, 'machine' | 'devices' | 'declarations'>,
): Int32Array {
  const { firstDevice, count } = actorNumbers(plan);
  return Int32Array.from({ length: count }, (_, actor) => {
    const declaration = plan.declarations[actor - firstDevice];
    return declaration === undefined ? actor : count + declaration;
  });
}

/** Position of the coordinator's node: where the default area lies, the first node without one. */
function homeOf(plan: Plan, positionOf: ReadonlyMap<number, number>): number {
  const { areas, defaultArea } = plan.layout;
  return defaultArea < 0 ? 0 : positionOf.get(areas[defaultArea].nid)!;
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
export function wiringOf(plan: Plan, recorder: RunRecorder): Wiring {
  const { machine, layout } = plan;
  const numbers = actorNumbers(plan);
  const positionOf = new Map(machine.nodes.map((node, position) => [node.nid, position]));
  const nodeOf = new Int32Array(1 + Math.max(...positionOf.keys())).fill(-1);
  for (const [nid, position] of positionOf) nodeOf[nid] = position;
  const areaOwner = Int32Array.from(layout.areas, (area) =>
    area.index === layout.defaultArea ? numbers.coordinator : nodeOf[area.nid],
  );
  const pageSize = 2 ** layout.pageShift;
  return {
    layout,
    directory: areaDirectory(layout),
    limits: plan.limits,
    rules: plan.rules,
    costs: costModel({ ...machine.cost, ...plan.cost }, { pageSize }),
    policies: plan.policies.map((row) => lowerPolicy(row, pageSize)),
    latency: new LatencyTable(machine),
    recorder,
    checks: plan.checks,
    coordinator: numbers.coordinator,
    place: placesOf(plan, positionOf),
    areaOwner,
    nodeOf,
    nidOf: Int32Array.from(machine.nodes, (node) => node.nid),
    cpus: machine.nodes.reduce((sum, node) => sum + node.cpus, 0),
    zoneIndex,
  };
}

/** One group per node; a node weighs as much as it has devices. */
export function groupsOf(plan: Plan): Groups {
  const table = new LatencyTable(plan.machine);
  const weights = new Float64Array(table.size).fill(1);
  const positionOf = new Map(plan.machine.nodes.map(({ nid }, position) => [nid, position]));
  for (const { nid } of plan.devices) weights[positionOf.get(nid)!] += 8;
  return {
    weights,
    lookahead: (a, b) => Math.min(table.oneWay(a, b), table.oneWay(b, a)),
  };
}
