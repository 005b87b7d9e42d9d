/**
 * Hosts the devices of one shard: turns messages into events of their machines, and calls into
 * messages.
 *
 * One row per device, one machine per kind (lowered or interpreted), one slab of handles. ALLOC and
 * FREE go to the node the device is plugged into, because its CPUs run the driver; an ACCESS goes
 * to the node on which the memory lies. Left out: drivers that run on another node's CPUs.
 */
import { Nid } from '../../mm/units.js';
import type { Behaviour, Loop } from '../../sim/model.js';
import type { Streams } from '../../sim/random.js';
import { counter, histogram, type Recorder, type Statistic } from '../../sim/statistics.js';
import * as wire from '../../wire/messages.js';
import {
  BUDDY,
  FreeDone,
  Grant,
  ID_SPAN,
  isScattered,
  LEAKED,
  type Mode,
  Refusal,
} from '../../wire/request.js';
import { DeviceError } from '../chart/loweringError.js';
import { configureRow } from '../chart/row.js';
import type { DeviceEnvironment } from '../memory.js';
import type { DeviceModel, PlannedDevice } from '../model.js';
import { number } from '../model.js';
import { accessElapsed, accessHandle, Driver } from './driver.js';
import { clear, eventAt, Fleet } from './fleet.js';
import { EMPTY, FREEING } from './handles.js';
import type { HostWiring } from './hostWiring.js';
import { Roster } from './roster.js';

const time = (name: string, help: string): Statistic =>
  histogram(name, { unit: 'ns', class: 'assumed', help });
const count = (name: string, unit: string, help: string): Statistic =>
  counter(name, { unit, class: 'exact', help });
/** Two counters: of what is off a node, and of what is on it. */
const split = (name: string, unit: string, help: (at: 'off' | 'on') => string) =>
  [count(`${name}.remote`, unit, help('off')), count(`${name}.local`, unit, help('on'))] as const;

const dmaAlloc = time(
  'dma_alloc_ns',
  'dma_alloc_coherent() that was granted, from the call to its return.',
);
const lockWait = time(
  'cma_lock_wait_ns',
  'Part of an allocation spent waiting for locks of CMA, of requests that reached an area.',
);
const zeroing = time('zero_ns', 'Part of a coherent allocation spent clearing its pages.');
const refusals = count('refused', '1', 'Allocations that no source could serve.');
const leakedPages = count(
  'leaked_pages',
  'pages',
  'Pages that were freed and that no area or zone took back.',
);

/** Where memory came from; local: on the node the device is plugged into. */
const placedFrom = (from: string, text: string) =>
  split(
    `placed.${from}`,
    '1',
    (at) => `Coherent allocations from ${text}, ${at} the device's node.`,
  );
const placed = {
  device: placedFrom('device', "the device's own area"),
  node: placedFrom('node', 'the area of a node'),
  default: placedFrom('default', 'the default area'),
  buddy: placedFrom('buddy', 'the buddy allocator'),
} as const;
const poolPages = split(
  'pool_pages',
  'pages',
  (at) => `Pages from alloc_pages_node(), ${at} the device's node.`,
);
const tablePages = split(
  'page_table_pages',
  'pages',
  (at) => `Pages of an IOMMU's page tables, ${at} its node.`,
);

/** Statistics that every device has. */
export const hostStatistics: readonly Statistic[] = [
  ...[dmaAlloc, lockWait, zeroing, refusals, leakedPages],
  ...Object.values(placed).flat(),
  ...poolPages,
  ...tablePages,
];

export interface HostOptions {
  /** All devices of the run, in the order of their actors. */
  readonly planned: readonly PlannedDevice[];
  /** Actor of planned[0]; the others follow. */
  readonly firstActor: number;
  /** True if planned[device] lives on this shard. */
  owns(device: number): boolean;
  readonly models: readonly DeviceModel[];
  readonly environment: DeviceEnvironment;
  readonly wiring: HostWiring;
  readonly recorder: Recorder;
  readonly streams: Streams;
  /** True: through XState itself. */
  readonly interpreted: boolean;
}

/** How a device stands when a run ends. */
export interface DeviceEnd {
  readonly name: string;
  readonly actor: number;
  /** Id of the state it is in, such as `smmuv3.ready.idle`. */
  readonly state: string;
  readonly numaNode: number;
  readonly pagesHeld: number;
}

/** An event of the timeline, `at` ns into the run. */
export interface ScheduledEvent {
  readonly at: number;
  readonly event: string;
  readonly numbers: readonly number[];
}

