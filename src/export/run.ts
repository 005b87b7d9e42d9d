/**
 * A run as exporters take it: placements, the areas they lie in, the kernel's words. Plain data,
 * the same for a scenario and for a replay.
 */

import type { Machine } from '../machine/machine.js';
import type { MemoryLayout } from '../mm/layout.js';
import type { Release } from '../mm/release.js';
import type { ZoneEnd } from '../nodes/zones.js';
import type { EarlyPages, Placement } from '../run/placement.js';

export interface ExportRun {
  readonly name: string;
  readonly release: Release;
  readonly machine: Machine;
  readonly layout: MemoryLayout;
  readonly cmdline: string;
  /** The kernel's messages of the boot about CMA. */
  readonly bootLog: readonly string[];
  /** In the order in which they were asked for. */
  readonly placements: readonly Placement[];
  /** What is in use when the run begins. */
  readonly early: readonly EarlyPages[];
  readonly zones: readonly ZoneEnd[];
}

/** Something that happens to the pages of an area, in the order of time. */
export interface AreaChange {
  readonly time: number;
  readonly area: number;
  readonly pfn: number;
  readonly count: number;
  /** True: claimed. False: given back. */
  readonly isClaim: boolean;
}

/** Claims and releases of all areas; at one time releases come first. */
export function areaChanges({ placements, layout, early }: ExportRun): AreaChange[] {
  const index = new Map(layout.areas.map((area) => [area.name, area.index]));
  const changes: AreaChange[] = [];
  for (const { source, pfn, pages: count, freed: time } of early) {
    const area = index.get(source);
    if (area === undefined || time === Number.POSITIVE_INFINITY) continue;
    changes.push({ time, area, pfn, count, isClaim: false });
  }
  for (const { attempts, freed } of placements) {
    for (const { area: name, pfn, count, end, givenBack } of attempts) {
      const area = index.get(name);
      if (pfn < 0 || area === undefined) continue;
      changes.push({ time: end, area, pfn, count, isClaim: true });
      const gone = givenBack ? end : freed;
      if (gone < Number.POSITIVE_INFINITY) {
        changes.push({ time: gone, area, pfn, count, isClaim: false });
      }
    }
  }
  return changes.sort(
    (a, b) => a.time - b.time || a.pfn - b.pfn || Number(b.isClaim) - Number(a.isClaim),
  );
}
