/**
 * Hosts the devices of one shard: turns messages into events of their machines, and calls into
 * messages.
 *
 * One row per device, one machine per kind (lowered or interpreted), one slab of handles. ALLOC and
 * FREE go to the node the device is plugged into, because its CPUs run the driver; an ACCESS goes
 * to the node on which the memory lies. Left out: drivers that run on another node's CPUs.
 */
import type { Behaviour, Loop } from '../../sim/model.js';
import type { Streams } from '../../sim/random.js';
import { counter, histogram, type Recorder, type Statistic } from '../../sim/statistics.js';
import * as dma from '../../wire/dma.js';
import { configureRow } from '../chart/row.js';
import type { DeviceEnvironment } from '../memory.js';
import type { DeviceModel, PlannedDevice } from '../model.js';
import { number } from '../model.js';
import {
  accessElapsed,
  accessHandle,
  COHERENT,
  CONTROL,
  control,
  Driver,
  type HostWiring,
  OWN,
  own,
  SET_NODE,
  START,
  setNode,
  TIMER,
  timer,
} from './driver.js';
import * as kinds from './fleet.js';
import { EMPTY, FREEING } from './handles.js';
import { Roster } from './roster.js';

export type { PlannedDevice } from '../model.js';
export type { HostWiring } from './driver.js';

const dmaAlloc = histogram('dma_alloc_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'dma_alloc_coherent() that was granted, from the call to its return.',
});
const lockWait = histogram('cma_lock_wait_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Part of an allocation spent waiting for locks of CMA, of requests that reached an area.',
});
const zeroing = histogram('zero_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Part of a coherent allocation spent clearing its pages.',
});
const refused = counter('refused', {
  unit: '1',
  class: 'exact',
  help: 'Allocations that no source could serve.',
});
const leakedPages = counter('leaked_pages', {
  unit: 'pages',
  class: 'exact',
  help: 'Pages that were freed and that no area or zone took back.',
});

const whereText = { local: "on the device's node", remote: "off the device's node" } as const;

type PlacedFrom = 'device' | 'node' | 'default' | 'buddy';

/** Counters of where memory came from; local: on the node the device is plugged into. */
function placedCounters(from: PlacedFrom): readonly [remote: Statistic, local: Statistic] {
  const one = (where: 'remote' | 'local') =>
    counter(`placed.${from}.${where}`, {
      unit: '1',
      class: 'exact',
      help: `Coherent allocations from ${sourceText[from]}, ${whereText[where]}.`,
    });
  return [one('remote'), one('local')];
}

const sourceText: Readonly<Record<PlacedFrom, string>> = {
  device: "the device's own area",
  node: 'the area of a node',
  default: 'the default area',
  buddy: 'the buddy allocator',
};
const placed: Readonly<Record<PlacedFrom, readonly [Statistic, Statistic]>> = {
  device: placedCounters('device'),
  node: placedCounters('node'),
  default: placedCounters('default'),
  buddy: placedCounters('buddy'),
};
const poolPages = (['remote', 'local'] as const).map((where) =>
  counter(`pool_pages.${where}`, {
    unit: 'pages',
    class: 'exact',
    help: `Pages from alloc_pages_node(), ${whereText[where]}.`,
  }),
);

const tablePages = (['remote', 'local'] as const).map((where) =>
  counter(`page_table_pages.${where}`, {
    unit: 'pages',
    class: 'exact',
    help: `Pages of an IOMMU's page tables, ${where === 'local' ? 'on' : 'off'} its node.`,
  }),
);

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

