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
import { inBytes, instead } from './areaRequest.js';
import type { Boot } from './boot.js';
import type { Range } from './memblock.js';

export interface Region {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Address; null: anywhere in `ranges`. */
  readonly base: number | null;
  /** Where it may lie: its alloc-ranges. */
  readonly ranges: readonly Range[];
  /** linux,cma-default. */
  readonly isDefault: boolean;
}

const mib = (size: number): number => Math.floor(size / 2 ** 20);
const hex = (address: number): string => `0x${address.toString(16).padStart(16, '0')}`;

/** Its first address, or null where nothing is free. */
function place(boot: Boot, { size, base, ranges }: Region): number | null {
  const { memblock } = boot.input;
  const align = boot.cma.geometry.minAlignment;
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
  const { geometry, log, areas, slots } = boot.cma;
  const role = isDefault ? 'default' : 'private';
  const refuse = (errno: 'EINVAL' | 'ENOMEM' | 'ENOSPC' | 'EBUSY', why: string): void => {
    const sentence = `not reserved: ${why}; ${instead[role]}`;
    const none = { nid: NUMA_NO_NODE, asked: size, size: 0, base: null, index: -1 };
    boot.requests.push({ name, role, ...none, errno, sentence });
  };
  if (isDefault && boot.input.parameters.cmaSize !== null) {
    log.push(`Reserved memory: bypass ${name} node, using cmdline CMA params instead`);
    return refuse('EBUSY', 'the command line has cma=');
  }
  const base = place(boot, region);
  if (base === null) {
    log.push(`OF: reserved mem: failed to allocate memory for node '${name}'`);
    return refuse('ENOMEM', `no free range of ${inBytes(size)} where it may lie`);
  }
  const giveBack = () => boot.input.memblock.free(base, size);
  if (base % geometry.minAlignment !== 0 || size % geometry.minAlignment !== 0) {
    log.push('Reserved memory: incorrect alignment of CMA region');
    giveBack();
    return refuse('EINVAL', `base and size must be multiples of ${inBytes(geometry.minAlignment)}`);
  }
  if (areas.length === slots) {
    log.push('Not enough slots for CMA reserved regions!');
    giveBack();
    return refuse('ENOSPC', `all ${slots} slots of cma_areas[] are taken`);
  }
  areas.push({ name, orderPerBit: 0, askedNid: NUMA_NO_NODE, ranges: [[base, base + size]] });
  const index = areas.length - 1;
  if (isDefault) boot.defaultArea = index;
  log.push(`Reserved memory: created CMA memory pool at ${hex(base)}, size ${mib(size)} MiB`);
  const nid = NUMA_NO_NODE;
  boot.requests.push({
    name,
    role,
    nid,
    asked: size,
    size,
    base,
    index,
    errno: null,
    sentence: '',
  });
}

/** fdt_init_reserved_mem(): before the first step of the boot that knows about CMA. */
export function reserveRegions(boot: Boot): void {
  for (const region of boot.input.regions ?? []) setUp(boot, region);
}
