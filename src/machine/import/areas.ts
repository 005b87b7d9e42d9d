/**
 * CMA areas and what is taken in them: /sys/kernel/mm/cma and /sys/kernel/debug/cma.
 *
 * sysfs has counters since 5.13, sizes since 6.15; debugfs has the bitmap, under names that changed
 * (`cma-reserved`, `reserved`, `cma-0`; since 6.15 one directory per range).
 */
import type { AreaFacts, Attribute, Facts, NumberIn } from './facts.js';

/** Attributes that are a number of the area, under the names of every release. */
const numbers: ReadonlyMap<string, NumberIn<AreaFacts>> = new Map([
  ['base_pfn', 'basePfn'],
  ['count', 'count'],
  ['total_pages', 'count'],
  ['order_per_bit', 'orderPerBit'],
  ['used', 'used'],
  ['maxchunk', 'maxchunk'],
  ['alloc_pages_success', 'allocPagesSuccess'],
  ['alloc_pages_fail', 'allocPagesFail'],
  ['release_pages_success', 'releasePagesSuccess'],
]);

/** Names of the attributes that importAreaAttribute() reads. */
export const areaAttributes = [...numbers.keys(), 'available_pages', 'bitmap'].join('|');

/** One attribute of one area. */
export function importAreaAttribute(facts: Facts, { name, key, value, file }: Attribute): void {
  const number = Number(value.trim());
  if (key !== 'bitmap' && !(Number.isFinite(number) && value.trim() !== '')) return;
  const area = facts.area(name.replace(/^cma-(?=\D)/, ''));
  facts.from('CMA areas', file);
  const field = numbers.get(key);
  if (field !== undefined) area[field] = number;
  else if (key === 'bitmap') {
    const words = value.trim().split(/\s+/).map(Number);
    if (words.every(Number.isInteger)) area.bitmap = words.map((word) => word >>> 0);
  } else {
    // Available pages: settleAreas() knows the size they are to be taken from.
    area.used = -2 - number;
  }
}

/** Finishes what depends on the order of the attributes. */
export function settleAreas(facts: Facts): void {
  for (const area of facts.areas.values()) {
    if (area.used <= -2) area.used = area.count < 0 ? -1 : area.count + area.used + 2;
    if (area.used < 0 && area.bitmap !== null) {
      let bits = 0;
      for (const word of area.bitmap) for (let w = word; w !== 0; w &= w - 1) bits++;
      area.used = bits * 2 ** area.orderPerBit;
    }
  }
}
