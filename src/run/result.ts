/**
 * What a run hands over when it has ended: plain data, the same on any number of shards.
 */

import type { NumberClass, Parameter } from '../machine/machine.js';

export interface RunResult {
  /** Name of the scenario. */
  readonly scenario: string;
  readonly title: string;
  /** Id of the release. */
  readonly kernel: string;
  readonly policy: string;
  readonly cmdline: string;
  readonly machine: string;
  readonly seed: number;
  readonly shards: number;
  /** Of everything that happened, in hexadecimal. */
  readonly fingerprint: string;
  readonly simulatedNs: number;
  readonly events: number;
  /** Real time; left out wherever outputs are compared. */
  readonly wallMs: number;
  /** True if the run was stopped from outside before its end. */
  readonly interrupted: boolean;
  readonly areas: readonly AreaResult[];
  readonly devices: readonly DeviceResult[];
  readonly stats: readonly StatResult[];
  readonly checks: readonly CheckResult[];
  readonly findings: readonly FindingResult[];
  /** Every number the times rest on. */
  readonly parameters: readonly Parameter[];
  /** What a reader should know: unknown parameters on the command line, assumptions made. */
  readonly notes: readonly string[];
  /** What the device that is logged did, a sentence each; empty unless asked for. */
  readonly log: readonly string[];
  /** The kernel's messages about CMA, in order. */
  readonly bootLog: readonly string[];
}

/** One area at the end of the run; counts in pages. */
export interface AreaResult {
  readonly name: string;
  readonly role: 'pernuma' | 'numa' | 'default' | 'private';
  readonly nid: number;
  readonly basePfn: number;
  readonly count: number;
  readonly pageSize: number;
  readonly used: number;
  readonly peakUsed: number;
  /** Longest run of free pages. */
  readonly maxchunk: number;
  readonly allocPagesSuccess: number;
  readonly allocPagesFail: number;
}

/** Requests by what served them: the counters `placed.<source>`. */
export interface Placed {
  readonly device: number;
  readonly node: number;
  readonly default: number;
  readonly buddy: number;
}

export interface DeviceResult {
  readonly name: string;
  /** Key in the scenario; devices of one declaration share it. */
  readonly declaration: string;
  readonly kind: string;
  /** Node it is plugged into. */
  readonly node: number;
  /** State of its life cycle at the end; empty if the run does not say. */
  readonly state: string;
  readonly placed: Placed;
  /** Of those, the ones that lie on another node than the device. */
  readonly placedRemote: Placed;
  readonly refused: number;
  readonly leakedPages: number;
  /** Share of granted requests that lie on the device's node; null if nothing was granted. */
  readonly localShare: number | null;
}

export interface StatResult {
  readonly name: string;
  /** A device, a declaration of several devices (merged), or empty for all actors together. */
  readonly actor: string;
  readonly kind: 'histogram' | 'counter';
  readonly unit: string;
  readonly class: NumberClass;
  /** Values recorded; for a counter its value. */
  readonly count: number;
  /** Null for counters, as all that follow. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

export interface CheckResult {
  readonly expr: string;
  readonly ok: boolean;
  /** Left side of the comparison that decided; null if the run has no such number. */
  readonly value: number | null;
  /** Statistics the expression names and the run does not have. */
  readonly missing: readonly string[];
}

/**
 * Something a policy did that a kernel engineer must know: a leak, a page freed to the wrong owner.
 */
interface FindingResult {
  readonly kind: string;
  /** Simulated time in ns. */
  readonly time: number;
  readonly text: string;
}

/** How far a run is; a display's business and never part of a result. */
export interface Progress {
  readonly simulatedNs: number;
  readonly stopNs: number;
  readonly events: number;
}
