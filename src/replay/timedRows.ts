/**
 * Turns a recording into rows that the actors can be asked to do again, on any layout.
 *
 * A device is known by name: its node, its mask, whether an IOMMU translates it. What is not known
 * is told from the recording itself (a node's area serves devices of that node alone) or assumed,
 * and said. Left out: pages of translated allocations beyond the largest block of the buddy.
 */

import { LatencyTable } from '../machine/latency.js';
import type { Machine } from '../machine/machine.js';
import { allowBlocking, GFP_KERNEL, parseGfp } from '../mm/gfp.js';
import type { AreaLayout, MemoryLayout } from '../mm/layout.js';
import {
  type HeldAtStart,
  TIMED_CMA,
  TIMED_COHERENT,
  TIMED_CONTIGUOUS,
  TIMED_FREE,
  TIMED_PAGES,
  TIMED_WIDTH,
  type TimedReplay,
  timed,
} from '../nodes/timed.js';
import type { DmaRequest } from '../trace/join/request.js';
import type { AreaStart } from './startState.js';
import type { FreeStep, Step, Workload } from './workload.js';

/** What a list of devices says of one. */
export interface KnownDevice {
  /** numa_node; null when no source has spoken. */
  readonly node: number | null;
  /** Bits; 0 when not known. */
  readonly coherentMask: number;
  /** `identity`, `DMA`, `DMA-FQ`; empty without an IOMMU or when not known. */
  readonly iommuType: string;
}

/** A device as it is replayed. */
export interface ReplayedDevice {
  readonly name: string;
  /** dev_to_node() on the machine of the replay. */
  readonly node: number;
  readonly mask: number;
  readonly translated: boolean;
  /** What of it was not known and where it was taken from; empty: nothing. */
  readonly assumed: string;
}

export interface RowOptions {
  readonly machine: Machine;
  readonly layout: MemoryLayout;
  readonly devices: ReadonlyMap<string, KnownDevice>;
  /** Next when the one before of the same task and device has settled, whatever the time. */
  readonly closedLoop: boolean;
  readonly start: readonly AreaStart[];
  /** The areas are those of the recording: what was held stands where it stood. */
  readonly samePlaces: boolean;
}

export interface Rows extends TimedReplay {
  /** Step -> row; -1: the step asks nothing of the model. */
  readonly rowOf: Int32Array;
  readonly devices: ReadonlyMap<string, ReplayedDevice>;
  /** Rows of what was in use before. */
  readonly early: readonly number[];
}

/** numa1, pernuma1 -> 1. */
const nodeOfArea = (name: string): number => Number(/^(?:per)?numa(\d+)$/.exec(name)?.[1] ?? -1);

/** The area of another layout that serves what `name` served in the recording; -1: none. */
export function sameArea(layout: MemoryLayout, name: string): number {
  const { areas, defaultArea } = layout;
  const exact = areas.find((area) => area.name === name && area.count > 0);
  if (exact !== undefined) return exact.index;
  const nid = nodeOfArea(name);
  if (nid < 0) return defaultArea >= 0 && areas[defaultArea].count > 0 ? defaultArea : -1;
  const isNodes = ({ role, slotNid, count }: AreaLayout) =>
    (role === 'numa' || role === 'pernuma') && slotNid === nid && count > 0;
  return areas.find(isNodes)?.index ?? -1;
}

/** Devices of the recording as they are replayed on a machine. */
export function replayedDevices(
  workload: Workload,
  { machine, devices }: Pick<RowOptions, 'machine' | 'devices'>,
): Map<string, ReplayedDevice> {
  const found = new Map<string, ReplayedDevice>();
  const nids = machine.nodes.map(({ nid }) => nid);
  for (const [name, requests] of requestsByDevice(workload)) {
    const known = devices.get(name);
    const assumed: string[] = [];
    let node = known?.node ?? null;
    if (node === null) {
      node = Math.max(-1, ...requests.map(({ source }) => nodeOfArea(source)));
      assumed.push(node < 0 ? 'no node' : `node ${node}, whose area served it`);
    }
    if (node >= 0 && !nids.includes(node)) {
      const other = nids[node % nids.length];
      assumed.push(`node ${other}: ${machine.name} has no node ${node}`);
      node = other;
    }
    let mask = known?.coherentMask ?? 0;
    if (mask === 0) {
      const short = requests.some(({ attempts }) => attempts.some((one) => one.givenBack));
      mask = short ? 32 : 64;
      assumed.push(`a mask of ${mask} bits`);
    }
    const translated = /^DMA/.test(known?.iommuType ?? '');
    found.set(name, { name, node, mask, translated, assumed: assumed.join(', ') });
  }
  return found;
}

