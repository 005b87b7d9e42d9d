/**
 * From reserved memory to usable areas: cma_init_reserved_areas().
 *
 * Models cma_activate_area() of mm/cma.c: an area whose pages are not all in one zone stays in its
 * slot with a count of 0; one over addresses without struct pages ends the boot.
 */

import type { AreaLayout } from '../layout.js';
import { rangesSize } from '../ranges.js';
import { NUMA_NO_NODE } from '../units.js';
import { addSentence, inBytes } from './areaRequest.js';
import { type Activation, activation, sectionSize, zoneOf } from './freearea.js';
import type { Boot } from './state.js';

export interface Activated {
  /** Indices in cma_areas[] of areas with a count of 0. */
  readonly inactive: ReadonlySet<number>;
  /** Those of them whose pages nobody gets. */
  readonly lost: ReadonlySet<number>;
  /** What the kernel dies of; null: it lives. */
  readonly crash: string | null;
}

function check({ input, memblock, release, zones, areas }: Boot, index: number): Activation {
  const { arch, pageSize } = input;
  const section = sectionSize(arch, release, pageSize);
  return (
    areas[index].ranges
      .map((range) => activation(range, memblock.memory, zones, { pageSize, section }))
      .find((result) => result !== 'active') ?? 'active'
  );
}

/** Activates every area in the order of its slot; the log and the requests say what failed. */
export function activateAreas(boot: Boot): Activated {
  const { release, log } = boot;
  const inactive = new Set<number>();
  const lost = new Set<number>();
  let stopped = '';
  for (const [index, area] of boot.areas.entries()) {
    const request = boot.requests.find((r) => r.index === index);
    if (stopped !== '') {
      inactive.add(index);
      lost.add(index);
      addSentence(request, `not activated: this release stops at ${stopped}`);
      continue;
    }
    const result = check(boot, index);
    if (result === 'active') continue;
    if (result === 'no struct page') {
      const [start, end] = area.ranges[0];
      const crash =
        `${area.name}: ${inBytes(end - start)} from ${inBytes(start)} ` +
        'have no memory behind them; ' +
        'the kernel looks for their struct pages when it activates the area, and dies';
      addSentence(request, 'the kernel crashes when it activates this area');
      return { inactive, lost, crash };
    }
    inactive.add(index);
    log.push(`cma: CMA area ${area.name} could not be activated`);
    const fate = release.inactivePagesFreed ? 'its pages go to the buddy' : 'its pages are lost';
    if (!release.inactivePagesFreed) lost.add(index);
    addSentence(request, `not activated, it lies in more than one zone: count is 0, ${fate}`);
    if (release.activationStops) stopped = area.name;
  }
  return { inactive, lost, crash: null };
}

/** cma_areas[] as it is once the kernel is up. */
export function layoutAreas(boot: Boot, inactive: ReadonlySet<number>): AreaLayout[] {
  const { memblock, input, zones } = boot;
  const { pageSize } = input;
  return boot.areas.map(({ name, orderPerBit, ranges }, index) => {
    const request = boot.requests.find((r) => r.index === index)!;
    const [[start]] = ranges;
    const nid = memblock.nodeOf(start);
    if (request.nid !== NUMA_NO_NODE && nid !== request.nid) {
      const text = `lies on node ${nid}: this release takes another node's memory where it must`;
      addSentence(request, text);
    }
    return {
      index,
      name,
      basePfn: start / pageSize,
      count: inactive.has(index) ? 0 : rangesSize(ranges) / pageSize,
      orderPerBit,
      nid,
      zone: zoneOf(zones, pageSize, start / pageSize),
      role: request.role === 'hugetlb' ? 'private' : request.role,
      slotNid: request.nid,
    };
  });
}