export class DeviceHost implements Behaviour {
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #kinds: readonly kinds.Kind[];
  readonly #wiring: HostWiring;
  readonly #recorder: Recorder;
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
    this.#kinds = roster.kinds.map(
      (model, kind) =>
        new kinds.Kind({ model, count: roster.countOf[kind], dma: driver, interpreted, setTimer }),
    );
    roster.run(this.#kinds);
    const keep = (list: readonly number[]): number => driver.keep(list);
    for (let device = 0; device < planned.length; device++) {
      if (roster.kind[device] < 0) continue;
      const { model, row } = roster.kindOf(device);
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
    const rows = this.#kinds.reduce((sum, { row }) => sum + row.rows.byteLength, 0);
    return this.#roster.bytes + rows;
  }

  /** Enters every device's initial state and posts when it is probed. */
  start(loop: Loop): void {
    const { planned, kind } = this.#roster;
    for (let device = 0; device < planned.length; device++) {
      if (kind[device] < 0) continue;
      this.#turn(loop, device).machine.start();
      loop.post(this.#roster.actor(device), planned[device].start, START);
    }
  }

  /**
   * Posts an event of the timeline to a device of this shard, `at` ns into the run; call it from
   * start().
   * @throws Error if its kind has no such event.
   */
  schedule(
    loop: Loop,
    device: number,
    at: number,
    event: string,
    numbers: readonly number[],
  ): void {
    const { model, eventIndex } = this.#turn(loop, device);
    const index = eventIndex.get(event);
    if (index === undefined || !(event in model.timeline)) {
      throw new Error(`device ${model.kind}: no event ${event}`);
    }
    const out = loop.post(loop.actor, at, CONTROL);
    loop.out[out + control.event] = index;
    for (let i = 0; i < numbers.length; i++) loop.out[out + control.numbers + i] = numbers[i];
  }

  /**
   * Posts a write of a device's numa_node attribute, `at` ns into the run; call it from start().
   */
  scheduleSetNode(loop: Loop, device: number, at: number, nid: number): void {
    this.#turn(loop, device);
    const out = loop.post(loop.actor, at, SET_NODE);
    loop.out[out + setNode.nid] = nid;
  }

  receive(loop: Loop, actor: number, type: number, m: Float64Array, at: number): void {
    const device = this.#roster.device(actor);
    if (type === SET_NODE) {
      this.#roster.numaNode[device] = m[at + setNode.nid];
      return;
    }
    this.#dispatch(loop, device, type, m, at);
    this.#driver.answerHits();
  }

  #dispatch(loop: Loop, device: number, type: number, m: Float64Array, at: number): void {
    const kind = this.#turn(loop, device);
    kind.numbers.fill(0);
    switch (type) {
      case dma.ACCESSED:
        kind.numbers[number.accessed.handle] = accessHandle(m[at + dma.accessed.tag]);
        kind.numbers[number.accessed.queuedNs] = m[at + dma.accessed.queued];
        kind.numbers[number.accessed.elapsedNs] = accessElapsed(m[at + dma.accessed.tag], loop.now);
        kind.machine.send(kinds.ACCESSED);
        return;
      case TIMER:
        kind.machine.fire(m[at + timer.token]);
        return;
      case OWN:
        if (m[at + own.generation] !== this.#roster.generation[device]) return;
        for (let i = 0; i < 3; i++) kind.numbers[i] = m[at + own.numbers + i];
        kind.machine.send(m[at + own.event]);
        return;
      case dma.GRANTED:
        this.#granted(loop, device, kind, m, at);
        return;
      case dma.REFUSED:
        this.#refused(device, kind, m, at);
        return;
      case dma.FREED:
        this.#wiring.freed?.({
          id: m[at + dma.freed.id],
          time: loop.now,
          pfn: m[at + dma.freed.pfn],
          source: m[at + dma.freed.source],
        });
        this.#freed(device, kind, m, at);
        return;
      case CONTROL:
        for (let i = 0; i < 7; i++) kind.numbers[i] = m[at + control.numbers + i];
        kind.machine.send(m[at + control.event]);
        return;
      case START:
        kind.machine.send(kinds.START);
        return;
      default:
        this.#driver.receive(kind, type, m, at);
    }
  }

  /** The devices of this shard as they stand. */
  finish(): DeviceEnd[] {
    const { planned, kind, numaNode } = this.#roster;
    return planned.flatMap(({ name }, device) => {
      if (kind[device] < 0) return [];
      const { machine } = this.#roster.kindOf(device);
      return {
        name,
        actor: this.#roster.actor(device),
        state: machine.where(),
        numaNode: numaNode[device],
        pagesHeld: this.#roster.pagesHeld(device),
      };
    });
  }

  #turn(loop: Loop, device: number): kinds.Kind {
    loop.actor = this.#roster.actor(device);
    this.#driver.loop = loop;
    this.#driver.device = device;
    return this.#roster.kindOf(device);
  }

  /** The handle an answer is for: the remainder of its request's number. */
  #handle(device: number, id: number): number {
    const sequence = id - this.#roster.actor(device) * dma.ID_SPAN;
    return sequence % this.#roster.numbersPerTurn(device);
  }

  #granted(loop: Loop, device: number, kind: kinds.Kind, m: Float64Array, at: number): void {
    const { handles } = this.#roster;
    const { granted } = dma;
    const id = m[at + granted.id];
    const handle = this.#handle(device, id);
    const pages = m[at + granted.pages];
    const nid = m[at + granted.nid];
    if (handle === this.#roster.tablesHandle(device)) {
      const { smmuNode } = this.#roster.planned[device];
      const local = nid === smmuNode ? 1 : 0;
      this.#recorder.add(tablePages[local], this.#roster.actor(device), pages);
      return;
    }
    const slot = this.#roster.slot(device, handle);
    const source = m[at + granted.source];
    const mode = handles.mode[slot];
    const isBulk = (mode & ~COHERENT) === dma.MODE_BULK;
    const since = handles.grant(slot, isBulk ? id : m[at + granted.pfn], nid);
    this.#settled++;
    if (mode === dma.MODE_PAGES || mode === dma.MODE_BULK) this.#countPool(device, nid, pages);
    else {
      const waited = m[at + granted.lockWait];
      const actor = this.#roster.actor(device);
      if (source !== dma.BUDDY || waited > 0) this.#recorder.record(lockWait, actor, waited);
      if (mode !== dma.MODE_CMA) {
        this.#recordGrant(device, { nid, source }, loop.now - since);
        // Of all devices of a node together: it differs by size and node alone.
        const node = this.#wiring.nodeActor(this.#roster.planned[device].nid);
        this.#recorder.record(zeroing, node, m[at + granted.zero]);
      }
    }
    if (this.#isMapped(mode)) this.#driver.mapped(handles.size[slot]);
    kind.numbers[number.granted.handle] = handle;
    kind.numbers[number.granted.pages] = pages;
    kind.numbers[number.granted.nid] = nid;
    kind.numbers[number.granted.source] = source;
    kind.machine.send(kinds.GRANTED);
  }

  /** An IOMMU maps what dma_alloc_coherent() gave. */
  #isMapped(mode: number): boolean {
    return (mode & COHERENT) !== 0 || mode === dma.MODE_CONTIGUOUS;
  }

  #countPool(device: number, nid: number, pages: number): void {
    const local = nid === this.#roster.planned[device].nid ? 1 : 0;
    this.#recorder.add(poolPages[local], this.#roster.actor(device), pages);
  }

  #recordGrant(
    device: number,
    { nid, source }: { nid: number; source: number },
    elapsed: number,
  ): void {
    const actor = this.#roster.actor(device);
    const local = nid === this.#roster.planned[device].nid ? 1 : 0;
    const from = source === dma.BUDDY ? 'buddy' : this.#wiring.areaKind(source);
    this.#recorder.add(placed[from][local], actor);
    this.#recorder.record(dmaAlloc, actor, elapsed);
  }

  #refused(device: number, kind: kinds.Kind, m: Float64Array, at: number): void {
    const { handles } = this.#roster;
    const handle = this.#handle(device, m[at + dma.refused.id]);
    if (handle === this.#roster.tablesHandle(device)) {
      this.#recorder.add(refused, this.#roster.actor(device));
      return;
    }
    handles.state[this.#roster.slot(device, handle)] = EMPTY;
    this.#settled++;
    this.#recorder.add(refused, this.#roster.actor(device));
    kind.numbers[number.refused.handle] = handle;
    kind.numbers[number.refused.errno] = m[at + dma.refused.errno];
    kind.machine.send(kinds.REFUSED);
  }

  #freed(device: number, kind: kinds.Kind, m: Float64Array, at: number): void {
    const { handles } = this.#roster;
    const { freed } = dma;
    const handle = this.#handle(device, m[at + freed.id]);
    const slot = this.#roster.slot(device, handle);
    if (handles.state[slot] !== FREEING) {
      throw new Error(`${this.#roster.planned[device].name}: handle ${handle} freed unasked`);
    }
    handles.state[slot] = EMPTY;
    if (this.#isMapped(handles.mode[slot])) this.#driver.unmapped(handles.size[slot]);
    const source = m[at + freed.source];
    const pages = m[at + freed.pages];
    if (source === dma.LEAKED) this.#recorder.add(leakedPages, this.#roster.actor(device), pages);
    kind.numbers[number.freed.handle] = handle;
    kind.numbers[number.freed.pages] = pages;
    kind.numbers[number.freed.source] = source;
    kind.machine.send(kinds.FREED);
  }
}