function requestsByDevice({ steps }: Workload): Map<string, DmaRequest[]> {
  const byDevice = new Map<string, DmaRequest[]>();
  for (const step of steps) {
    if (step.kind !== 'alloc' || step.request.device === '') continue;
    const list = byDevice.get(step.request.device);
    if (list === undefined) byDevice.set(step.request.device, [step.request]);
    else list.push(step.request);
  }
  return byDevice;
}

/** Rows of a recording, in its order. */
export function timedRows(workload: Workload, options: RowOptions): Rows {
  const builder = new Builder(workload, options);
  return builder.build();
}

const unitless = 'ticks';

class Builder {
  readonly #workload: Workload;
  readonly #options: RowOptions;
  readonly #devices: ReadonlyMap<string, ReplayedDevice>;
  readonly #columns: number[] = [];
  readonly #held: HeldAtStart[] = [];
  readonly #rowOfRequest = new Map<DmaRequest, number>();
  readonly #lastOfTask = new Map<number, number>();
  readonly #lastOfDevice = new Map<string, number>();
  /** Least distance of two calls, ns: file order decides where time stamps do not. */
  readonly #apart: number;
  #time = 0;

  constructor(workload: Workload, options: RowOptions) {
    this.#workload = workload;
    this.#options = options;
    this.#devices = replayedDevices(workload, options);
    this.#apart = 1 + Math.max(0, ...new LatencyTable(options.machine).oneWayNs);
  }

  build(): Rows {
    const { steps } = this.#workload;
    this.#holdAtStart();
    const rowOf = new Int32Array(steps.length).fill(-1);
    steps.forEach((step, i) => {
      rowOf[i] = step.kind === 'alloc' ? this.#alloc(step.request, step) : this.#free(step);
    });
    return {
      operations: Float64Array.from(this.#columns),
      cpuNode: this.#options.layout.nodes.find(({ online }) => online)!.nid,
      held: this.#held,
      rowOf,
      devices: this.#devices,
      early: [...this.#heldRows.values()],
    };
  }

  get #rows(): number {
    return this.#columns.length / TIMED_WIDTH;
  }

  /** What was in use before: at its place where the areas are the recording's own. */
  #holdAtStart(): void {
    const { start, layout, samePlaces } = this.#options;
    for (const { area: index, name, held } of start) {
      const area = samePlaces ? index : sameArea(layout, name);
      for (const [pfn, pages] of held) {
        if (samePlaces)
          this.#held.push({ area, pfn, pages, row: this.#heldRow(area, pages, pfn, name) });
        else if (area >= 0) this.#again(area, pages, pfn, name);
      }
    }
  }

  readonly #heldRows = new Map<string, number>();

