/**
 * A machine small enough to reason about: nodes that grant from a budget of bytes, and the devices
 * on them. Everything a node is asked is written down, with its time.
 */

import { withCompanions } from '#cmasim/devices/companions.js';
import { type DeviceEnd, DeviceHost } from '#cmasim/devices/host/host.js';
import { type FootprintRow, memoryOf } from '#cmasim/devices/memory.js';
import type { DeviceModel, PlannedDevice } from '#cmasim/devices/model.js';
import { devices } from '#cmasim/devices/registry.js';
import { Ns } from '#cmasim/mm/units.js';
import { Lines } from '#cmasim/nodes/cacheLines.js';
import type { Wiring } from '#cmasim/nodes/wiring.js';
import { Loop } from '#cmasim/sim/loop.js';
import type { Behaviour } from '#cmasim/sim/model.js';
import { Streams } from '#cmasim/sim/random.js';
import { Recorder, summarize } from '#cmasim/sim/statistics.js';
import {
  ACCESS,
  ACCESSED,
  Access,
  Accessed,
  ALLOC,
  FREED,
  GRANTED,
  LINE_ACQUIRE,
  REFUSED,
} from '#cmasim/wire/messages.js';
import {
  asker,
  BUDDY,
  Free,
  FreeDone,
  Grant,
  isScattered,
  LEAKED,
  Refusal,
  Request,
} from '#cmasim/wire/request.js';
import { totalOf } from '../sim/total.js';

export const environment = {
  pageSize: 4096,
  maxPageOrder: 10,
  cmaAlignment: 8,
  dmaCma: true,
  cpus: 16,
};

/** What a model asks for with these keys, by purpose. */
export function footprintOf(
  model: DeviceModel,
  config: object = {},
  kernel = environment,
): FootprintRow[] {
  return memoryOf(model, model.config.parse(config), kernel).footprint(kernel.pageSize);
}

export interface WorldOptions {
  readonly devices: readonly (Partial<PlannedDevice> & { kind: string; config?: unknown })[];
  readonly models?: readonly DeviceModel[];
  readonly interpreted?: boolean;
  readonly environment?: typeof environment;
  /** Node that serves a request, or -1 to refuse it. The node asked unless given. */
  serve?(bytes: number, nid: number, count: number): number;
  /** Node of the i-th CPU from a node on; that node unless given. */
  localSpread?(i: number, nid: number): number;
  /** One way between two different nodes, ns. */
  readonly oneWay?: number;
  readonly nodes?: number;
  /** CPUs of each node. */
  readonly cpus?: number;
  /** What a contended line costs besides its way, ns. */
  readonly cacheLine?: number;
  /** Half a round trip on the die, ns. */
  readonly halfDie?: number;
  readonly timeline?: readonly {
    readonly at: number;
    readonly event: string;
    readonly numbers?: readonly number[];
  }[];
  /** Writes of numa_node of the first device. */
  readonly writes?: readonly { readonly at: number; readonly nid: number }[];
}

export interface Ran {
  /** `time alloc bytes devNode`, `time free bytes pfn devNode`, `time access bytes back`. */
  readonly asked: readonly string[];
  readonly ends: readonly DeviceEnd[];
  readonly fingerprint: unknown;
  readonly now: number;
  sum(name: string): number;
  mean(name: string): number;
  min(name: string): number;
}

const NODE_TIME = 100;

const modeText: Readonly<Record<string, string>> = {
  pages: ' pages',
  bulk: ' bulk',
  iommu: ' iommu',
  contiguous: ' contiguous',
};

class Nodes implements Behaviour {
  readonly asked: string[] = [];
  readonly #options: WorldOptions;
  readonly #lines: Lines;
  readonly #groupOf: readonly number[];
  #count = 0;

  constructor(options: WorldOptions, groupOf: readonly number[]) {
    this.#options = options;
    this.#groupOf = groupOf;
    const { oneWay = 50, halfDie = 30, cacheLine = 30 } = options;
    // Of what actors know, homes of lines use the places, the ways and one cost.
    const wiring = {
      place: Int32Array.from(groupOf),
      latency: { oneWay: (a: number, b: number) => (a === b ? 0 : oneWay) },
      costs: { cacheLine },
    } as unknown as Wiring;
    const streams = new Streams(1);
    this.#lines = new Lines(wiring, 2 * halfDie, (name) => streams.stream(name));
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const { actor } = loop;
    if (type === ACCESS) this.#access(loop, actor, new Access().on(m, at));
    else if (type >= LINE_ACQUIRE) this.#lines.receive(loop, type, m, at);
    else if (type === ALLOC) this.#alloc(loop, actor, new Request().on(m, at));
    else this.#free(loop, new Free().on(m, at));
  }