export class DeviceHost implements Behaviour {
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #fleets: readonly Fleet[];
  readonly #wiring: HostWiring;
  readonly #recorder: Recorder;
  readonly #event = new wire.DeviceEvent();
  readonly #setNode = new wire.SetNode();
  readonly #timer = new wire.Timer();
  readonly #accessed = new wire.Accessed();
  readonly #grantedTo = new Grant();
  readonly #refusedTo = new Refusal();
  readonly #freedTo = new FreeDone();
  #settled = 0;

  /** @throws LoweringError for a machine that cannot be lowered, unless `interpreted`. */
  constructor(options: HostOptions) {
    const { planned, models, environment, wiring, recorder, interpreted } = options;
    this.#wiring = wiring;
    this.#recorder = recorder;
    const roster = new Roster(planned, options, models, environment);
    const driver = new Driver(roster, wiring, recorder, options.streams);
    this.#roster = roster;
    this.#driver = driver;
    const setTimer = (delay: number, token: number): void => driver.setTimer(delay, token);
    this.#fleets = roster.kinds.map(
      (model, kind) =>
        new Fleet({ model, count: roster.countOf[kind], dma: driver, interpreted, setTimer }),
    );
    roster.run(this.#fleets);
    const keep = (list: readonly number[]): number => driver.keep(list);
    for (let device = 0; device < planned.length; device++) {
      if (roster.kind[device] < 0) continue;
      const { model, row } = roster.fleetOf(device);
      const memory = roster.memory[device];
      configureRow(model, row, { config: planned[device].config, environment, memory, keep });
    }
  }

  /** Allocations answered. */
  get settled(): number {
    return this.#settled;
  }

  /** Bytes of the tables that all devices of this shard lie in. */
  get tableBytes(): number {
    const rows = this.#fleets.reduce((sum, { row }) => sum + row.rows.byteLength, 0);
    return this.#roster.bytes + rows;
  }

  /** Enters every device's initial state and posts when it is probed. */
  start(loop: Loop): void {
    const { planned, kind } = this.#roster;
    for (let device = 0; device < planned.length; device++) {
      if (kind[device] < 0) continue;
      this.#turn(loop, device).machine.start();
      loop.post(this.#roster.actor(device), planned[device].start, wire.START);
    }
  }

  /**
   * Posts an event of the timeline to a device of this shard; call it from start().
   * @throws Error if its kind has no such event.
   */
  schedule(loop: Loop, device: number, entry: ScheduledEvent): void {
    const { model, eventIndex } = this.#turn(loop, device);
    const index = eventIndex.get(entry.event);
    if (index === undefined || !(entry.event in model.timeline)) {
      throw new Error(`device ${model.kind}: no event ${entry.event}`);
    }
    const control = this.#event.post(loop, loop.actor, entry.at, wire.CONTROL);
    control.event = index;
    control.m.set(entry.numbers, control.numbers);
  }

  /**
   * Posts a write of a device's numa_node attribute, `at` ns into the run; call it from start().
   */
  scheduleSetNode(loop: Loop, device: number, entry: { at: number; numaNode: number }): void {
    this.#turn(loop, device);
    this.#setNode.post(loop, loop.actor, entry.at, wire.SET_NODE).nid = Nid(entry.numaNode);
  }

  receive(loop: Loop, type: number, m: Float64Array, at: number): void {
    const device = this.#roster.device(loop.actor);
    if (type === wire.SET_NODE) {
      this.#roster.numaNode[device] = this.#setNode.on(m, at).nid;
      return;
    }
    const fleet = this.#turn(loop, device);
    clear(fleet.numbers);
    try {
      this.#dispatch(fleet, type, m, at);
      this.#driver.answerHits();
    } catch (error) {
      throw new DeviceError(this.#roster.planned[device].name, error);
    }
  }

  #dispatch(fleet: Fleet, type: number, m: Float64Array, at: number): void {
    const { loop, device } = this.#driver;
    switch (type) {
      case wire.ACCESSED: {
        const { tag, queued } = this.#accessed.on(m, at);
        fleet.numbers[number.accessed.handle] = accessHandle(tag);
        fleet.numbers[number.accessed.queuedNs] = queued;
        fleet.numbers[number.accessed.elapsedNs] = accessElapsed(tag, loop.now);
        fleet.machine.send(eventAt.accessed);
        return;
      }
      case wire.TIMER:
        fleet.machine.fire(this.#timer.on(m, at).token);
        return;
      case wire.OWN: {
        const own = this.#event.on(m, at);
        if (own.generation !== this.#roster.generation[device]) return;
        this.#driver.deliver(fleet, own);
        return;
      }
      case wire.GRANTED:
        this.#granted(fleet, this.#grantedTo.on(m, at));
        return;
      case wire.REFUSED:
        this.#refused(fleet, this.#refusedTo.on(m, at));
        return;
      case wire.FREED:
        this.#freed(fleet, this.#freedTo.on(m, at));
        return;
      case wire.CONTROL:
        this.#driver.deliver(fleet, this.#event.on(m, at));
        return;
      case wire.START:
        fleet.machine.send(eventAt.start);
        return;
      default:
        this.#driver.receive(fleet, type, m, at);
    }
  }

  /** The devices of this shard as they stand. */
  finish(): DeviceEnd[] {
    const { planned, kind, numaNode } = this.#roster;
    return planned.flatMap(({ name }, device) => {
      if (kind[device] < 0) return [];
      const { machine } = this.#roster.fleetOf(device);
      return {
        name,
        actor: this.#roster.actor(device),
        state: machine.where(),
        numaNode: numaNode[device],
        pagesHeld: this.#roster.pagesHeld(device),
      };
    });
  }

  #turn(loop: Loop, device: number): Fleet {
    loop.actor = this.#roster.actor(device);
    this.#driver.loop = loop;
    this.#driver.device = device;
    return this.#roster.fleetOf(device);
  }

  /** The handle an answer is for: the remainder of its request's number. */
  #handle(device: number, id: number): number {
    return (id % ID_SPAN) % this.#roster.numbersPerTurn(device);
  }

  #granted({ numbers, machine }: Fleet, granted: Grant): void {
    const { device, loop } = this.#driver;
    const { handles, planned } = this.#roster;
    const { id, pfn, pages, nid, source, lockWait: waited, zero } = granted;
    const actor = this.#roster.actor(device);
    const handle = this.#handle(device, id);
    if (handle === this.#roster.tablesHandle(device)) {
      const local = nid === planned[device].smmuNode ? 1 : 0;
      this.#recorder.add(tablePages[local], actor, pages);
      return;
    }
    const slot = this.#roster.slot(device, handle);
    const mode = handles.mode(slot);
    const since = handles.grant(slot, isScattered(mode) ? id : pfn, nid);
    const local = nid === planned[device].nid ? 1 : 0;
    this.#settled++;
    if (mode === 'pages' || mode === 'bulk') this.#recorder.add(poolPages[local], actor, pages);
    else if (source !== BUDDY || waited > 0) this.#recorder.record(lockWait, actor, waited);
    if (isCoherent(mode)) {
      const from = source === BUDDY ? 'buddy' : this.#wiring.areaKind(source);
      this.#recorder.add(placed[from][local], actor);
      this.#recorder.record(dmaAlloc, actor, loop.now - since);
      // Of all devices of a node together: it differs by size and node alone.
      this.#recorder.record(zeroing, this.#wiring.nodeActor(planned[device].nid), zero);
    }
    if (isMapped(mode)) this.#driver.mapped(handles.size(slot));
    numbers[number.granted.handle] = handle;
    numbers[number.granted.pages] = pages;
    numbers[number.granted.nid] = nid;
    numbers[number.granted.source] = source;
    machine.send(eventAt.granted);
  }

