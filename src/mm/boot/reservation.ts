/**
 * How each kernel and each version of the 2020 patch series reserves an area per NUMA node.
 *
 * Models dma_pernuma_cma_reserve() and dma_numa_cma_reserve() of kernel/dma/contiguous.c: whose
 * areas, of which size, under which name, at which point of the boot. Rows of release.ts and of
 * policy.ts point here by id; what an area is placed by is in boot.ts.
 */

export type Arch = 'arm64' | 'x86';

/** Points of the boot between which memblock changes hands. `nodes`: the areas of a row below. */
export type BootStep = 'numa init' | 'default' | 'nodes' | 'hugetlb' | 'sparse init';

/**
 * One area of a node. `every`: the size for all nodes; `by node`: numa_cma=; `by node or every`:
 * both.
 */
interface NodeArea {
  /** Array of kernel/dma/contiguous.c that points to it. */
  readonly array: 'pernuma' | 'numa';
  /** printf text; `%d` is the node. */
  readonly name: string;
  readonly size: 'every' | 'by node' | 'by node or every';
}

export interface Reservation {
  readonly id: string;
  /** `__func__` in the kernel's messages. */
  readonly function: string;
  /** Kconfig symbol without which the code and its parameters do not exist; null: always built. */
  readonly kconfig: 'DMA_PERNUMA_CMA' | 'DMA_NUMA_CMA' | null;
  /** Architectures on which that symbol is y unless the configuration says otherwise. */
  readonly kconfigDefaultOn: readonly Arch[];
  /** Parameter with one size for every node, and the one with a size per node; null: not known. */
  readonly everyParameter: 'cma_pernuma' | 'pernuma_cma' | null;
  readonly byNodeParameter: 'numa_cma' | null;
  /**
   * MiB of CONFIG_CMA_PERNUMA_SIZE_MBYTES before the command line is read; null: no such symbol.
   */
  readonly sizeMbytes: Readonly<Record<Arch, number>> | null;
  /** Architectures that call the function. */
  readonly calledOn: readonly Arch[];
  /** Where in the boot: right before one step, or right after the last of several. */
  readonly before: BootStep | null;
  readonly after: readonly BootStep[];
  /** for_each_online_node, N_MEMORY, for_each_node. */
  readonly nodes: 'online' | 'memory' | 'possible';
  /** Nothing is reserved unless more than one node is online. */
  readonly severalNodesOnly: boolean;
  /** In the order of one node's turn. */
  readonly areas: readonly NodeArea[];
  /** The size passes through an `int` on its way (fixed by 1476cca098f6). */
  readonly sizeIsInt: boolean;
  /** The default area failed: dma_contiguous_reserve() returns before the nodes' turn. */
  readonly stopsAfterDefaultFailed: boolean;
  /** Kconfig symbol that gives every node the default area's size when no parameter was given. */
  readonly sizeOfDefault: 'CMA_SIZE_PERNUMA' | null;
}

const none: Reservation = {
  id: 'none',
  function: '',
  kconfig: null,
  kconfigDefaultOn: [],
  everyParameter: null,
  byNodeParameter: null,
  sizeMbytes: null,
  calledOn: [],
  before: null,
  after: [],
  nodes: 'online',
  severalNodesOnly: false,
  areas: [],
  sizeIsInt: false,
  stopsAfterDefaultFailed: false,
  sizeOfDefault: null,
};

const v2: Reservation = {
  ...none,
  id: 'v2',
  function: 'dma_pernuma_cma_reserve',
  sizeMbytes: { arm64: 16, x86: 0 },
  calledOn: ['arm64'],
  after: ['numa init'],
  severalNodesOnly: true,
  areas: [{ array: 'pernuma', name: 'pernuma%d', size: 'every' }],
};

/** The reviewer of v2 asked for the place after hugetlb_cma_reserve(). */
const v3: Reservation = {
  ...v2,
  id: 'v3',
  everyParameter: 'pernuma_cma',
  after: ['numa init', 'hugetlb'],
};
const v4: Reservation = { ...v3, id: 'v4', nodes: 'memory', severalNodesOnly: false };
const v5: Reservation = {
  ...v4,
  id: 'v5',
  kconfig: 'DMA_PERNUMA_CMA',
  sizeMbytes: null,
};
const v7: Reservation = { ...v5, id: 'v7', nodes: 'online', kconfigDefaultOn: ['arm64'] };

const numaCma: Reservation = {
  ...none,
  id: '6.6',
  function: 'dma_numa_cma_reserve',
  kconfig: 'DMA_NUMA_CMA',
  everyParameter: 'cma_pernuma',
  byNodeParameter: 'numa_cma',
  calledOn: ['arm64', 'x86'],
  before: 'default',
  nodes: 'possible',
  areas: [
    { array: 'pernuma', name: 'pernuma%d', size: 'every' },
    { array: 'numa', name: 'numa%d', size: 'by node' },
  ],
};

const oneArray: Reservation = {
  ...numaCma,
  id: '7.2',
  before: null,
  after: ['default'],
  areas: [{ array: 'numa', name: 'numa%d', size: 'by node or every' }],
  stopsAfterDefaultFailed: true,
  sizeOfDefault: 'CMA_SIZE_PERNUMA',
};

export const reservations: readonly Reservation[] = [
  none,
  // All areas of v1 bear one name.
  { ...v2, id: 'v1', areas: [{ array: 'pernuma', name: 'pernuma', size: 'every' }] },
  v2,
  v3,
  v4,
  v5,
  { ...v5, id: 'v6', nodes: 'online' },
  v7,
  { ...v7, id: '5.10', everyParameter: 'cma_pernuma' },
  numaCma,
  { ...oneArray, id: '7.2-rc', sizeIsInt: true },
  oneArray,
];

/** The row of that id. @throws Error that names the ids there are. */
export function reservationOf(id: string): Reservation {
  const row = reservations.find((r) => r.id === id);
  if (row) return row;
  const known = reservations.map((r) => r.id).join(', ');
  throw new Error(`reservation ${id}: expected one of ${known}`);
}

/** The steps of one architecture's boot, with the nodes' turn where the row puts it. */
export function stepsWithNodes(
  steps: readonly BootStep[],
  reservation: Reservation,
  arch: Arch,
): readonly BootStep[] {
  if (!reservation.calledOn.includes(arch)) return steps;
  const at = reservation.before
    ? steps.indexOf(reservation.before)
    : Math.max(...reservation.after.map((s) => steps.indexOf(s))) + 1;
  return [...steps.slice(0, at), 'nodes', ...steps.slice(at)];
}
