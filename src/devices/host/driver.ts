/**
 * The DMA API as the messages it sends: what a device's actions call, for the device whose turn it
 * is.
 *
 * Models dma_alloc_coherent(), dma_free_coherent() and alloc_pages_node() on the driver's side: the
 * request carries dev_to_node() as it is at the time of the call, so a free after numa_node was
 * rewritten asks with another node than the allocation did.
 */
import { allowBlocking, GFP_ATOMIC, GFP_KERNEL } from '../../mm/gfp.js';
import { Bytes, Nid, Pfn } from '../../mm/units.js';
import type { Stream, Streams } from '../../sim/random.js';
import type { Recorder, Statistic } from '../../sim/statistics.js';
import * as wire from '../../wire/messages.js';
import { Free, ID_SPAN, isScattered, type Mode, Request } from '../../wire/request.js';
import type { DmaApi } from '../dmaApi.js';
import { EMPTY, FREEING } from './handles.js';
import type { HostWiring } from './hostWiring.js';
import { PageTables } from './pageTables.js';
import { Peers, setNumbers, wholeDelay } from './peers.js';
import type { Roster } from './roster.js';

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
  readonly #request = new Request();
  readonly #free = new Free();
  readonly #access = new wire.Access();
  readonly #own = new wire.DeviceEvent();
  readonly #timer = new wire.Timer();

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
    if (how === 'cma') this.#askCma(handle, bytes);
    else if (how === 'pages' || how === 'bulk') this.#ask(handle, Bytes(bytes), how);
    else {
      const gfp = how === 'atomic' ? GFP_ATOMIC : GFP_KERNEL;
      this.#ask(handle, Bytes(bytes), this.#coherentMode(gfp)).gfp = gfp;
    }
  }

  bytes(handle: number): number {
    return this.#roster.memory[this.device].at(handle).bytes;
  }

  /** dma_alloc_attrs(): dma-direct, or what iommu_dma_alloc() makes of it. */
  #coherentMode(gfp: number): Mode {
    if (!this.translated()) return 'coherent';
    return allowBlocking(gfp) ? 'iommu' : 'contiguous';
  }

  /** dma_alloc_from_contiguous(): pages, aligned to their order up to CONFIG_CMA_ALIGNMENT. */
  #askCma(handle: number, bytes: number): void {
    const { pageSize, cmaAlignment } = this.#roster.environment;
    const pages = Math.ceil(bytes / pageSize);
    const align = Math.min(Math.ceil(Math.log2(pages)), cmaAlignment);
    this.#ask(handle, Bytes(pages * pageSize), 'raw').align = align;
  }

  free(handle: number): boolean {
    if (!this.holds(handle)) return false;
    const { handles } = this.#roster;
    const slot = this.#slot(handle);
    handles.state[slot] = FREEING;
    const free = this.#free.post(this.loop, this.#node(), 0, wire.FREE);
    this.#fill(free, handle, slot);
    if (isScattered(free.mode)) free.of = handles.held(slot);
    else free.pfn = Pfn(handles.held(slot));
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
    const request = this.#request.post(this.loop, this.#node(), 0, wire.ALLOC);
    request.id = this.#id(this.#roster.tablesHandle(this.device));
    request.size = Bytes(tables * this.#roster.pageSize);
    request.gfp = GFP_KERNEL;
    request.devNode = Nid(smmuNode);
    request.devArea = -1;
    request.policy = this.#wiring.policy;
    request.mode = 'iommu';
    request.cpuNode = Nid(nid);
    request.maskBits = mask;
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
    this.#accessTo(this.#holder(handle), bytes, back, handle);
  }

  accessFor(peer: number, handle: number, bytes: number, tag: number): void {
    const access = this.#accessTo(this.#holder(handle), bytes, 2, tag);
    access.replyTo = this.#roster.actor(this.peer(peer));
  }

  accessNode(nid: number, bytes: number, back: 1 | 2, tag: number): void {
    this.#accessTo(nid, bytes, back, tag);
  }

  /** @throws Error for a handle that is empty. */
  #holder(handle: number): number {
    const nid = this.nodeOf(handle);
    if (nid >= 0) return nid;
    throw new Error(`${this.#name()}: accesses handle ${handle}, expected one that is held`);
  }

  #name(): string {
    return this.#roster.planned[this.device].name;
  }

  /** An access to memory of node `holder`, answered to this device. */
  #accessTo(holder: number, bytes: number, back: number, tag: number): wire.Access {
    const { nid } = this.#roster.planned[this.device];
    const way = this.#wiring.oneWay(nid, holder);
    const access = this.#access.post(this.loop, this.#wiring.nodeActor(holder), way, wire.ACCESS);
    access.tag = tag * TAG_SPAN + (this.loop.now % TAG_SPAN);
    access.bytes = Bytes(bytes);
    access.back = back;
    access.from = Nid(nid);
    access.replyTo = this.#roster.actor(this.device);
    return access;
  }

  after(delay: number, event: string, a = 0, b = 0): void {
    const { model, eventIndex } = this.#roster.fleetOf(this.device);
    const index = eventIndex.get(event);
    if (index === undefined) throw new Error(`device ${model.kind}: no own event ${event}`);
    const own = this.#own.post(this.loop, this.#self(), wholeDelay(delay), wire.OWN);
    own.event = index;
    own.generation = this.#roster.generation[this.device];
    setNumbers(own, a, b);
  }

  cancel(): void {
    this.#roster.generation[this.device]++;
  }

  setTimer(delay: number, token: number): void {
    this.#timer.post(this.loop, this.#self(), wholeDelay(delay), wire.TIMER).token = token;
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

  /** Posts a call for memory; the caller adds what is its own. */
  #ask(handle: number, size: Bytes, mode: Mode): Request {
    const { handles, planned } = this.#roster;
    const slot = this.#slot(handle);
    if (handles.state[slot] !== EMPTY) {
      throw new Error(`${this.#name()}: handle ${handle} is in use, expected it to be empty`);
    }
    handles.ask(slot, size, mode, this.loop.now);
    const request = this.#request.post(this.loop, this.#node(), 0, wire.ALLOC);
    this.#fill(request, handle, slot);
    request.gfp = GFP_KERNEL;
    request.maskBits = planned[this.device].mask;
    if (mode === 'iommu') request.blockOrder = this.#wiring.iommuBlockOrder;
    return request;
  }

  /** Fills in what ALLOC and FREE have in common. */
  #fill(message: Request | Free, handle: number, slot: number): void {
    const { handles, numaNode, planned } = this.#roster;
    const { nid, area = -1 } = planned[this.device];
    const mode = handles.mode(slot);
    message.id = this.#id(handle);
    message.size = handles.size(slot);
    message.devNode = Nid(numaNode[this.device]);
    message.policy = this.#wiring.policy;
    message.mode = mode;
    message.cpuNode = Nid(nid);
    // dev_get_cma_area(): raw calls know no node's area; pages one by one know none at all.
    const own = mode === 'raw' && area < 0 ? this.#wiring.defaultArea : area;
    message.devArea = isScattered(mode) ? -1 : own;
  }

  /** Number of a request: the answer's remainder is the handle. */
  #id(handle: number): number {
    const { requests } = this.#roster;
    const count = this.#roster.numbersPerTurn(this.device);
    const turn = requests[this.device];
    requests[this.device] = (turn + 1) % Math.floor(ID_SPAN / count);
    return this.#self() * ID_SPAN + turn * count + handle;
  }

  #self(): number {
    return this.#roster.actor(this.device);
  }

  /** Actor of the node it is plugged into. */
  #node(): number {
    return this.#wiring.nodeActor(this.#roster.planned[this.device].nid);
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
