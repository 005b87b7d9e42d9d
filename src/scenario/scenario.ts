/**
 * A scenario as the simulator takes it: the keys of its document in base units, and what they mean
 * for each other. Plain data throughout.
 */

import type { PlannedDevice } from '../devices/model.js';
import type { Machine } from '../machine/machine.js';
import type { PolicyRow } from '../mm/policy.js';
import type { Ns } from '../mm/units.js';
import type { MovablePressure } from '../nodes/movablePages.js';
import type { TimelineEntry } from '../nodes/timeline.js';
import type { Expression } from './expect.js';
import type { ScenarioKeys } from './schema.js';

/** Keys that mean more than they say. */
type Resolved =
  | ('policy' | 'machine' | 'cost' | 'modules' | 'devices')
  | ('pressure' | 'timeline' | 'stop' | 'expect');

export interface Scenario extends Readonly<Omit<ScenarioKeys, Resolved>> {
  /** File name without its ending; `NAME#2` for the second of several documents. */
  readonly name: string;
  /** Id of a row of mm/policy.ts, or `custom`. */
  readonly policy: string;
  /** The row in force, also when the scenario wrote its own. */
  readonly policyRow: PolicyRow;
  readonly machine: Machine;
  /** Numbers of mm/alloc/cost.ts that differ from their defaults. */
  readonly cost: Readonly<Record<string, number>>;
  /** URLs of modules with device models of the user's own. */
  readonly modules: readonly string[];
  /** In the order of the file; a declaration with several nodes or a count becomes several. */
  readonly devices: readonly PlannedDevice[];
  /** Ascending `at`; at the same instant in the order of the file. */
  readonly timeline: readonly TimelineEntry[];
  /** Movable pages of programs; at most one entry per node. */
  readonly pressure: readonly MovablePressure[];
  /** The run ends here. */
  readonly stopNs: Ns;
  readonly expect: readonly Expectation[];
  /**
   * The document all this was made of, overrides included: printed as scenario.yaml, it loads as
   * the same.
   */
  readonly document: Readonly<Record<string, unknown>>;
}

export interface Expectation {
  readonly text: string;
  readonly expression: Expression;
  /** `file:line:col`. */
  readonly place: string;
}