  /** A row that is settled from the beginning, for the free that ends it. */
  #heldRow(area: number, pages: number, pfn: number, name: string): number {
    const row = this.#push({ code: TIMED_CMA, area, size: pages, cpuNode: this.#cpuNode(-1) });
    this.#heldRows.set(`${name} ${pfn}`, row);
    return row;
  }

  /** On other areas what was in use is asked for again, before anything else. */
  #again(area: number, pages: number, pfn: number, name: string): void {
    const { cmaAlignment } = this.#options.layout;
    const align = Math.min(Math.ceil(Math.log2(pages)), cmaAlignment);
    const row = this.#push({
      code: TIMED_CMA,
      area,
      size: pages,
      align,
      cpuNode: this.#cpuNode(-1),
    });
    this.#heldRows.set(`${name} ${pfn}`, row);
  }

  #push(fields: Partial<Record<keyof typeof timed, number>>): number {
    const row = new Array<number>(TIMED_WIDTH).fill(0);
    for (const field of ['target', 'after', 'afterToo', 'area'] as const) row[timed[field]] = -1;
    for (const [name, value] of Object.entries(fields)) {
      row[timed[name as keyof typeof timed]] = value;
    }
    this.#columns.push(...row);
    return this.#rows - 1;
  }

  #alloc(request: DmaRequest, step: Step): number {
    const { layout } = this.#options;
    const common = this.#call(step, request.pid, request.device, request.cpu);
    if (request.device === '') {
      const { area: name, count, align } = request.attempts.at(-1)!;
      const area = sameArea(layout, name);
      return this.#keep(request, { ...common, code: TIMED_CMA, area, size: count, align });
    }
    const device = this.#devices.get(request.device)!;
    const gfp = gfpOf(request.gfp);
    const code = codeOf(device, request, gfp);
    const largest = 2 ** (layout.maxPageOrder + layout.pageShift);
    const size = code === TIMED_PAGES ? Math.min(request.size, largest) : request.size;
    const mask = code === TIMED_COHERENT ? device.mask : 0;
    return this.#keep(request, { ...common, code, devNode: device.node, size, gfp, mask });
  }

  #keep(request: DmaRequest, fields: Partial<Record<keyof typeof timed, number>>): number {
    const row = this.#push(fields);
    this.#rowOfRequest.set(request, row);
    this.#follow(request.pid, request.device, row);
    return row;
  }

  #free(step: FreeStep): number {
    const target =
      step.request === null
        ? this.#heldRows.get(`${step.area} ${step.pfn}`)
        : this.#rowOfRequest.get(step.request);
    if (target === undefined) return -1;
    const common = this.#call(step, step.pid, step.device, step.cpu);
    const row = this.#push({ ...common, code: TIMED_FREE, target });
    this.#follow(step.pid, step.device, row);
    return row;
  }

  /** Time, CPU, and what the call waits for. */
  #call(step: Step, pid: number, device: string, cpu: number) {
    const { closedLoop } = this.#options;
    const isOrderOnly = this.#workload.clock === unitless;
    const first = this.#workload.steps[0].time;
    const previous = this.#rows - 1;
    let after = this.#lastOfTask.get(pid) ?? -1;
    let afterToo = -1;
    if (isOrderOnly) after = previous;
    else if (closedLoop) afterToo = this.#lastOfDevice.get(device) ?? -1;
    const isTimed = !closedLoop && !isOrderOnly;
    if (isTimed) this.#time = Math.max(this.#time + this.#apart, Math.round(step.time - first));
    return { time: isTimed ? this.#time : 0, after, afterToo, cpuNode: this.#cpuNode(cpu) };
  }

  #follow(pid: number, device: string, row: number): void {
    this.#lastOfTask.set(pid, row);
    if (device !== '') this.#lastOfDevice.set(device, row);
  }

  #cpuNode(cpu: number): number {
    const { cpuNode, nodes } = this.#options.layout;
    const nid = cpu < 0 ? undefined : cpuNode[cpu % Math.max(cpuNode.length, 1)];
    return nid ?? nodes.find(({ online }) => online)!.nid;
  }
}

/** GFP flags as printed: names, or a number the tracer did not decode, which is taken to block. */
function gfpOf(text: string): number {
  if (text === '') return GFP_KERNEL;
  const { bits, unknown } = parseGfp(text);
  const isNumber = unknown.some((part) => /^(?:0x)?[0-9a-f]+$/i.test(part.trim()));
  return isNumber && bits === 0 ? GFP_KERNEL : bits;
}

/** Who serves a request: dma-direct, or dma-iommu and then with or without CMA. */
function codeOf({ translated }: ReplayedDevice, request: DmaRequest, gfp: number): number {
  if (!translated) return TIMED_COHERENT;
  const contiguous = /^dma_alloc_pages/.test(request.api) || /FORCE_CONTIGUOUS/.test(request.attrs);
  return contiguous || !allowBlocking(gfp) ? TIMED_CONTIGUOUS : TIMED_PAGES;
}
