/**
 * The state a server was found in: what a replay or a run starts from instead of a fresh boot.
 *
 * Counts are pages; -1 says that no source has spoken. Plain data, written beside the machine.
 */
import type { AreaFacts, DeviceFacts, Facts, ZoneFacts } from './facts.js';

export interface StartState {
  readonly format: 'cmasim-state/1';
  /** `uname -r`; empty when not known. */
  readonly kernel: string;
  readonly cmdline: string;
  readonly page_size: number;
  readonly areas: readonly AreaFacts[];
  readonly zones: readonly ZoneFacts[];
  readonly devices: readonly DeviceFacts[];
}

export function startState(facts: Facts, pageSize: number): StartState {
  placeAreas(facts, pageSize);
  const zones = [...facts.zones.values()].filter(
    ({ present, free, freeByOrder }) =>
      present > 0 || (present < 0 && (free > 0 || freeByOrder.some((count) => count > 0))),
  );
  return {
    format: 'cmasim-state/1',
    kernel: facts.release,
    cmdline: facts.cmdline,
    page_size: pageSize,
    areas: [...facts.areas.values()],
    zones,
    devices: [...facts.devices.values()],
  };
}

/**
 * Places the areas: sysfs has their names and sizes, the boot log their addresses and sizes. An
 * area of a node is matched to a reservation in that node's memory; the default area to one that is
 * left.
 */
function placeAreas(facts: Facts, pageSize: number): void {
  const free = [...facts.reservations];
  const take = (bytes: number, inside: (base: number) => boolean) => {
    const at = free.findIndex((row) => row.bytes === bytes && inside(row.base));
    return at < 0 ? undefined : free.splice(at, 1)[0];
  };
  const areas = [...facts.areas.values()].filter(({ basePfn, count }) => basePfn < 0 && count > 0);
  const nodeOf = (name: string) => /^(?:per)?numa(\d+)$/.exec(name)?.[1];
  areas.sort((a, b) => Number(nodeOf(b.name) !== undefined) - Number(nodeOf(a.name) !== undefined));
  for (const area of areas) {
    const nid = nodeOf(area.name);
    const ranges = nid === undefined ? undefined : facts.nodeRanges.get(Number(nid));
    const inside = (base: number) =>
      ranges === undefined || ranges.some(([start, end]) => base >= start && base < end);
    // Older kernels may have placed a node's area elsewhere; its size still tells.
    const row = take(area.count * pageSize, inside) ?? take(area.count * pageSize, () => true);
    if (row !== undefined) area.basePfn = row.base / pageSize;
  }
  if (facts.areas.size === 0) nameReservations(facts, free, pageSize);
}

/** Without sysfs a lone reservation is the default area; several are told apart by their order. */
function nameReservations(
  facts: Facts,
  reservations: readonly { bytes: number; base: number }[],
  pageSize: number,
): void {
  reservations.forEach(({ bytes, base }, i) => {
    const area = facts.area(reservations.length === 1 ? 'reserved' : `area${i}`);
    area.basePfn = base / pageSize;
    area.count = bytes / pageSize;
  });
}