  #access(loop: Loop, actor: number, access: Access): void {
    const { oneWay = 50, halfDie = 30 } = this.#options;
    const { tag, bytes, back, from, replyTo: to } = access;
    this.asked.push(`${loop.now} access ${bytes} ${back} on ${actor}`);
    const isHere = this.#groupOf[to] === actor;
    const trips = (from === actor ? halfDie : 0) + back * (isHere ? halfDie : oneWay);
    new Accessed().post(loop, to, trips, ACCESSED).tag = tag;
  }

  #alloc(loop: Loop, actor: number, { id, size, mode, devNode }: Request): void {
    const count = this.#count++;
    this.asked.push(`${loop.now} alloc ${size} for ${devNode}${modeText[mode] ?? ''}`);
    const nid = this.#options.serve?.(size, actor, count) ?? actor;
    if (nid < 0) {
      Object.assign(new Refusal().post(loop, asker(id), NODE_TIME, REFUSED), { id, errno: 12 });
      return;
    }
    Object.assign(new Grant().post(loop, asker(id), NODE_TIME, GRANTED), {
      id,
      pfn: 1000 + count,
      pages: Math.ceil(size / 4096),
      source: nid === actor ? 0 : BUDDY,
      nid,
      lockWait: 7,
    });
  }

  #free(loop: Loop, { id, size, mode, pfn, of, devNode }: Free): void {
    const named = isScattered(mode) ? of : pfn;
    this.asked.push(`${loop.now} free ${size} at ${named} for ${devNode}`);
    Object.assign(new FreeDone().post(loop, asker(id), NODE_TIME, FREED), {
      id,
      pages: Math.ceil(size / 4096),
      source: devNode < 0 ? LEAKED : 0,
    });
  }
}

/** Runs until nothing is left to happen, or to `until`. */
export function run(options: WorldOptions, until = 10_000_000): Ran {
  const { nodes = 2, models = devices, interpreted = false, oneWay = 50 } = options;
  const declared = options.devices.map((device, index): PlannedDevice => {
    const model = models.find(({ kind }) => kind === device.kind)!;
    const nid = device.nid ?? 0;
    const known = {
      name: `${device.kind}${index}`,
      declaration: device.kind,
      nid,
      numaNode: nid,
      start: Ns(0),
      mask: 64,
    };
    return { ...known, ...device, config: model.config.parse(device.config ?? {}) };
  });
  const latency = Array.from({ length: nodes }, (_, node) => 100 * (node + 1));
  const cpuNodes = latency.map((_, nid) => ({ nid, cpus: options.cpus ?? 64, latency }));
  const planned = withCompanions(declared, models, cpuNodes);
  const recorder = new Recorder();
  const host = new DeviceHost({
    planned,
    firstActor: nodes,
    owns: () => true,
    models,
    environment: options.environment ?? environment,
    wiring: {
      nodeActor: (nid) => nid,
      oneWay: (from, to) => (from === to ? 0 : oneWay),
      halfDie: options.halfDie ?? 30,
      areaKind: () => 'node',
      defaultArea: -1,
      policy: 0,
      localSpread: options.localSpread ?? ((_, nid) => Math.max(0, nid)),
      iommuBlockOrder: 9,
    },
    recorder,
    streams: new Streams(1),
    interpreted,
  });
  const actors = nodes + planned.length;
  const groupOf = Array.from({ length: actors }, (_, a) =>
    a < nodes ? a : planned[a - nodes].nid,
  );
  const node = new Nodes(options, groupOf);
  const behaviourOf = groupOf.map((_, actor) => (actor < nodes ? 0 : 1));
  const loop = new Loop({ actors, groupOf, behaviourOf, behaviours: [node, host], until });
  loop.start({
    start: () => {
      host.start(loop);
      for (const { at, event, numbers = [] } of options.timeline ?? []) {
        host.schedule(loop, 0, { at, event, numbers });
      }
      for (const { at, nid } of options.writes ?? [])
        host.scheduleSetNode(loop, 0, { at, numaNode: nid });
    },
  });
  loop.run();
  const total = (name: string) => totalOf(recorder.snapshot(), name);
  return {
    asked: node.asked,
    ends: host.finish(),
    fingerprint: loop.fingerprint(),
    now: loop.now,
    sum: (name) => total(name)?.sum ?? 0,
    mean: (name) => summarize(total(name)!).mean,
    min: (name) => summarize(total(name)!).min,
  };
}
