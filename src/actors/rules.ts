/**
 * What of a kernel release the actors obey: a few columns of mm/release.ts, in the form they use.
 */

import type { Release } from '../mm/release.js';

export interface ReleaseRules {
  readonly mutex: 'none' | 'global' | 'area';
  /** errno of a search that found no window at the first try: 12 up to 6.14, 16 from 6.15. */
  readonly emptySearchErrno: number;
  /** cma_release() wants the whole range inside the area, not only its first page (6.15+). */
  readonly wholeRange: boolean;
}

export function releaseRules(release: Release): ReleaseRules {
  return {
    mutex: release.mutex,
    emptySearchErrno: release.noWindowErrno === 'EBUSY' ? 16 : 12,
    wholeRange: release.releaseTest === 'whole range',
  };
}
