/**
 * One shard of a run: the actors it owns, built from the plan. The event core loads this module by
 * its URL.
 */

import { type DeviceEnd, DeviceHost } from '../devices/host/host.js';
import type { HostWiring } from '../devices/host/hostWiring.js';
import { registerModule } from '../devices/kit.js';
import { deviceModels } from '../devices/registry.js';
import type { Behaviour, BuildShard, Loop } from '../sim/model.js';
import { Streams } from '../sim/random.js';
import { Recorder, type Sample } from '../sim/statistics.js';
import { type AreaEnd, Areas } from './areas.js';
import { Bulk } from './bulk.js';
import { Lines } from './cacheLines.js';
import { Controllers } from './controllers.js';
import { Inspector } from './inspector.js';
import { Movable } from './movablePages.js';
import { Node } from './node.js';
import { type Observed, observersOf } from './observers.js';
import { actorNumbers, environmentOf, type Plan, statisticActors, wiringOf } from './plan.js';
import { RunRecorder } from './recorder.js';
import { Replayer } from './replayer.js';
import { RequestStatistics } from './requestStatistics.js';
import { schedule } from './timeline.js';
import { Walker } from './walk.js';
import type { Wiring } from './wiring.js';
import { type ZoneEnd, Zones } from './zones.js';

/** What a shard hands over when the run has ended; merged in run/ and replay/. */
export interface ShardResult {
  readonly observed: Observed;
  readonly areas: readonly AreaEnd[];
  readonly devices: readonly DeviceEnd[];
  readonly samples: readonly Sample[];
  /** Free blocks of the buddy, where they are wanted. */
  readonly zones: readonly ZoneEnd[];
  /** Outcomes of a replay, from the shard that hosts the replayer. */
  readonly outcomes: Float64Array | null;
}

const NODE = 0;
const REPLAYER = 1;
const DEVICE = 2;

const build: BuildShard<ShardResult> = async (data, shard) => {
  const plan = data as Plan;
  const { warmupNs = 0 } = plan;
  // A module of the user's own is loaded in every thread, before there are models to choose from.
  for (const url of plan.modules ?? []) {
    registerModule(url, (await import(url)) as { default?: unknown });
  }
  const recorder = new Recorder();
  const watching = observersOf(plan.observe);
  const statistics = new RequestStatistics(recorder, statisticActors(plan));
  const wiring = wiringOf(plan, new RunRecorder([statistics, ...watching.observers]));
  const numbers = actorNumbers(plan);
  const owns = (actor: number): boolean => shard.owns(wiring.place[actor]);
  const ownsDevice = (device: number): boolean => owns(numbers.firstDevice + device);
  const streams = new Streams(plan.seed);
  const zones = new Zones(wiring, owns, plan.watermarks);
  const controllers = new Controllers(wiring, plan.machine);
  const lines = new Lines(wiring, plan.machine.onDie, (name) => streams.stream(name));
  const movable = new Movable(wiring, zones, (index) => areas.area(index));
  const stream = (name: string) => streams.stream(`area.${name}`);
  const walk = new Walker(wiring);
  const areas = new Areas(wiring, zones, { owns, walk, movable, controllers, stream });
  areas.reserveAtomicPools(plan.atomicPools);
  if (plan.replay) areas.hold(plan.replay.held);
  const inspector = new Inspector(wiring, areas, zones);
  for (const pressure of plan.pressure) {
    if (owns(wiring.nodeOf[pressure.nid])) movable.begin(pressure);
  }
  const host = new DeviceHost({
    planned: plan.devices,
    firstActor: numbers.firstDevice,
    owns: ownsDevice,
    models: deviceModels(),
    environment: environmentOf(plan),
    wiring: hostWiring(wiring, plan.machine.onDie),
    recorder,
    streams,
    interpreted: plan.interpreted,
  });
  const replayer =
    plan.replay && owns(numbers.replayer)
      ? new Replayer(wiring, plan.replay, numbers.replayer)
      : null;
  const behaviours: Behaviour[] = [];
  const bulk = new Bulk(wiring, { zones, controllers, walk });
  const parts = { walk, areas, zones, bulk, controllers, lines, inspector, movable };
  behaviours[NODE] = new Node(wiring, parts);
  behaviours[REPLAYER] = replayer ?? nobody;
  behaviours[DEVICE] = host;
  const behaviourOf = new Uint8Array(numbers.count).fill(DEVICE, numbers.firstDevice);
  behaviourOf[numbers.replayer] = REPLAYER;
  return {
    actors: numbers.count,
    groupOf: wiring.place,
    behaviourOf,
    behaviours,
    start(loop: Loop): void {
      for (const entry of plan.timeline) schedule(loop, entry, { wiring, host, owns, ownsDevice });
      host.start(loop);
      loop.actor = numbers.replayer;
      replayer?.run(loop);
    },
    finish(): ShardResult {
      return {
        observed: watching.take(),
        areas: areas.finish(),
        devices: host.finish(),
        samples: recorder.snapshot(),
        zones: plan.keepsZones ? zones.finish() : [],
        outcomes: replayer?.outcomes ?? null,
      };
    },
    progress: () => host.settled,
    ...(warmupNs > 0 ? { mark: { at: warmupNs, reach: () => recorder.clear() } } : {}),
  };
};

/**
 * Order of what one entry above the last level maps: 2 MiB with 4 KiB pages, 512 MiB with 64 KiB.
 */
function iommuBlockOrder({ pageShift, maxPageOrder }: Plan['layout']): number {
  const order = pageShift - 3;
  return order <= maxPageOrder ? order : 0;
}

/**
 * cpumask_local_spread(): CPUs of the node, then of the others. Nodes without memory come last, in
 * the order of a zonelist the kernel does not have for them.
 */
function localSpread({ layout }: Wiring): HostWiring['localSpread'] {
  const cpusOf = new Map<number, number>();
  for (const nid of layout.cpuNode) cpusOf.set(nid, (cpusOf.get(nid) ?? 0) + 1);
  return (i, nid) => {
    if (nid < 0) return layout.cpuNode[i % layout.cpuNode.length];
    let left = i % layout.cpuNode.length;
    const order = new Set([nid, ...Array.from(layout.fallback.get(nid) ?? []), ...cpusOf.keys()]);
    for (const other of order) {
      left -= cpusOf.get(other) ?? 0;
      if (left < 0) return other;
    }
    return nid;
  };
}

const areaKinds = { pernuma: 'node', numa: 'node', default: 'default', private: 'device' } as const;

function hostWiring(wiring: Wiring, onDie: number): HostWiring {
  const { nodeOf, latency, layout } = wiring;
  return {
    nodeActor: (nid) => nodeOf[nid],
    oneWay: (from, to) => latency.oneWay(nodeOf[from], nodeOf[to]),
    halfDie: Math.max(1, Math.round(onDie / 2)),
    areaKind: (area) => areaKinds[layout.areas[area].role],
    defaultArea: layout.defaultArea,
    policy: 0,
    localSpread: localSpread(wiring),
    iommuBlockOrder: iommuBlockOrder(layout),
    ...(wiring.recorder.hearsAny('freed')
      ? { freed: (event) => wiring.recorder.tell('freed', event) }
      : {}),
  };
}

const nobody: Behaviour = {
  receive({ actor }) {
    throw new Error(`actor ${actor} gets no messages here`);
  },
};

export default build;
