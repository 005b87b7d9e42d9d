/**
 * The DMA API as the messages it sends: what a device's actions call, for the device whose turn it
 * is.
 *
 * Models dma_alloc_coherent(), dma_free_coherent() and alloc_pages_node() on the driver's side: the
 * request carries dev_to_node() as it is at the time of the call, so a free after numa_node was
 * rewritten asks with another node than the allocation did.
 */
import { allowBlocking, GFP_ATOMIC, GFP_KERNEL } from '../../mm/gfp.js';
import { Nid } from '../../mm/units.js';
import type { Stream, Streams } from '../../sim/random.js';
import type { Recorder, Statistic } from '../../sim/statistics.js';
import {
  ACCESS,
  ALLOC,
  access,
  BULK_ANY_ORDER,
  FREE,
  ID_SPAN,
  MODE_BULK,
  MODE_CMA,
  MODE_COHERENT,
  MODE_CONTIGUOUS,
  MODE_PAGES,
  packOrigin,
  packPlan,
  request,
} from '../../wire/dma.js';
import type { DmaApi } from '../dmaApi.js';
import { EMPTY, FREEING } from './handles.js';
import { PageTables } from './pageTables.js';
import { Peers } from './peers.js';
import type { Roster } from './roster.js';

/** What the actors tell a host about the machine around it. */
export interface HostWiring {
  /** Actor of a node. */
  nodeActor(nid: number): number;
  /** One-way time between two nodes in whole ns; 0 within a node. */
  oneWay(from: number, to: number): number;
  /** Half a cache line's round trip on one die, whole ns. */
  readonly halfDie: number;
  /** Whose an area is, as far as it serves this machine's devices. */
  areaKind(area: number): 'device' | 'node' | 'default';
  /** dma_contiguous_default_area, or -1. */
  readonly defaultArea: number;
  /** Policy in force, as requests name it (packPlan). */
  readonly policy: number;
  /** Told of every free that has ended; absent where nobody keeps them. */
  readonly freed?: (event: {
    readonly id: number;
    readonly time: number;
    readonly pfn: number;
    readonly source: number;
  }) => void;
  /** Node of the i-th CPU from a node on, nearest first; from CPU 0 on for -1. */
  localSpread(i: number, nid: number): number;
  /** Order of the largest block an IOMMU maps by one entry and the buddy has; 0: single pages. */
  readonly iommuBlockOrder: number;
}

/** Events that devices send to themselves, and the timeline to them. */
export const START = 64;
export const OWN = 65;
export const TIMER = 66;
export const CONTROL = 67;
export const SET_NODE = 68;
/** OWN: `generation` tells those that cancel() forgot. Numbers follow. */
export const own = { event: 0, generation: 1, numbers: 2 } as const;
export const timer = { token: 0 } as const;
export const control = { event: 0, numbers: 1 } as const;
export const setNode = { nid: 0 } as const;

/** Added to MODE_BULK: the pages are those of a coherent allocation, and counted as such. */
export const COHERENT = 8;

/** The tag of an access: its handle, and when it was made. */
const TAG_SPAN = 2 ** 32;
export const accessHandle = (tag: number): number => Math.floor(tag / TAG_SPAN);
export const accessElapsed = (tag: number, now: number): number =>
  (now - (tag % TAG_SPAN) + TAG_SPAN) % TAG_SPAN;

export class Driver extends Peers implements DmaApi {
  readonly #roster: Roster;
  readonly #wiring: HostWiring;
  readonly #recorder: Recorder;
  readonly #streams: Streams;
  readonly #stream: (Stream | undefined)[] = [];
  readonly #tables: PageTables;
  readonly #kept: number[] = [];
  readonly #keptAt = new Map<readonly number[], number>();

  constructor(roster: Roster, wiring: HostWiring, recorder: Recorder, streams: Streams) {
    super(roster, wiring);
    this.#roster = roster;
    this.#wiring = wiring;
    this.#recorder = recorder;
    this.#streams = streams;
    this.#tables = new PageTables(roster.pageSize);
  }

  now(): number {
    return this.loop.now;
  }

  alloc(handle: number, bytes = this.bytes(handle)): void {
    const { how = 'coherent' } = this.#roster.memory[this.device].at(handle);
    if (how === 'pages') this.#ask(handle, bytes, GFP_KERNEL, MODE_PAGES);
    else if (how === 'bulk') this.#ask(handle, bytes, GFP_KERNEL, MODE_BULK);
    else if (how === 'cma') this.#askCma(handle, bytes);
    else {
      const gfp = how === 'atomic' ? GFP_ATOMIC : GFP_KERNEL;
      this.#ask(handle, bytes, gfp, this.#coherentMode(gfp));
    }
  }

