/**
 * What of a kernel release the actors obey: a few columns of mm/release.ts, in the form they use.
 */

import type { MemoryLayout } from '../mm/layout.js';
import type { Release } from '../mm/release.js';

export interface ReleaseRules {
  readonly mutex: 'none' | 'global' | 'area';
  /** cma->lock is a mutex, whose waiters may sleep (up to 5.12). */
  readonly areaMutex: boolean;
  /** log2 of the pages that alloc_contig_range() isolates as one. */
  readonly isolateOrder: number;
  /** Movable requests take CMA pages only when nothing else is left (up to 5.7). */
  readonly movableUsesCma: Release['movableUsesCma'];
  /** errno of a search that found no window at the first try: 12 up to 6.14, 16 from 6.15. */
  readonly emptySearchErrno: number;
  /** cma_release() wants the whole range inside the area, not only its first page (6.15+). */
  readonly wholeRange: boolean;
}

export function releaseRules(
  release: Release,
  layout: Pick<MemoryLayout, 'maxPageOrder' | 'pageblockOrder'>,
): ReleaseRules {
  const { maxPageOrder, pageblockOrder } = layout;
  return {
    mutex: release.mutex,
    areaMutex: release.areaLock === 'mutex',
    isolateOrder:
      release.isolates === 'pageblock' ? pageblockOrder : Math.max(maxPageOrder, pageblockOrder),
    movableUsesCma: release.movableUsesCma,
    emptySearchErrno: release.noWindowErrno === 'EBUSY' ? 16 : 12,
    wholeRange: release.releaseTest === 'whole range',
  };
}
