/**
 * CMA areas and what is taken in them: /sys/kernel/mm/cma and /sys/kernel/debug/cma.
 *
 * sysfs has counters since 5.13, sizes since 6.15; debugfs has the bitmap, under names that changed
 * (`cma-reserved`, `reserved`, `cma-0`; since 6.15 one directory per range).
 */
import type { Facts } from './facts.js';

/** One attribute of one area. */
export function importAreaAttribute(
  facts: Facts,
  { name, key, value, file }: { name: string; key: string; value: string; file: string },
): void {
  const number = Number(value.trim());
  if (key !== 'bitmap' && !(Number.isFinite(number) && value.trim() !== '')) return;
  const area = facts.area(name.replace(/^cma-(?=\D)/, ''));
  facts.from('CMA areas', file);
  switch (key) {
    case 'base_pfn':
      area.basePfn = number;
      break;
    case 'count':
    case 'total_pages':
      area.count = number;
      break;
    case 'order_per_bit':
      area.orderPerBit = number;
      break;
    case 'used':
      area.used = number;
      break;
    case 'available_pages':
      if (area.count >= 0) area.used = area.count - number;
      else area.used = -2 - number; // resolved in settleAreas(), once the size is known
      break;
    case 'maxchunk':
      area.maxchunk = number;
      break;
    case 'alloc_pages_success':
      area.allocPagesSuccess = number;
      break;
    case 'alloc_pages_fail':
      area.allocPagesFail = number;
      break;
    case 'release_pages_success':
      area.releasePagesSuccess = number;
      break;
    case 'bitmap': {
      const words = value.trim().split(/\s+/).map(Number);
      if (words.length > 0 && words.every((word) => Number.isInteger(word))) {
        area.bitmap = words.map((word) => word >>> 0);
      }
      break;
    }
  }
}

export const areaAttributes =
  'base_pfn|count|order_per_bit|used|maxchunk|bitmap|total_pages|available_pages|' +
  'alloc_pages_success|alloc_pages_fail|release_pages_success';

/** Finishes what depends on the order of the attributes. */
export function settleAreas(facts: Facts): void {
  for (const area of facts.areas.values()) {
    if (area.used <= -2) {
      const available = -2 - area.used;
      area.used = area.count >= 0 ? area.count - available : -1;
    }
    if (area.used < 0 && area.bitmap !== null) {
      let bits = 0;
      for (const word of area.bitmap) for (let w = word; w !== 0; w &= w - 1) bits++;
      area.used = bits * 2 ** area.orderPerBit;
    }
  }
}
