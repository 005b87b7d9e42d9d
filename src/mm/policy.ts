/**
 * Allocation policies: which sources a DMA request is served from, in which order, and who is asked
 * when its pages are freed. One row each; the text of a row is also what a scenario may write.
 *
 * Models dma_alloc_contiguous() and dma_free_contiguous() of kernel/dma/contiguous.c and the June
 * to August 2020 patch series. A step reads `SOURCE if CONDITION, CONDITION`; the first step whose
 * conditions hold and whose source has room wins. What reserves the areas is in reservation.ts.
 */

import { sizeUnits } from './units.js';

/** Where an attempt looks for pages. */
export const allocSources = [
  'device', // dev->cma_area
  'pernuma', // dma_contiguous_pernuma_area[nid]
  'numa', // dma_contiguous_numa_area[nid]
  'nearest', // the same arrays of the other nodes, nearest first (M. Rapoport, 2020; in no kernel)
  'default', // dma_contiguous_default_area
  'buddy on node', // alloc_pages_node() with __GFP_THISNODE
  'buddy', // alloc_pages_node(), along the node's zonelist
] as const;

/**
 * Who is asked to take pages back. `any`: every node's area in turn; `of page`: page_to_nid(page).
 */
export const freeOwners = [
  'device',
  'any pernuma',
  'any numa',
  'pernuma of page',
  'numa of page',
  'default',
  'buddy',
] as const;

/** Conditions, one bit each; a step is tried when all of its bits are among the request's facts. */
export const conditions = {
  blocking: 1 << 0, // gfpflags_allow_blocking()
  'device area': 1 << 1, // dev->cma_area is set
  'no device area': 1 << 2,
  'node known': 1 << 3, // nid != NUMA_NO_NODE
  'no zone flag': 1 << 4, // neither GFP_DMA nor GFP_DMA32
  'zone flag': 1 << 5,
  'no node area': 1 << 6, // none that this request could have been served from
  'default exists': 1 << 7,
  'default on node': 1 << 8, // the default area lies on the request's node
} as const;

/** What the words of a step mean, for people; a size is said with its step. */
export const stepWords: Readonly<Record<string, string>> = {
  device: "the device's own area (dev->cma_area), which nobody else uses",
  pernuma: "the area that cma_pernuma= made on the request's node",
  numa: "the area that numa_cma= made on the request's node",
  nearest: 'the nearest node that has an area',
  default: 'dma_contiguous_default_area, of cma= or Kconfig',
  buddy: 'pages of the zones, by node in zonelist order',
  'buddy on node': "pages of the zones of the request's node alone",
  'any pernuma': "every node's area of cma_pernuma=, one after the other",
  'any numa': "every node's area of numa_cma=, one after the other",
  'pernuma of page': 'the area of cma_pernuma= on the node where the page lies',
  'numa of page': 'the area of numa_cma= on the node where the page lies',
  blocking: 'the caller may sleep (gfpflags_allow_blocking())',
  'device area': 'dev->cma_area is set',
  'no device area': 'dev->cma_area is not set',
  'node known': 'dev_to_node() is not -1',
  'no zone flag': 'neither GFP_DMA nor GFP_DMA32, which a small DMA mask asks for',
  'zone flag': 'GFP_DMA or GFP_DMA32, which a small DMA mask asks for',
  'no node area': 'no area of a node could have served it',
  'default exists': 'there is a default area',
  'default on node': "the default area lies on the request's node",
  'size > 1 page': 'more than PAGE_SIZE bytes',
  'size >= 2 pages': 'at least two whole pages: size >> PAGE_SHIFT is more than 1',
};

export interface PolicyRow {
  readonly id: string;
  /** One line for `cmasim kernels`. */
  readonly title: string;
  /** Release (release.ts) this policy sits on unless the scenario names another. */
  readonly on: string;
  /** Row of reservation.ts that says which areas exist. */
  readonly reservation: string;
  readonly alloc: readonly string[];
  readonly free: readonly string[];
}