  bytes(handle: number): number {
    return this.#roster.memory[this.device].at(handle).bytes;
  }

  /** dma_alloc_attrs(): dma-direct, or what iommu_dma_alloc() makes of it. */
  #coherentMode(gfp: number): number {
    if (!this.translated()) return MODE_COHERENT;
    return allowBlocking(gfp) ? MODE_BULK | COHERENT : MODE_CONTIGUOUS;
  }

  /** dma_alloc_from_contiguous(): pages, aligned to their order up to CONFIG_CMA_ALIGNMENT. */
  #askCma(handle: number, bytes: number): void {
    const { pageSize, cmaAlignment } = this.#roster.environment;
    const pages = Math.ceil(bytes / pageSize);
    const align = Math.min(Math.ceil(Math.log2(pages)), cmaAlignment);
    this.#ask(handle, pages, GFP_KERNEL, MODE_CMA, align);
  }

  free(handle: number): boolean {
    if (!this.holds(handle)) return false;
    const { handles } = this.#roster;
    const slot = this.#slot(handle);
    handles.state[slot] = FREEING;
    const at = this.#request(FREE, handle, slot, 0);
    this.loop.out[at + request.extra] = handles.word(slot);
    return true;
  }

  holds(handle: number): boolean {
    return this.#roster.holds(this.device, handle);
  }

  devToNode(): Nid {
    return Nid(this.#roster.numaNode[this.device]);
  }

  setDevNode(nid: number): void {
    this.#roster.numaNode[this.device] = nid;
  }

  localSpread(i: number): Nid {
    return Nid(this.#wiring.localSpread(i, this.devToNode()));
  }

  translated(): boolean {
    return this.#roster.planned[this.device].iommu === 'translated';
  }

  /**
   * iommu_map(): the tables come from the IOMMU's node. Their time is not part of the allocation.
   */
  mapped(size: number): void {
    const { planned } = this.#roster;
    const tables = this.#tables.map(this.device, size);
    if (tables === 0) return;
    const { nid, mask, smmuNode = nid } = planned[this.device];
    const at = this.loop.post(this.#wiring.nodeActor(nid), 0, ALLOC);
    const { out } = this.loop;
    const handle = this.#roster.tablesHandle(this.device);
    out[at + request.id] = this.#roster.actor(this.device) * ID_SPAN + this.#sequence(handle);
    out[at + request.size] = tables * this.#roster.pageSize;
    out[at + request.gfp] = GFP_KERNEL;
    out[at + request.devNode] = smmuNode;
    out[at + request.plan] = packPlan(this.#wiring.policy, 0, MODE_BULK, 0);
    out[at + request.origin] = packOrigin(nid, mask);
  }

  unmapped(size: number): void {
    this.#tables.unmap(this.device, size);
  }

  /** Devices that were configured alike share a list. */
  keep(list: readonly number[]): number {
    const known = this.#keptAt.get(list);
    if (known !== undefined) return known;
    const offset = this.#kept.length;
    this.#kept.push(list.length, ...list);
    this.#keptAt.set(list, offset);
    return offset;
  }

  kept(offset: number, index: number): number {
    return this.#kept[offset + index];
  }

  isEmpty(handle: number): boolean {
    return this.#roster.isEmpty(this.device, handle);
  }

  nodeOf(handle: number): Nid {
    return Nid(this.holds(handle) ? this.#roster.handles.nid[this.#slot(handle)] : -1);
  }

  access(handle: number, bytes: number, back: 1 | 2): void {
    const holder = this.nodeOf(handle);
    if (holder < 0) throw new Error(`${this.#name()}: accesses handle ${handle}, which is empty`);
    this.#access(holder, handle, bytes, back);
  }

  accessFor(peer: number, handle: number, bytes: number, back: 1 | 2, tag: number): void {
    const holder = this.nodeOf(handle);
    if (holder < 0) throw new Error(`${this.#name()}: accesses handle ${handle}, which is empty`);
    const at = this.#access(holder, tag, bytes, back);
    this.loop.out[at + access.replyTo] = this.#roster.actor(this.peer(peer));
  }

  accessNode(nid: number, bytes: number, back: 1 | 2, tag: number): void {
    this.#access(nid, tag, bytes, back);
  }

  #name(): string {
    return this.#roster.planned[this.device].name;
  }

  /** An access to memory of `holder`, answered to this device. */
  #access(holder: number, tag: number, bytes: number, back: number): number {
    const { nid } = this.#roster.planned[this.device];
    const delay = this.#wiring.oneWay(nid, holder);
    const at = this.loop.post(this.#wiring.nodeActor(holder), delay, ACCESS);
    const { out } = this.loop;
    out[at + access.tag] = tag * TAG_SPAN + (this.loop.now % TAG_SPAN);
    out[at + access.bytes] = bytes;
    out[at + access.back] = back;
    out[at + access.from] = nid;
    out[at + access.replyTo] = this.#roster.actor(this.device);
    return at;
  }

  after(delay: number, event: string, a = 0, b = 0, c = 0): void {
    const { model, eventIndex } = this.#roster.kindOf(this.device);
    const index = eventIndex.get(event);
    if (index === undefined) throw new Error(`device ${model.kind}: no own event ${event}`);
    const at = this.#postToSelf(delay, OWN);
    const { out } = this.loop;
    out[at + own.event] = index;
    out[at + own.generation] = this.#roster.generation[this.device];
    out[at + own.numbers] = a;
    out[at + own.numbers + 1] = b;
    out[at + own.numbers + 2] = c;
  }

  cancel(): void {
    this.#roster.generation[this.device]++;
  }

  setTimer(delay: number, token: number): void {
    const at = this.#postToSelf(delay, TIMER);
    this.loop.out[at + timer.token] = token;
  }

  record(statistic: Statistic, value: number): void {
    const actor = this.#roster.actor(this.device);
    if (statistic.kind === 'histogram') this.#recorder.record(statistic, actor, value);
    else this.#recorder.add(statistic, actor, value);
  }

  uniform(): number {
    return this.#draws().uniform();
  }

  exponential(mean: number): number {
    return this.#draws().exponential(mean);
  }

  #ask(handle: number, size: number, gfp: number, mode: number, align = 0): void {
    const { handles, planned } = this.#roster;
    const slot = this.#slot(handle);
    if (handles.state[slot] !== EMPTY) {
      throw new Error(`${planned[this.device].name}: handle ${handle} is in use`);
    }
    handles.ask(slot, size, mode, this.loop.now);
    const at = this.#request(ALLOC, handle, slot, align);
    this.loop.out[at + request.gfp] = gfp;
  }

  /** What ALLOC and FREE have in common. */
  #request(type: number, handle: number, slot: number, align: number): number {
    const roster = this.#roster;
    const { nid, mask, area: own = -1 } = roster.planned[this.device];
    const { handles } = roster;
    const mode = handles.mode[slot];
    // dev_get_cma_area(): raw calls know no node's area.
    const isBulk = (mode & ~COHERENT) === MODE_BULK;
    const area = mode === MODE_CMA && own < 0 ? this.#wiring.defaultArea : own;
    const at = this.loop.post(this.#wiring.nodeActor(nid), 0, type);
    const { out } = this.loop;
    out[at + request.id] = roster.actor(this.device) * ID_SPAN + this.#sequence(handle);
    out[at + request.size] = handles.size[slot];
    out[at + request.devNode] = roster.numaNode[this.device];
    out[at + request.devArea] = isBulk ? 0 : area;
    out[at + request.plan] = packPlan(
      this.#wiring.policy,
      0,
      mode & ~COHERENT,
      isBulk ? this.#blockOrder(mode) : align,
    );
    out[at + request.origin] = packOrigin(nid, mask);
    return at;
  }

  /** A request's number within its device; the answer's remainder is the handle. */
  #sequence(handle: number): number {
    const { requests } = this.#roster;
    const count = this.#roster.numbersPerTurn(this.device);
    const turn = requests[this.device];
    requests[this.device] = (turn + 1) % Math.floor(ID_SPAN / count);
    return turn * count + handle;
  }

  #postToSelf(delay: number, type: number): number {
    const whole = Math.max(0, Math.round(delay));
    return this.loop.post(this.#roster.actor(this.device), whole, type);
  }

  /** Blocks that MODE_BULK tries first: what the IOMMU maps at once, or whatever is free. */
  #blockOrder(mode: number): number {
    return (mode & COHERENT) === 0 ? BULK_ANY_ORDER : this.#wiring.iommuBlockOrder;
  }

  #slot(handle: number): number {
    return this.#roster.slot(this.device, handle);
  }

  #draws(): Stream {
    const { device } = this;
    this.#stream[device] ??= this.#streams.stream(this.#roster.planned[device].name);
    return this.#stream[device];
  }
}
