/**
 * A scenario as the simulator takes it: checked, expanded, in base units. Plain data throughout.
 */

import type { Machine } from '../machine/machine.js';
import type { PolicyRow } from '../mm/policy.js';
import type { Expression } from './expect.js';

export interface Scenario {
  /** File name without its ending; `NAME#2` for the second of several documents. */
  readonly name: string;
  /** What the scenario says of itself; may be empty. */
  readonly title: string;
  /** Id of a row of mm/release.ts. */
  readonly kernel: string;
  /** Id of a row of mm/policy.ts, or `custom`. */
  readonly policy: string;
  /** The row in force, also when the scenario wrote its own. */
  readonly policyRow: PolicyRow;
  /** Kconfig symbols that differ from the release's defaults. */
  readonly config: Readonly<Record<string, string | number | boolean>>;
  readonly machine: Machine;
  /** Numbers of mm/alloc/cost.ts that differ from their defaults. */
  readonly cost: Readonly<Record<string, number>>;
  /** The kernel's command line, verbatim. */
  readonly cmdline: string;
  /** Areas of the device tree, in the order of the file. */
  readonly reservedMemory: readonly ReservedMemory[];
  /** URLs of modules with device models of the user's own. */
  readonly modules: readonly string[];
  readonly devices: readonly ScenarioDevice[];
  /** Ascending `at`; at the same instant in the order of the file. */
  readonly timeline: readonly TimelineEntry[];
  /** Movable pages of programs; at most one entry per node. */
  readonly pressure: readonly Pressure[];
  /** 0 to 2^32 - 1. */
  readonly seed: number;
  /** The run ends here, in ns. */
  readonly stopNs: number;
  readonly expect: readonly Expectation[];
  /**
   * The document all this was made of, overrides included: printed as scenario.yaml, it loads as
   * the same.
   */
  readonly document: Readonly<Record<string, unknown>>;
}

/** A CMA area that firmware names: a reusable shared-dma-pool. */
export interface ReservedMemory {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Address; null: anywhere on the node. */
  readonly base: number | null;
  /** Node whose memory it may take; null: any. */
  readonly nid: number | null;
  /** Whether it is the default area, linux,cma-default. */
  readonly isDefault: boolean;
}

/** One device; a declaration with several nodes or a count becomes several. */
export interface ScenarioDevice {
  /** `nic0`, or `nic0@2`, `nic0@2.1` of a declaration that makes several. */
  readonly name: string;
  /** Key under `devices:`. */
  readonly declaration: string;
  readonly kind: string;
  /** Node it is plugged into. */
  readonly nid: number;
  /** dev_to_node(): a node or -1. */
  readonly numaNode: number;
  /** Probe, in ns. */
  readonly startNs: number;
  /** Bits of the coherent DMA mask. */
  readonly maskBits: number;
  /** What stands between it and memory, if the scenario says so. */
  readonly iommu?: 'direct' | 'passthrough' | 'translated';
  /** Name of its own CMA area, if it has one. */
  readonly areaName?: string;
  /** As the kind's schema returned it; devices of one declaration share the object. */
  readonly config: unknown;
}

/** What programs of a node hold that can be moved. */
export interface Pressure {
  readonly nid: number;
  /** Bytes. */
  readonly movable: number;
  /** Share of the node's CMA pages they hold at the start; null: by the kernel's rule. */
  readonly cma: number | null;
  /** Shares of those pages. */
  readonly clean: number;
  readonly pinned: number;
  /** ns; 0: never renewed. */
  readonly renewNs: number;
  readonly pinNs: number;
}

/** `devices`: positions in Scenario.devices. */
export type TimelineEntry =
  | {
      readonly at: number;
      readonly do: 'write';
      readonly devices: readonly number[];
      readonly numaNode: number;
    }
  | {
      readonly at: number;
      readonly do: 'send';
      readonly devices: readonly number[];
      readonly event: string;
      readonly numbers: readonly number[];
    }
  | {
      readonly at: number;
      readonly do: 'take' | 'give';
      readonly nid: number;
      readonly size: number;
    };

export interface Expectation {
  readonly text: string;
  readonly expression: Expression;
  /** `file:line:col`. */
  readonly place: string;
}
