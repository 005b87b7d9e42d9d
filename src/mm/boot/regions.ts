/**
 * Areas that firmware names: reusable shared-dma-pool nodes under /reserved-memory of a device
 * tree.
 *
 * Models __reserved_mem_alloc_size() and rmem_cma_setup() of drivers/of and
 * kernel/dma/contiguous.c: they come before every area of the kernel itself, in the order in which
 * they are written, and take slots of cma_areas[]. One that is marked linux,cma-default is the
 * default area, unless the command line has cma=. Left out: no-map regions, alloc-ranges of more
 * than one node.
 */

import { NUMA_NO_NODE } from '../units.js';
import { inBytes, passedOver } from './areaRequest.js';
import { type DeclareErrno, mib, phys } from './declare.js';
import type { AskedArea, Boot, Region } from './state.js';

/** Its first address, or null where nothing is free. */
function place(boot: Boot, { size, base, ranges }: Region): number | null {
  const { memblock } = boot.input;
  const align = boot.geometry.minAlignment;
  if (base !== null) {
    if (memblock.isReserved(base, size)) return null;
    memblock.reserve(base, size);
    return base;
  }
  for (const [start, end] of ranges) {
    const found = memblock.alloc({ size, align, start, end, nid: NUMA_NO_NODE }, true);
    if (found !== null) return found;
  }
  return null;
}

function setUp(boot: Boot, region: Region): void {
  const { name, size, isDefault } = region;
  const { geometry, log, areas, slots } = boot;
  const nid = NUMA_NO_NODE;
  const area: AskedArea = { name, role: isDefault ? 'default' : 'private', nid, asked: size };
  const refuse = (errno: DeclareErrno, line: string, why: string): void => {
    log.push(line);
    boot.requests.push(passedOver(area, why, errno));
  };
  if (isDefault && boot.input.parameters.cmaSize !== null) {
    const line = `Reserved memory: bypass ${name} node, using cmdline CMA params instead`;
    return refuse('EBUSY', line, 'the command line has cma=');
  }
  const base = place(boot, region);
  if (base === null) {
    const line = `OF: reserved mem: failed to allocate memory for node '${name}'`;
    return refuse('ENOMEM', line, `no free range of ${inBytes(size)} where it may lie`);
  }
  const unit = geometry.minAlignment;
  if (base % unit !== 0 || size % unit !== 0) {
    boot.memblock.free(base, size);
    const line = 'Reserved memory: incorrect alignment of CMA region';
    return refuse('EINVAL', line, `base and size must be multiples of ${inBytes(unit)}`);
  }
  if (areas.length === slots) {
    boot.memblock.free(base, size);
    const line = 'Not enough slots for CMA reserved regions!';
    return refuse('ENOSPC', line, `all ${slots} slots of cma_areas[] are taken`);
  }
  const index =
    areas.push({ name, orderPerBit: 0, askedNid: nid, ranges: [[base, base + size]] }) - 1;
  if (isDefault) boot.defaultArea = index;
  log.push(`Reserved memory: created CMA memory pool at ${phys(base)}, size ${mib(size)} MiB`);
  boot.requests.push({ ...area, size, base, index, errno: null, sentence: '' });
}

/** fdt_init_reserved_mem(): before the first step of the boot that knows about CMA. */
export function reserveRegions(boot: Boot): void {
  for (const region of boot.input.regions ?? []) setUp(boot, region);
}
