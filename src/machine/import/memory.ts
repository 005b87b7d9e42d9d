/**
 * Addresses of each node: from the boot log, from zones and iomem, or only sizes.
 */
import type { Range } from '../../mm/ranges.js';
import type { Facts } from './facts.js';

/** Unit of installed memory; MemTotal is less, by what the kernel keeps for itself. */
const SECTION = 128 * 2 ** 20;

export interface NodeMemory {
  /** By position: ranges of addresses, or a size to be laid out. */
  readonly perNode: readonly (number | readonly Range[])[];
  /** `log`: exact. `zones`: from zoneinfo. `sizes`: rounded up to sections. */
  readonly source: 'log' | 'zones' | 'sizes';
}

export function nodeMemory(facts: Facts, nids: readonly number[], pageSize: number): NodeMemory {
  if (facts.nodeRanges.size > 0) {
    const perNode = nids.map((nid) => whole(facts.nodeRanges.get(nid) ?? [], pageSize));
    if (disjoint(facts, perNode, nids)) return { perNode, source: 'log' };
  }
  const zones = nids.map((nid) => zoneRanges(facts, nid, pageSize));
  if (zones.some((ranges) => ranges.length > 0) && disjoint(facts, zones, nids)) {
    return { perNode: zones, source: 'zones' };
  }
  const perNode = nids.map((nid) => {
    const total = facts.nodes.get(nid)!.total ?? 0;
    return Math.ceil(total / SECTION) * SECTION;
  });
  return { perNode, source: 'sizes' };
}

/** Ranges in whole pages, ascending, what touches joined. */
function whole(ranges: readonly Range[], pageSize: number): Range[] {
  const result: Range[] = [];
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  for (const [from, to] of sorted) {
    const start = Math.ceil(from / pageSize) * pageSize;
    const end = Math.floor(to / pageSize) * pageSize;
    if (start >= end) continue;
    const last = result.at(-1);
    if (last !== undefined && last[1] >= start) {
      result[result.length - 1] = [last[0], Math.max(last[1], end)];
    } else result.push([start, end]);
  }
  return result;
}

/**
 * A zone's span, cut to the RAM iomem lists where that gives exactly the pages that are present.
 */
function zoneRanges(facts: Facts, nid: number, pageSize: number): Range[] {
  const ranges: Range[] = [];
  const ram = whole(facts.ram, pageSize);
  for (const zone of facts.zones.values()) {
    if (zone.nid !== nid || !(zone.present > 0) || zone.startPfn < 0) continue;
    const start = zone.startPfn * pageSize;
    const end = start + zone.spanned * pageSize;
    const inside = ram
      .map(([from, to]): Range => [Math.max(from, start), Math.min(to, end)])
      .filter(([from, to]) => from < to);
    const bytes = inside.reduce((sum, [from, to]) => sum + to - from, 0);
    const exact = bytes === zone.present * pageSize;
    // Holes that no source describes are put at the upper end.
    ranges.push(...(exact ? inside : [[start, start + zone.present * pageSize] as const]));
  }
  return whole(ranges, pageSize);
}

function disjoint(
  facts: Facts,
  perNode: readonly (readonly Range[])[],
  nids: readonly number[],
): boolean {
  const all = perNode.flatMap((ranges, i) => ranges.map((range) => ({ range, nid: nids[i] })));
  all.sort((a, b) => a.range[0] - b.range[0]);
  for (let k = 1; k < all.length; k++) {
    const [low, high] = [all[k - 1], all[k]];
    if (low.range[1] <= high.range[0]) continue;
    facts.warn(
      `memory of nodes ${low.nid} and ${high.nid} overlaps at 0x${high.range[0].toString(16)}: ` +
        'only the sizes of the nodes are used',
    );
    return false;
  }
  return all.length > 0;
}
