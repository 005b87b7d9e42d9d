/**
 * What `why` says of the requests of a run: plain data, from a run that was repeated and watched.
 */

import type { Searched } from '../nodes/recorder.js';

/** One call of the DMA API for memory, as a list of requests shows it. */
export interface RequestRow {
  /** `nic0#12`: the device's calls are counted from 0, frees among them. */
  readonly name: string;
  readonly device: string;
  readonly askedNs: number;
  /** Until the driver heard of it; null: the run ended before. */
  readonly tookNs: number | null;
  /** Bytes. */
  readonly size: number;
  /** Area, `buddy`, `refused`, or empty if the run ended before. */
  readonly from: string;
  /** Node of the pages, -1 without any. */
  readonly nid: number;
  readonly local: boolean;
  readonly pfn: number;
  readonly pages: number;
}

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
  readonly request: RequestRow;
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
  readonly requests: readonly RequestRow[];
  readonly fingerprint: string;
}
