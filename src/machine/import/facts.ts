/**
 * Facts of a server as its files say them, gathered before anything is made of them.
 *
 * Several files may say the same thing; each importer adds what its file knows and overwrites
 * nothing that a better source has said. What is contradictory or missing is put into words, never
 * into a crash.
 */

import type { Range } from '../../mm/ranges.js';

/** One node; what no source has said is null. */
export class NodeFacts {
  readonly nid: number;
  /** CPU numbers. */
  cpus: Set<number> | null = null;
  /** MemTotal in bytes: what the kernel manages, less than what is installed. */
  total: number | null = null;
  /** MemFree in bytes. */
  free: number | null = null;

  constructor(nid: number) {
    this.nid = nid;
  }
}

/** SLIT rows as one source has them. */
export interface DistanceTable {
  readonly file: string;
  /** Node ids of the columns; null for all nodes that have a row, ascending. */
  order: readonly number[] | null;
  readonly rows: Map<number, readonly number[]>;
}

/** One zone, in pages; -1 where no source has spoken. */
export class ZoneFacts {
  readonly nid: number;
  readonly name: string;
  startPfn = -1;
  spanned = -1;
  present = -1;
  managed = -1;
  free = -1;
  cma = -1;
  min = -1;
  low = -1;
  high = -1;
  /** Pages in the per-CPU lists, which `free` does not count. */
  pcp = 0;
  /** Free blocks per order. */
  freeByOrder: number[] = [];
  /** The same per migrate type (pagetypeinfo). */
  readonly freeByType: Record<string, number[]> = {};

  constructor(nid: number, name: string) {
    this.nid = nid;
    this.name = name;
  }
}

/** One CMA area, in pages; -1 where no source has spoken. */
export class AreaFacts {
  readonly name: string;
  basePfn = -1;
  count = -1;
  orderPerBit = 0;
  used = -1;
  maxchunk = -1;
  /** Words of the debugfs bitmap, lowest bit first; null when it was not readable. */
  bitmap: number[] | null = null;
  allocPagesSuccess = -1;
  allocPagesFail = -1;
  releasePagesSuccess = -1;

  constructor(name: string) {
    this.name = name;
  }
}

/** One PCI device; what no source has said is empty. */
export class DeviceFacts {
  readonly name: string;
  /** numa_node; null when no source has spoken. */
  node: number | null = null;
  pciClass = '';
  vendor = '';
  device = '';
  driver = '';
  /** Bits; 0 when not known. */
  dmaMask = 0;
  coherentMask = 0;
  iommuGroup = '';
  /** `identity`, `DMA`, `DMA-FQ`; empty without an IOMMU or when not known. */
  iommuType = '';

  constructor(name: string) {
    this.name = name;
  }
}

/** Fields of a row that are numbers. */
export type NumberIn<Row> = {
  [Field in keyof Row]: Row[Field] extends number ? Field : never;
}[keyof Row];

/** One attribute of sysfs or debugfs: what it is of, its own name, and the file it came in. */
export interface Attribute {
  readonly name: string;
  readonly key: string;
  readonly value: string;
  readonly file: string;
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
  /** Origin of each group of facts, in words, for the description. */
  readonly sources = new Map<string, string>();
  readonly warnings: string[] = [];
  /** Files that say nothing a machine is made of. */
  readonly unused: string[] = [];

  warn(text: string): void {
    if (this.warnings.length < 100 && !this.warnings.includes(text)) this.warnings.push(text);
  }

  from(what: string, source: string): void {
    if (!this.sources.has(what)) this.sources.set(what, source);
  }

  distanceTable(kind: 'sysfs' | 'numactl' | 'hwloc', file: string): DistanceTable {
    return entry(this.distances, kind, () => ({ file, order: null, rows: new Map() }));
  }

  node(nid: number): NodeFacts | null {
    if (!Number.isInteger(nid) || nid < 0 || nid > NID_MAX) {
      this.warn(`node ${nid} is no node id (0-${NID_MAX}): ignored`);
      return null;
    }
    return entry(this.nodes, nid, () => new NodeFacts(nid));
  }

  zone(nid: number, name: string): ZoneFacts {
    return entry(this.zones, `${nid} ${name}`, () => {
      this.node(nid);
      return new ZoneFacts(nid, name);
    });
  }

  area(name: string): AreaFacts {
    return entry(this.areas, name, () => new AreaFacts(name));
  }

  device(name: string): DeviceFacts {
    return entry(this.devices, name, () => new DeviceFacts(name));
  }
}

/** Entry of a map, made when it is asked for first. */
function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
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
