/**
 * The devices of a shard by position: their kinds, rows, handles and attributes, as typed arrays.
 *
 * Positions are those of the plan, the same on every shard; only devices that live here have rows
 * and handles.
 */
import { namesOf } from '../chart/check.js';
import { type DeviceEnvironment, type DeviceMemory, memoryOf } from '../memory.js';
import type { DeviceModel, PlannedDevice } from '../model.js';
import type { Fleet } from './fleet.js';
import { EMPTY, Handles, HELD } from './handles.js';

export class Roster {
  readonly planned: readonly PlannedDevice[];
  readonly kinds: readonly DeviceModel[];
  /** Devices of each kind that live here. */
  readonly countOf: Int32Array;
  /** Position in `kinds`, or -1 for a device of another shard. */
  readonly kind: Int16Array;
  /** Position among the devices of its kind that live here. */
  readonly rank: Int32Array;
  /** The numa_node attribute as it is. */
  readonly numaNode: Int32Array;
  readonly #handleBase: Int32Array;
  /** What each device that lives here asks for; devices configured alike share it. */
  readonly memory: DeviceMemory[] = [];
  /** First slot of the others, of devices that have used one of them. */
  readonly #spareBase = new Map<number, number>();
  /** Requests made, modulo what fits in an id. */
  readonly requests: Uint32Array;
  /** Own events sent under an older number were cancelled. */
  readonly generation: Uint32Array;
  readonly handles: Handles;
  readonly #models: readonly DeviceModel[];
  readonly environment: DeviceEnvironment;
  /** Kind -> event -> its number; filled as events are sent. */
  readonly #events = new Map<string, Map<string, number>>();
  readonly #slabs = new Map<number, Int32Array>();
  readonly #firstActor: number;
  /** Bytes. */
  readonly pageSize: number;
  #running: readonly Fleet[] = [];

  constructor(
    planned: readonly PlannedDevice[],
    place: { readonly firstActor: number; owns(device: number): boolean },
    models: readonly DeviceModel[],
    environment: DeviceEnvironment,
  ) {
    const count = planned.length;
    this.planned = planned;
    this.#firstActor = place.firstActor;
    this.pageSize = environment.pageSize;
    this.environment = environment;
    this.#models = models;
    this.kind = new Int16Array(count).fill(-1);
    this.rank = new Int32Array(count);
    this.numaNode = Int32Array.from(planned, (device) => device.numaNode);
    this.#handleBase = new Int32Array(count);
    this.requests = new Uint32Array(count);
    this.generation = new Uint32Array(count);
    const kinds: DeviceModel[] = [];
    const counts: number[] = [];
    const known = new Map<unknown, DeviceMemory>();
    let handles = 0;
    for (const [device, { name, kind, config }] of planned.entries()) {
      if (!place.owns(device)) continue;
      const model = models.find((one) => one.kind === kind);
      if (!model) throw new Error(`${name}: no device model of kind ${kind}`);
      if (!kinds.includes(model)) kinds.push(model);
      const position = kinds.indexOf(model);
      this.kind[device] = position;
      this.rank[device] = counts[position] ?? 0;
      counts[position] = this.rank[device] + 1;
      const memory = known.get(config) ?? memoryOf(model, config, environment);
      known.set(config, memory);
      this.memory[device] = memory;
      this.#handleBase[device] = handles;
      handles += memory.resident;
    }
    this.kinds = kinds;
    this.countOf = Int32Array.from(counts);
    this.handles = new Handles(handles);
  }

  /** Bytes of all tables, handles among them. */
  get bytes(): number {
    const arrays = [
      this.kind,
      this.rank,
      this.numaNode,
      this.#handleBase,
      this.requests,
      this.generation,
    ];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, this.handles.bytes);
  }

  /** Binds the fleets, once their machines exist. */
  run(fleets: readonly Fleet[]): void {
    this.#running = fleets;
  }

  actor(device: number): number {
    return this.#firstActor + device;
  }

  device(actor: number): number {
    return actor - this.#firstActor;
  }

  /** The fleet of a device, with its row where the device's is. */
  fleetOf(device: number): Fleet {
    const fleet = this.#running[this.kind[device]];
    fleet.row.base = this.rank[device] * fleet.stride;
    return fleet;
  }

  /** The number after the last handle stands for the device's page tables, and has no slot. */
  tablesHandle(device: number): number {
    return this.memory[device].handles;
  }

  /** Requests of a device are numbered in steps of this: the remainder is the handle. */
  numbersPerTurn(device: number): number {
    return this.memory[device].handles + 1;
  }

  /**
   * Slot of a device's handle.
   * @throws Error if the device has no such handle.
   */
  slot(device: number, handle: number): number {
    const { resident, handles } = this.memory[device];
    if (!(handle >= 0 && handle < handles)) {
      throw new Error(`${this.planned[device].name}: no handle ${handle}`);
    }
    if (handle < resident) return this.#handleBase[device] + handle;
    let base = this.#spareBase.get(device);
    if (base === undefined) {
      base = this.handles.grow(handles - resident);
      this.#spareBase.set(device, base);
    }
    return base + handle - resident;
  }

  /** True while `handle` holds memory. */
  holds(device: number, handle: number): boolean {
    return this.#stateOf(device, handle) === HELD;
  }

  /** True while nothing is held, asked for or being freed under `handle`. */
  isEmpty(device: number, handle: number): boolean {
    return this.#stateOf(device, handle) === EMPTY;
  }

  /** Asking makes no room for a handle that was never used. */
  #stateOf(device: number, handle: number): number {
    const unused = handle >= this.memory[device].resident && !this.#spareBase.has(device);
    return unused ? EMPTY : this.handles.state[this.slot(device, handle)];
  }

  /** Number of an event of a device, here or on another shard. */
  eventOf(device: number, event: string): number {
    const { kind } = this.planned[device];
    let events = this.#events.get(kind);
    if (events === undefined) {
      const model = this.#models.find((one) => one.kind === kind)!;
      events = new Map(namesOf(model).events.map((name, index) => [name, index]));
      this.#events.set(kind, events);
    }
    const index = events.get(event);
    if (index === undefined) throw new Error(`device ${kind}: no event ${event}`);
    return index;
  }

  /** A device's slab; made when it is first asked for. */
  slab(device: number): Int32Array {
    let slab = this.#slabs.get(device);
    if (slab === undefined) {
      const { model } = this.#running[this.kind[device]];
      const words = model.slab?.(this.planned[device].config, this.environment) ?? 0;
      slab = new Int32Array(words);
      this.#slabs.set(device, slab);
    }
    return slab;
  }

  /** Pages a device holds, of those it asked for. */
  pagesHeld(device: number): number {
    let held = 0;
    for (let handle = 0; handle < this.tablesHandle(device); handle++) {
      if (!this.holds(device, handle)) continue;
      held += Math.ceil(this.handles.size(this.slot(device, handle)) / this.pageSize);
    }
    return held;
  }
}