  #refused({ numbers, machine }: Fleet, { id, errno }: Refusal): void {
    const { device } = this.#driver;
    const handle = this.#handle(device, id);
    this.#recorder.add(refusals, this.#roster.actor(device));
    if (handle === this.#roster.tablesHandle(device)) return;
    this.#roster.handles.state[this.#roster.slot(device, handle)] = EMPTY;
    this.#settled++;
    numbers[number.refused.handle] = handle;
    numbers[number.refused.errno] = errno;
    machine.send(eventAt.refused);
  }

  #freed({ numbers, machine }: Fleet, { id, pfn, pages, source }: FreeDone): void {
    const { device, loop } = this.#driver;
    const { handles } = this.#roster;
    this.#wiring.freed?.({ id, time: loop.now, pfn, source });
    const handle = this.#handle(device, id);
    const slot = this.#roster.slot(device, handle);
    if (handles.state[slot] !== FREEING) {
      const { name } = this.#roster.planned[device];
      throw new Error(`${name}: handle ${handle} is freed, expected to have been asked for`);
    }
    handles.state[slot] = EMPTY;
    if (isMapped(handles.mode(slot))) this.#driver.unmapped(handles.size(slot));
    if (source === LEAKED) this.#recorder.add(leakedPages, this.#roster.actor(device), pages);
    numbers[number.freed.handle] = handle;
    numbers[number.freed.pages] = pages;
    numbers[number.freed.source] = source;
    machine.send(eventAt.freed);
  }
}

/** True for what dma_alloc_coherent() gave, by dma-direct or behind an IOMMU. */
function isCoherent(mode: Mode): boolean {
  return mode === 'coherent' || isMapped(mode);
}

/** True for what an IOMMU maps: dma_alloc_coherent() asks so behind one that translates. */
function isMapped(mode: Mode): boolean {
  return mode === 'iommu' || mode === 'contiguous';
}
