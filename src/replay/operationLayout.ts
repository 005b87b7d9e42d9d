/**
 * The memory layout of an operation file: its first three lines, which are meta data, memblock,
 * and areas with zones.
 */

import type { AreasRow, LaidOutRow, MetaRow } from '../boot/recordedRows.js';
import type { AreaLayout, MemoryLayout, NodeLayout, ZoneLayout } from '../mm/layout.js';
import { InputError } from '../trace/read/input.js';

function roleOf(name: string, index: number, defaultArea: number): AreaLayout['role'] {
  if (index === defaultArea) return 'default';
  if (/^pernuma\d+$/.test(name)) return 'pernuma';
  if (/^numa\d+$/.test(name)) return 'numa';
  return 'private';
}

/** Areas, zones and zonelists as the recorded kernel had them. */
export function layoutOf(meta: MetaRow, boot: LaidOutRow, line: AreasRow): MemoryLayout {
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
  boot: LaidOutRow,
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

/** Throws InputError where the numbers of a layout contradict each other; `line` has the areas. */
export function checkLayout(
  layout: MemoryLayout,
  { file, line }: { file: string; line: number },
): void {
  const fail = (message: string): never => {
    throw new InputError(file, `${line}:1`, message);
  };
  const nodes = new Map<number, NodeLayout>();
  for (const node of layout.nodes) {
    if (nodes.has(node.nid)) fail(`nodes: node ${node.nid} twice, expected each once`);
    nodes.set(node.nid, node);
    for (const zone of node.zones) checkZone(zone, node.nid, layout, fail);
  }
  const listed = [...layout.fallback].flatMap(([nid, list]) => [nid, ...Array.from(list)]);
  for (const nid of [...listed, ...layout.cpuNode]) {
    if (!nodes.has(nid)) fail(`node ${nid} is not among the nodes, expected one of them`);
  }
  const last = layout.areas.length - 1;
  if (layout.defaultArea > last) fail(`default: ${layout.defaultArea}, expected -1 to ${last}`);
  layout.areas.forEach((area, i) => {
    if (area.index !== i) fail(`areas[${i}].index: ${area.index}, expected ${i}`);
    const zone = nodes.get(area.nid)?.zones.find(({ name }) => name === area.zone);
    const end = area.basePfn + area.count;
    const isInside = zone && area.basePfn >= zone.startPfn && end <= zone.startPfn + zone.spanned;
    if (area.count > 0 && !isInside) {
      fail(
        `areas[${i}]: pfns ${area.basePfn}-${end} are not in zone ${area.zone} of node ${area.nid}`,
      );
    }
    const other = layout.areas.find(
      (before, k) => k < i && before.basePfn < end && area.basePfn < before.basePfn + before.count,
    );
    if (other) fail(`areas[${i}]: ${area.name} overlaps ${other.name}`);
  });
}

function checkZone(
  zone: ZoneLayout,
  nid: number,
  { areas }: MemoryLayout,
  fail: (message: string) => never,
): void {
  const where = `node ${nid}, zone ${zone.name}`;
  const cma = areas
    .filter((area) => area.nid === nid && area.zone === zone.name)
    .reduce((sum, { count }) => sum + count, 0);
  const managed = zone.ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  if (zone.freeCma > cma) fail(`${where}: free_cma ${zone.freeCma}, expected at most ${cma}`);
  if (zone.free - zone.freeCma > managed - cma) {
    fail(`${where}: free ${zone.free}, expected at most ${managed - cma + zone.freeCma}`);
  }
  if (zone.free < zone.freeCma) fail(`${where}: free ${zone.free}, less than free_cma`);
}
