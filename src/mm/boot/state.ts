/**
 * A boot under way: what it was given, and what has been reserved so far.
 */

import type { Range } from '../ranges.js';
import type { Kernel } from '../release.js';
import type { CmaBoot, DeclareErrno } from './declare.js';
import type { ZoneLimits } from './freearea.js';
import type { Kconfig } from './kconfig.js';
import type { Memblock, MemRegion } from './memblock.js';
import type { BootParameters } from './parameters.js';
import type { Arch } from './reservation.js';

/** An area that somebody asks for. */
export interface AskedArea {
  /** Name the area has or would have had. */
  readonly name: string;
  readonly role: 'pernuma' | 'numa' | 'default' | 'hugetlb' | 'private';
  /** Node asked for; NUMA_NO_NODE: any. */
  readonly nid: number;
  /** Bytes as the parameter or the configuration says. */
  readonly asked: number;
}

/** What came of it. */
export interface AreaRequest extends AskedArea {
  /** Bytes taken, after rounding; 0: none. */
  readonly size: number;
  /** First address; null: nothing was reserved. */
  readonly base: number | null;
  /** Index in cma_areas[]; -1: nothing was reserved. */
  readonly index: number;
  readonly errno: DeclareErrno | null;
  /** Empty: as asked. */
  sentence: string;
}

/** An area that the device tree names. */
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

/** What numa_init() learns and takes. */
interface NumaInit {
  /** Which addresses belong to which node (SRAT, device tree). */
  readonly ranges: readonly MemRegion[];
  /** Bytes of struct pglist_data, taken at the top of each node; 0: none. */
  readonly nodeData: number;
}

export interface BootInput {
  readonly kernel: Pick<Kernel, 'release' | 'reservation'>;
  readonly arch: Arch;
  /** Bytes. */
  readonly pageSize: number;
  readonly config: Kconfig;
  readonly parameters: BootParameters;
  /** As it is before the first step; it is changed. */
  readonly memblock: Memblock;
  /**
   * All possible nodes, ascending, with their state when the nodes' turn comes; CPUs come online
   * later.
   */
  readonly nodes: readonly {
    readonly nid: number;
    readonly online: boolean;
    readonly cpus: number;
  }[];
  /** Null: the memblock knows its nodes already, and so do the steps before the first area. */
  readonly numaInit: NumaInit | null;
  /** Whether struct pages are taken; false for a memblock recorded in the middle of the boot. */
  readonly takesStructPages: boolean;
  /** Areas of the device tree, in its order; none unless given. */
  readonly regions?: readonly Region[];
  /** Limit of the default area in bytes, where it is known better than from the memory map. */
  readonly limit?: number;
  /**
   * Bytes per node that the recording driver reserves after the kernel's own areas; 0: it does not.
   */
  readonly driverPernuma?: number;
  /** Lines the kernel has printed so far. */
  readonly log?: readonly string[];
  /** What ended the boot before the first area, in words; null: nothing. */
  readonly fatal: string | null;
}

/** A boot under way. */
export interface Boot extends CmaBoot {
  readonly input: BootInput;
  readonly requests: AreaRequest[];
  /** Where the architecture's zones end. */
  readonly zones: ZoneLimits;
  /** Limit the architecture gives the default area, in bytes. */
  readonly limit: number;
  /** Nodes online at this moment, ascending: node 0 alone before numa_init(). */
  online: readonly number[];
  /** Index in cma_areas[], or -1. */
  defaultArea: number;
  /** The default area was asked for and refused. */
  hasDefaultFailed: boolean;
}
