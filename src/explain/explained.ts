/**
 * Explanation of one request of a run: plain data, from a run that was repeated and watched.
 */

import type { Searched } from '../nodes/recorder.js';
import { isLocal, type Placement, took } from '../run/placement.js';

/** One step of the policy, as it went for this request. */
export interface StepRow {
  readonly step: string;
  readonly outcome: 'skipped' | 'no area' | 'failed' | 'served' | 'given back' | 'not reached';
  /** Why, in words. */
  readonly text: string;
}

export interface SightRow extends Searched {
  readonly areaName: string;
  readonly basePfn: number;
  /** Bits of the whole area. */
  readonly size: number;
}

export interface TimePart {
  readonly name: string;
  readonly ns: number;
  readonly class: 'calibrated' | 'assumed';
}

export interface Why {
  readonly request: Placement;
  readonly policy: string;
  readonly kernel: string;
  readonly gfp: number;
  readonly devNode: number;
  readonly maskBits: number;
  readonly steps: readonly StepRow[];
  readonly sights: readonly SightRow[];
  readonly parts: readonly TimePart[];
  readonly fingerprint: string;
}

export interface Requests {
  readonly requests: readonly Placement[];
  readonly fingerprint: string;
}

/** A request in the documents of `why --json`. */
export function requestDocument(placement: Placement): Record<string, unknown> {
  const { name, device, issued, settled, bytes, source, nid, pfn, pages } = placement;
  const isOpen = Number.isNaN(settled);
  return {
    ...{ name, device, askedNs: issued, tookNs: isOpen ? null : took(placement), size: bytes },
    ...{ from: isOpen ? '' : source, nid, local: isLocal(placement), pfn, pages },
  };
}

export function whyDocument({ request, ...why }: Why): Record<string, unknown> {
  return { format: 'cmasim-why/1', request: requestDocument(request), ...why };
}
