/**
 * What the files of a server say, gathered before anything is made of it.
 *
 * Several files may say the same thing; each importer adds what its file knows and overwrites
 * nothing that a better source has said. What is contradictory or missing is put into words, never
 * into a crash.
 */

import type { Range } from '../../mm/boot/memblock.js';

export interface NodeFacts {
  readonly nid: number;
  /** CPU numbers; null while no source has spoken. */
  cpus: Set<number> | null;
  /** MemTotal in bytes: what the kernel manages, less than what is installed. */
  total: number | null;
  /** MemFree in bytes. */
  free: number | null;
}

/** SLIT rows as one source has them. */
export interface DistanceTable {
  readonly file: string;
  /** Node ids of the columns; null for all nodes that have a row, ascending. */
  order: readonly number[] | null;
  readonly rows: Map<number, readonly number[]>;
}

export interface ZoneFacts {
  readonly nid: number;
  readonly name: string;
  /** Pages; -1 where no source has spoken. */
  startPfn: number;
  spanned: number;
  present: number;
  managed: number;
  free: number;
  cma: number;
  min: number;
  low: number;
  high: number;
  /** Pages in the per-CPU lists, which `free` does not count. */
  pcp: number;
  /** Free blocks per order. */
  freeByOrder: number[];
  /** The same per migrate type (pagetypeinfo). */
  readonly freeByType: Record<string, number[]>;
}

export interface AreaFacts {
  readonly name: string;
  basePfn: number;
  /** Pages; -1 where no source has spoken. */
  count: number;
  orderPerBit: number;
  used: number;
  maxchunk: number;
  /** Words of the debugfs bitmap, lowest bit first; null when it was not readable. */
  bitmap: number[] | null;
  allocPagesSuccess: number;
  allocPagesFail: number;
  releasePagesSuccess: number;
}

export interface DeviceFacts {
  readonly name: string;
  /** numa_node; null when no source has spoken. */
  node: number | null;
  pciClass: string;
  vendor: string;
  device: string;
  driver: string;
  /** Bits; 0 when not known. */
  dmaMask: number;
  coherentMask: number;
  iommuGroup: string;
  /** `identity`, `DMA`, `DMA-FQ`; empty without an IOMMU or when not known. */
  iommuType: string;
}

/** Highest node id the kernel can be built for, CONFIG_NODES_SHIFT 10. */
const NID_MAX = 1_023;
const CPU_MAX = 1 << 16;

export class Facts {
  readonly nodes = new Map<number, NodeFacts>();
  readonly zones = new Map<string, ZoneFacts>();
  readonly areas = new Map<string, AreaFacts>();
  readonly devices = new Map<string, DeviceFacts>();
  /** RAM per node from the boot log, [start, end) in bytes. */
  readonly nodeRanges = new Map<number, Range[]>();
  /** RAM of the machine without nodes (iomem). */
  readonly ram: Range[] = [];
  /** Reserved by firmware, or the kernel's own image. */
  readonly reserved: Range[] = [];
  /** `cma: Reserved 16 MiB at 0x100000000`, in the order of the log. */
  readonly reservations: { bytes: number; base: number }[] = [];
  /** By the kind of source: a confined process' table may lack nodes another has. */
  readonly distances = new Map<string, DistanceTable>();
  pageSize: number | null = null;
  arch = '';
  product = '';
  release = '';
  cmdline = '';
  /** Bytes per second and ns, hwloc's memory attributes: by node. */
  readonly bandwidth = new Map<number, number>();
  /** Where each fact group came from, in words, for the description. */
  readonly sources = new Map<string, string>();
  readonly warnings: string[] = [];
  /** Files that say nothing a machine is made of. */
  readonly unused: string[] = [];

  warn(text: string): void {
    if (this.warnings.length < 100 && !this.warnings.includes(text)) this.warnings.push(text);
  }

  distanceTable(kind: 'sysfs' | 'numactl' | 'hwloc', file: string): DistanceTable {
    let table = this.distances.get(kind);
    if (table === undefined) {
      table = { file, order: null, rows: new Map() };
      this.distances.set(kind, table);
    }
    return table;
  }

  from(what: string, source: string): void {
    if (!this.sources.has(what)) this.sources.set(what, source);
  }

  node(nid: number): NodeFacts | null {
    if (!Number.isInteger(nid) || nid < 0 || nid > NID_MAX) {
      this.warn(`node ${nid} is no node id (0-${NID_MAX}): ignored`);
      return null;
    }
    let node = this.nodes.get(nid);
    if (node === undefined) {
      node = { nid, cpus: null, total: null, free: null };
      this.nodes.set(nid, node);
    }
    return node;
  }

  zone(nid: number, name: string): ZoneFacts {
    const key = `${nid} ${name}`;
    let zone = this.zones.get(key);
    if (zone === undefined) {
      zone = {
        nid,
        name,
        startPfn: -1,
        spanned: -1,
        present: -1,
        managed: -1,
        free: -1,
        cma: -1,
        min: -1,
        low: -1,
        high: -1,
        pcp: 0,
        freeByOrder: [],
        freeByType: {},
      };
      this.zones.set(key, zone);
      this.node(nid);
    }
    return zone;
  }

  area(name: string): AreaFacts {
    let area = this.areas.get(name);
    if (area === undefined) {
      area = {
        name,
        basePfn: -1,
        count: -1,
        orderPerBit: 0,
        used: -1,
        maxchunk: -1,
        bitmap: null,
        allocPagesSuccess: -1,
        allocPagesFail: -1,
        releasePagesSuccess: -1,
      };
      this.areas.set(name, area);
    }
    return area;
  }

  device(name: string): DeviceFacts {
    let device = this.devices.get(name);
    if (device === undefined) {
      device = {
        name,
        node: null,
        pciClass: '',
        vendor: '',
        device: '',
        driver: '',
        dmaMask: 0,
        coherentMask: 0,
        iommuGroup: '',
        iommuType: '',
      };
      this.devices.set(name, device);
    }
    return device;
  }
}

/** `0-3,8,10-11` as cpulist prints it, `0 4 8` as numactl does; what cannot be read is left out. */
export function parseCpuList(text: string): Set<number> {
  const cpus = new Set<number>();
  for (const part of text.trim().split(/[\s,]+/)) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), CPU_MAX);
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return cpus;
}

/** `00000000,ffffffff` of cpumap, `0x000000ff,,0x0` of hwloc: 32 bits per group, highest first. */
export function parseMask(text: string): Set<number> {
  const cpus = new Set<number>();
  const groups = text.trim().split(',').reverse();
  groups.slice(0, CPU_MAX / 32).forEach((group, at) => {
    const word = group === '' ? 0 : Number.parseInt(group.replace(/^0x/, ''), 16);
    if (Number.isNaN(word)) return;
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) cpus.add(at * 32 + bit);
  });
  return cpus;
}
