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
  OP_ALLOC,
  OP_FREE,
  type Operation,
  operationColumns,
  type ReplayPlan,
} from '../nodes/operations.js';
import type { DmaRequest } from '../trace/join/request.js';
import type { Mode } from '../wire/request.js';
import type { AreaStart } from './areaStart.js';
import type { FreeStep, Step, Workload } from './workload.js';

/** What a list of devices says of one. */
interface KnownDevice {
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

/** A request for memory as it is replayed, with the rows that ask for it and give it back. */
interface TraceRow {
  readonly row: number;
  /** -1: nobody frees it. */
  readonly freeRow: number;
  readonly bytes: number;
}

export interface TraceRows extends ReplayPlan {
  /** Per request of the recording. */
  readonly asked: readonly TraceRow[];
  /** What was in use before the recording began. */
  readonly early: readonly TraceRow[];
  readonly devices: ReadonlyMap<string, ReplayedDevice>;
}

/** numa1, pernuma1 -> 1. */
const nodeOfArea = (name: string): number => Number(/^(?:per)?numa(\d+)$/.exec(name)?.[1] ?? -1);

/** The area of another layout that serves what `name` served in the recording; -1: none. */
function sameArea(layout: MemoryLayout, name: string): number {
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
function replayedDevices(
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
export function traceRows(workload: Workload, options: RowOptions): TraceRows {
  return new Builder(workload, options).build();
}

const unitless = 'ticks';

class Builder {
  readonly #workload: Workload;
  readonly #options: RowOptions;
  readonly #devices: ReadonlyMap<string, ReplayedDevice>;
  readonly #rows: Operation[] = [];
  readonly #held: HeldAtStart[] = [];
  readonly #rowOfRequest = new Map<DmaRequest, number>();
  /** Area and pfn of what was in use before -> its row. */
  readonly #rowOfPages = new Map<string, number>();
  /** Row -> the row that frees it. */
  readonly #freeOf = new Map<number, number>();
  readonly #lastOfTask = new Map<number, number>();
  readonly #lastOfDevice = new Map<string, number>();
  readonly #pageSize: number;
  /** Least distance of two calls, ns: file order decides where time stamps do not. */
  readonly #apart: number;
  #time = 0;

  constructor(workload: Workload, options: RowOptions) {
    this.#workload = workload;
    this.#options = options;
    this.#devices = replayedDevices(workload, options);
    this.#pageSize = 2 ** options.layout.pageShift;
    this.#apart = 1 + Math.max(0, ...new LatencyTable(options.machine).oneWayNs);
  }

  build(): TraceRows {
    this.#holdAtStart();
    for (const step of this.#workload.steps) {
      if (step.kind === 'alloc') this.#alloc(step.request, step);
      else this.#free(step);
    }
    return {
      operations: operationColumns(this.#rows),
      cpuNode: this.#cpuNode(-1),
      held: this.#held,
      asked: this.#traced(this.#rowOfRequest),
      early: this.#traced(this.#rowOfPages),
      devices: this.#devices,
    };
  }

  #traced(rows: ReadonlyMap<unknown, number>): TraceRow[] {
    return [...rows.values()].map((row): TraceRow => {
      return { row, freeRow: this.#freeOf.get(row) ?? -1, bytes: this.#rows[row].bytes ?? 0 };
    });
  }

  /** Adds a row; returns its number. */
  #push(row: Operation): number {
    return this.#rows.push(row) - 1;
  }

  /**
   * What was in use before stands at its place where the areas are the recording's own, for the
   * free that ends it; on other areas it is asked for again, before anything else.
   */
  #holdAtStart(): void {
    const { start, layout, samePlaces } = this.#options;
    for (const { area: index, name, held } of start) {
      const area = samePlaces ? index : sameArea(layout, name);
      if (area < 0) continue;
      for (const [pfn, pages] of held) {
        const align = Math.min(Math.ceil(Math.log2(pages)), layout.cmaAlignment);
        const row = this.#push({ ...this.#raw(area, pages, align), cpuNode: this.#cpuNode(-1) });
        this.#rowOfPages.set(pageKey(name, pfn), row);
        if (samePlaces) this.#held.push({ area, pfn, pages, row });
      }
    }
  }

  /** cma_alloc() of the kernel's own. */
  #raw(area: number, pages: number, align: number): Operation {
    const bytes = pages * this.#pageSize;
    return { code: OP_ALLOC, mode: 'raw', area, bytes, gfp: GFP_KERNEL, align };
  }

  #alloc(request: DmaRequest, step: Step): void {
    const call = this.#call(step, request);
    const row = this.#push({ ...this.#asked(request), ...call });
    this.#rowOfRequest.set(request, row);
    this.#follow(request, row);
  }

