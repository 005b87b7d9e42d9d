/**
 * Where struct pages are taken from memory at boot, as far as it moves areas that are placed later.
 *
 * Models sparse_init() of mm/sparse.c with SPARSEMEM_VMEMMAP: one buffer per run of sections of a
 * node, a section's share rounded up to what one PMD maps, the unused tail given back. Left out:
 * the page tables of the vmemmap, which fit between larger things.
 */

import { sectionSize } from './freearea.js';
import type { Memblock } from './memblock.js';
import type { Boot } from './state.js';

/** sizeof(struct page). */
const structPage = 64;

/** Sections that hold memory, in runs of one node, ascending. */
function sectionRuns(memblock: Memblock, section: number): { nid: number; sections: number }[] {
  const runs: { nid: number; sections: number }[] = [];
  let last = -1;
  for (const region of memblock.memory) {
    const first = Math.max(last + 1, Math.floor(region.base / section));
    const end = Math.ceil((region.base + region.size) / section);
    if (end <= first) continue;
    const run = runs.at(-1);
    if (run?.nid === region.nid) run.sections += end - first;
    else runs.push({ nid: region.nid, sections: end - first });
    last = end - 1;
  }
  return runs;
}

/** Takes the struct pages of all memory; nodes must be known. */
export function sparseInit({ input, memblock, release, geometry }: Boot): void {
  if (!input.takesStructPages) return;
  const { pageSize, hugePageOrder } = geometry;
  const section = sectionSize(input.arch, release, pageSize);
  const used = (section / pageSize) * structPage;
  const pmd = pageSize * 2 ** hugePageOrder;
  const share = Math.ceil(used / pmd) * pmd;
  // Only 4K pages map the vmemmap by PMD; others take single pages from the buffer's low end.
  const take = pageSize === 4096 ? share : used;
  for (const { nid, sections } of sectionRuns(memblock, section)) {
    const where = { start: 0, end: memblock.endOfDram, nid };
    const buffer = memblock.find({ size: share * sections, align: share, ...where });
    if (buffer !== null) memblock.reserve(buffer, take * sections);
    else memblock.alloc({ size: take * sections, align: pageSize, ...where }, true);
  }
}
