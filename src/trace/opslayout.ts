/**
 * The first three lines of an operation file as a memory layout: meta data, memblock, areas with zones.
 */

import type { AreaLayout, MemoryLayout, NodeLayout } from '../mm/layout.js';

export interface Meta {
  readonly type: 'meta';
  readonly name: string;
  readonly config: {
    readonly page_shift: number;
    readonly max_numnodes: number;
    readonly max_page_order: number;
    readonly pageblock_order: number;
    readonly cma_alignment: number;
  };
}

export interface BootLine {
  readonly log: readonly string[];
  readonly post: {
    readonly memory: readonly (readonly [base: number, size: number, nid: number])[];
    readonly reserved: readonly (readonly [base: number, size: number])[];
  };
}

export interface AreasLine {
  readonly areas: readonly {
    readonly index: number;
    readonly name: string;
    readonly base_pfn: number;
    readonly count: number;
    readonly order_per_bit: number;
    readonly nid: number;
    readonly zone: string;
  }[];
  readonly default: number;
  readonly cpus: readonly { readonly cpu: number; readonly node: number; mem_node: number }[];
  readonly nodes: readonly {
    readonly nid: number;
    readonly online: number;
    readonly has_memory: number;
    readonly zones: readonly {
      readonly name: string;
      readonly start_pfn: number;
      readonly spanned: number;
      readonly present: number;
      readonly managed: number;
      readonly free: number;
      readonly free_cma: number;
    }[];
  }[];
  readonly zonelist: Readonly<Record<string, readonly (readonly [number, string])[]>>;
}

function roleOf(name: string, index: number, defaultArea: number): AreaLayout['role'] {
  if (index === defaultArea) return 'default';
  if (/^pernuma\d+$/.test(name)) return 'pernuma';
  if (/^numa\d+$/.test(name)) return 'numa';
  return 'private';
}

/** Areas, zones and zonelists as the recorded kernel had them. */
export function layoutOf(meta: Meta, boot: BootLine, line: AreasLine): MemoryLayout {
  const pageShift = meta.config.page_shift;
  const areas = line.areas.map((area): AreaLayout => {
    const slot = /\d+$/.exec(area.name);
    return {
      index: area.index,
      name: area.name,
      basePfn: area.base_pfn,
      count: area.count,
      orderPerBit: area.order_per_bit,
      nid: area.nid,
      zone: area.zone,
      role: roleOf(area.name, area.index, line.default),
      slotNid: slot ? Number(slot[0]) : area.nid,
    };
  });
  const managed = managedRanges(boot, areas, pageShift);
  const nodes = line.nodes.map(
    (node): NodeLayout => ({
      nid: node.nid,
      online: node.online === 1,
      hasMemory: node.has_memory === 1,
      zones: node.zones.map((zone) => ({
        name: zone.name,
        startPfn: zone.start_pfn,
        spanned: zone.spanned,
        present: zone.present,
        managed: zone.managed,
        free: zone.free,
        freeCma: zone.free_cma,
        ranges: within(managed.get(node.nid) ?? [], zone.start_pfn, zone.start_pfn + zone.spanned),
      })),
    }),
  );
  const fallback = new Map(
    Object.entries(line.zonelist).map(
      ([nid, list]) => [Number(nid), [...new Set(list.map(([node]) => node))]] as const,
    ),
  );
  return {
    pageShift,
    maxPageOrder: meta.config.max_page_order,
    pageblockOrder: meta.config.pageblock_order,
    cmaAlignment: meta.config.cma_alignment,
    areas,
    defaultArea: line.default,
    nodes,
    fallback,
    cpuNode: line.cpus.map((cpu) => cpu.mem_node),
  };
}

type Range = readonly [start: number, end: number];

/** Per node the pfn ranges that the buddy manages: memory less what is reserved, areas put back. */
function managedRanges(
  boot: BootLine,
  areas: readonly AreaLayout[],
  pageShift: number,
): Map<number, Range[]> {
  const page = 2 ** pageShift;
  const returned = areas.map(
    ({ basePfn, count }): Range => [
      basePfn,
      basePfn + (count === 0 ? inactivePages(boot.log, basePfn, page) : count),
    ],
  );
  const holes = boot.post.reserved
    .map(([base, size]): Range => [Math.floor(base / page), Math.ceil((base + size) / page)])
    .flatMap((hole) => subtract(hole, returned));
  const byNode = new Map<number, Range[]>();
  for (const [base, size, nid] of boot.post.memory) {
    const memory: Range = [Math.ceil(base / page), Math.floor((base + size) / page)];
    byNode.set(nid, [...(byNode.get(nid) ?? []), ...subtract(memory, holes)]);
  }
  return byNode;
}

/** Pages of an area that was not activated: the kernel forgot, its message did not. */
function inactivePages(log: readonly string[], basePfn: number, page: number): number {
  for (const line of log) {
    const m = /^cma: Reserved (\d+) MiB at (0x[0-9a-f]+)/.exec(line);
    if (m && Number(m[2]) === basePfn * page) return (Number(m[1]) * 2 ** 20) / page;
  }
  return 0;
}

/** What is left of `range` without `holes`. */
function subtract(range: Range, holes: readonly Range[]): Range[] {
  let left: Range[] = range[0] < range[1] ? [range] : [];
  for (const [start, end] of holes) {
    left = left.flatMap(([a, b]): Range[] => {
      if (end <= a || start >= b) return [[a, b]];
      const parts: Range[] = [];
      if (a < start) parts.push([a, start]);
      if (end < b) parts.push([end, b]);
      return parts;
    });
  }
  return left;
}

function within(ranges: readonly Range[], start: number, end: number): Range[] {
  return ranges
    .map(([a, b]): Range => [Math.max(a, start), Math.min(b, end)])
    .filter(([a, b]) => a < b);
}