/**
 * dma_alloc_contiguous() from v3 on: one early return for what cannot sleep, one for a single page.
 */
const overOnePage = 'blocking, no device area, size > 1 page';
const nodeArea = 'node known, no zone flag';
const freeByPage = ['device if device area', 'pernuma of page if no device area'];
const freeDefault = ['default if no device area', 'buddy'];

const beforeTheDefaultWasChecked: Pick<PolicyRow, 'alloc' | 'free'> = {
  alloc: [
    'device if blocking',
    `pernuma if ${overOnePage}, ${nodeArea}`,
    `default if ${overOnePage}`,
    'buddy',
  ],
  free: [...freeByPage, ...freeDefault],
};
const oneArray: Pick<PolicyRow, 'alloc' | 'free'> = {
  alloc: [
    'device if blocking',
    `pernuma if ${overOnePage}, ${nodeArea}`,
    `default if ${overOnePage}, default exists`,
    'buddy',
  ],
  free: [...freeByPage, ...freeDefault],
};

export const policies: readonly PolicyRow[] = [
  {
    id: 'pre',
    title: 'before the series: the default area alone (5.3 to 5.9)',
    on: '5.7',
    reservation: 'none',
    alloc: [
      'device if blocking',
      'default if blocking, no device area, size >= 2 pages, default exists',
      'buddy',
    ],
    free: ['device if device area', ...freeDefault],
  },
  {
    id: 'v1',
    title:
      'patch v1, 3 June 2020: even one page; no way on to the default area; frees to the buddy',
    on: '5.8-rc3',
    reservation: 'v1',
    alloc: [
      'device if blocking',
      `pernuma if blocking, no device area, ${nodeArea}`,
      'default if blocking, no device area, size >= 2 pages, no node area',
      'buddy',
    ],
    free: ['device if device area', ...freeDefault],
  },
  {
    id: 'v2',
    title: 'patch v2, 25 June 2020: size from Kconfig; frees ask every node unless the node is -1',
    on: '5.8-rc3',
    reservation: 'v2',
    alloc: [
      'device if blocking',
      `pernuma if blocking, no device area, size >= 2 pages, ${nodeArea}`,
      'default if blocking, no device area, size >= 2 pages',
      'buddy',
    ],
    free: ['device if device area', 'any pernuma if no device area, node known', ...freeDefault],
  },
  {
    id: 'v3',
    title: 'patch v3, 28 June 2020: pernuma_cma=; frees by page_to_nid',
    on: '5.8-rc3',
    reservation: 'v3',
    ...beforeTheDefaultWasChecked,
  },
  {
    id: 'v4',
    title: 'patch v4, 23 July 2020: on the 5.9 clean-up',
    on: '5.8',
    reservation: 'v4',
    ...beforeTheDefaultWasChecked,
  },
  {
    id: 'v5',
    title: 'patch v5, 31 July 2020: command line only; the default area is tested for',
    on: '5.8',
    reservation: 'v5',
    ...oneArray,
  },
  { id: 'v6', title: 'patch v6, 21 August 2020', on: '5.8', reservation: 'v6', ...oneArray },
  {
    id: 'v7',
    title: 'patch v7, 21 August 2020: as merged, still named pernuma_cma=',
    on: '5.8',
    reservation: 'v7',
    ...oneArray,
  },
  { id: '5.10', title: 'as merged: cma_pernuma=', on: '5.10', reservation: '5.10', ...oneArray },
  {
    id: '6.6',
    title: 'cma_pernuma= and numa_cma=: two arrays, pernuma first',
    on: '6.6',
    reservation: '6.6',
    alloc: [
      'device if blocking',
      `pernuma if ${overOnePage}, ${nodeArea}`,
      `numa if ${overOnePage}, ${nodeArea}`,
      `default if ${overOnePage}, default exists`,
      'buddy',
    ],
    free: [...freeByPage, 'numa of page if no device area', ...freeDefault],
  },
  {
    id: '7.2',
    title: 'one array again, numa_cma= before cma_pernuma=',
    on: '7.2',
    reservation: '7.2',
    alloc: [
      'device if blocking',
      `numa if ${overOnePage}, ${nodeArea}`,
      `default if ${overOnePage}, default exists`,
      'buddy',
    ],
    free: ['device if device area', 'numa of page if no device area', ...freeDefault],
  },
];