  #asked(request: DmaRequest): Operation {
    const { layout } = this.#options;
    const device = this.#devices.get(request.device);
    if (device === undefined) {
      const { area: name, count, align } = request.attempts.at(-1)!;
      return this.#raw(sameArea(layout, name), count, align);
    }
    const gfp = gfpOf(request.gfp);
    const mode = modeOf(device, request, gfp);
    const largest = 2 ** layout.maxPageOrder * this.#pageSize;
    const bytes = mode === 'pages' ? Math.min(request.size, largest) : request.size;
    const mask = mode === 'coherent' ? device.mask : 0;
    return { code: OP_ALLOC, mode, devNode: device.node, bytes, gfp, mask };
  }

  #free(step: FreeStep): void {
    const target =
      step.request === null
        ? this.#rowOfPages.get(pageKey(step.area, step.pfn))
        : this.#rowOfRequest.get(step.request);
    if (target === undefined) return;
    const call = this.#call(step, step);
    const row = this.#push({ ...this.#rows[target], ...call, code: OP_FREE, target, bytes: 0 });
    this.#freeOf.set(target, row);
    this.#follow(step, row);
  }

  /** Time, CPU, and what the call waits for. */
  #call({ time }: Step, { pid, cpu, device }: Caller): Operation {
    const cpuNode = this.#cpuNode(cpu);
    if (this.#workload.clock === unitless) return { after: this.#rows.length - 1, cpuNode };
    const after = this.#lastOfTask.get(pid) ?? -1;
    if (this.#options.closedLoop) {
      return { after, afterToo: this.#lastOfDevice.get(device) ?? -1, cpuNode };
    }
    const first = this.#workload.steps[0].time;
    this.#time = Math.max(this.#time + this.#apart, Math.round(time - first));
    return { time: this.#time, after, afterToo: -1, cpuNode };
  }

  #follow({ pid, device }: Caller, row: number): void {
    this.#lastOfTask.set(pid, row);
    if (device !== '') this.#lastOfDevice.set(device, row);
  }

  #cpuNode(cpu: number): number {
    const { cpuNode, nodes } = this.#options.layout;
    const nid = cpu < 0 ? undefined : cpuNode[cpu % Math.max(cpuNode.length, 1)];
    return nid ?? nodes.find(({ online }) => online)!.nid;
  }
}

/** Who makes a call. */
type Caller = Pick<FreeStep, 'pid' | 'cpu' | 'device'>;

const pageKey = (area: string, pfn: number): string => `${area} ${pfn}`;

/** GFP flags as printed: names, or a number the tracer did not decode, which is taken to block. */
function gfpOf(text: string): number {
  if (text === '') return GFP_KERNEL;
  const { bits, unknown } = parseGfp(text);
  const isNumber = unknown.some((part) => /^(?:0x)?[0-9a-f]+$/i.test(part.trim()));
  return isNumber && bits === 0 ? GFP_KERNEL : bits;
}

/** Who serves a request: dma-direct, or dma-iommu and then with or without CMA. */
function modeOf({ translated }: ReplayedDevice, request: DmaRequest, gfp: number): Mode {
  if (!translated) return 'coherent';
  const contiguous = /^dma_alloc_pages/.test(request.api) || /FORCE_CONTIGUOUS/.test(request.attrs);
  return contiguous || !allowBlocking(gfp) ? 'contiguous' : 'pages';
}
