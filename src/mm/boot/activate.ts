/**
 * From reserved memory to usable areas: cma_init_reserved_areas().
 *
 * Models cma_activate_area() of mm/cma.c: an area whose pages are not all in one zone stays in its
 * slot with a count of 0; one over addresses without struct pages ends the boot.
 */

import type { AreaLayout } from '../layout.js';
import { NUMA_NO_NODE } from '../units.js';
import { addSentence, inBytes } from './areaRequest.js';
import type { Boot } from './boot.js';
import { type Activation, activation, sectionSize, type ZoneLimits, zoneOf } from './freearea.js';

export interface Activated {
  /** Indices in cma_areas[] of areas with a count of 0. */
  readonly inactive: ReadonlySet<number>;
  /** Those of them whose pages nobody gets. */
  readonly lost: ReadonlySet<number>;
  /** What the kernel dies of; null: it lives. */
  readonly crash: string | null;
}

function check(boot: Boot, limits: ZoneLimits, index: number): Activation {
  const { arch, pageSize, memblock } = boot.input;
  const section = sectionSize(arch, boot.cma.release, pageSize);
  for (const range of boot.cma.areas[index].ranges) {
    const result = activation(range, memblock.memory, limits, { pageSize, section });
    if (result !== 'active') return result;
  }
  return 'active';
}

/**
 * Activates every area in the order of its slot; says in `boot.cma.log` and the requests what
 * failed.
 */
export function activateAreas(boot: Boot, limits: ZoneLimits): Activated {
  const { release } = boot.cma;
  const inactive = new Set<number>();
  const lost = new Set<number>();
  let stopped = '';
  for (const [index, area] of boot.cma.areas.entries()) {
    const request = boot.requests.find((r) => r.index === index);
    if (stopped !== '') {
      inactive.add(index);
      lost.add(index);
      if (request) addSentence(request, `not activated: this release stops at ${stopped}`);
      continue;
    }
    const result = check(boot, limits, index);
    if (result === 'active') continue;
    if (result === 'no struct page') {
      const [start, end] = area.ranges[0];
      const crash =
        `${area.name}: ${inBytes(end - start)} from ${inBytes(start)} have no memory behind them; ` +
        'the kernel looks for their struct pages when it activates the area, and dies';
      if (request) addSentence(request, 'the kernel crashes when it activates this area');
      return { inactive, lost, crash };
    }
    inactive.add(index);
    boot.cma.log.push(`cma: CMA area ${area.name} could not be activated`);
    const fate = release.inactivePagesFreed ? 'its pages go to the buddy' : 'its pages are lost';
    if (!release.inactivePagesFreed) lost.add(index);
    if (request) {
      addSentence(request, `not activated, it lies in more than one zone: count is 0, ${fate}`);
    }
    if (release.activationStops) stopped = area.name;
  }
  return { inactive, lost, crash: null };
}

/** cma_areas[] as it is once the kernel is up. */
export function layoutAreas(
  boot: Boot,
  limits: ZoneLimits,
  inactive: ReadonlySet<number>,
): AreaLayout[] {
  const { memblock, pageSize } = boot.input;
  return boot.cma.areas.map((area, index) => {
    const request = boot.requests.find((r) => r.index === index)!;
    const start = area.ranges[0][0];
    const nid = memblock.nodeOf(start);
    const bytesHeld = area.ranges.reduce((sum, [s, e]) => sum + e - s, 0);
    if (request.nid !== NUMA_NO_NODE && nid !== request.nid) {
      const text = `lies on node ${nid}: this release takes another node's memory where it must`;
      addSentence(request, text);
    }
    return {
      index,
      name: area.name,
      basePfn: start / pageSize,
      count: inactive.has(index) ? 0 : bytesHeld / pageSize,
      orderPerBit: area.orderPerBit,
      nid,
      zone: zoneOf(limits, pageSize, start / pageSize),
      role: request.role === 'hugetlb' ? 'private' : request.role,
      slotNid: request.nid,
    };
  });
}