/**
 * A policy lowered to numbers: step i is source[i], tried when needs[i] hold and min <= size <=
 * max.
 */
export interface Policy {
  readonly id: string;
  readonly alloc: PolicySteps;
  readonly free: PolicySteps;
}

export interface PolicySteps {
  /** Index into allocSources or freeOwners. */
  readonly source: Uint8Array;
  /** Bits of `conditions`. */
  readonly needs: Uint32Array;
  /** Bytes, inclusive. */
  readonly minSize: Float64Array;
  readonly maxSize: Float64Array;
}

/** What is wrong with a policy's text: the step and, in words, what was expected. */
export class PolicyError extends Error {
  readonly step: string;

  constructor(step: string, message: string) {
    super(message);
    this.step = step;
  }
}

/**
 * `size > 1 page`, `size <= 64K` -> inclusive bounds in bytes; null if the text is no size test.
 */
function sizeBounds(text: string, pageSize: number): readonly [number, number] | null {
  const m = /^size\s*(<=|>=|<|>)\s*(\d+)\s*(pages?|[KMG])?$/.exec(text);
  if (!m) return null;
  const unit = m[3]?.startsWith('page') ? pageSize : m[3] ? sizeUnits[m[3]] : 1;
  const value = Number(m[2]) * unit;
  switch (m[1]) {
    case '<':
      return [0, value - 1];
    case '<=':
      return [0, value];
    case '>':
      return [value + 1, Infinity];
    default:
      return [value, Infinity];
  }
}

/** Steps a policy may have: a request says in seven bits which is in hand (wire/request.ts). */
const stepsMax = 128;

function lowerSteps(
  steps: readonly string[],
  sources: readonly string[],
  pageSize: number,
): PolicySteps {
  if (steps.length > stepsMax) {
    const message = `${steps.length} steps, expected at most ${stepsMax}`;
    throw new PolicyError(steps[stepsMax], message);
  }
  const lowered: PolicySteps = {
    source: new Uint8Array(steps.length),
    needs: new Uint32Array(steps.length),
    minSize: new Float64Array(steps.length),
    maxSize: new Float64Array(steps.length).fill(Infinity),
  };
  steps.forEach((step, i) => {
    const at = step.indexOf(' if ');
    const name = (at < 0 ? step : step.slice(0, at)).trim();
    const source = sources.indexOf(name);
    if (source < 0) {
      throw new PolicyError(step, `source "${name}", expected one of ${sources.join(', ')}`);
    }
    lowered.source[i] = source;
    if (at < 0) return;
    for (const text of step.slice(at + 4).split(',')) {
      const condition = text.trim();
      const bounds = sizeBounds(condition, pageSize);
      if (bounds) {
        lowered.minSize[i] = Math.max(lowered.minSize[i], bounds[0]);
        lowered.maxSize[i] = Math.min(lowered.maxSize[i], bounds[1]);
      } else if (Object.hasOwn(conditions, condition)) {
        lowered.needs[i] |= conditions[condition as keyof typeof conditions];
      } else {
        const known = Object.keys(conditions).join(', ');
        throw new PolicyError(
          step,
          `condition "${condition}", expected ${known}, or size > N pages`,
        );
      }
    }
  });
  return lowered;
}

/**
 * Lowers a row for a page size in bytes.
 *
 * @throws PolicyError naming the step that cannot be read.
 */
export function lowerPolicy(
  row: Pick<PolicyRow, 'id' | 'alloc' | 'free'>,
  pageSize: number,
): Policy {
  return {
    id: row.id,
    alloc: lowerSteps(row.alloc, allocSources, pageSize),
    free: lowerSteps(row.free, freeOwners, pageSize),
  };
}
