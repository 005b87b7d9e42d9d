/**
 * The public API: everything else may change tomorrow.
 */

/** Explains one request of a scenario; the run is repeated and watched. */
export { why } from './explain/why.js';
/** Replays one operation file and holds every result against what the recorded kernel did. */
export { type Replay, type ReplayOptions, replay } from './replay/replay.js';
export type { RunResult } from './run/result.js';
/**
 * Runs one scenario to its end. The same scenario and seed give the same result on any number of
 * shards.
 */
export { type SimulateOptions, simulate } from './run/simulate.js';
export { ScenarioError } from './scenario/error.js';
/**
 * Reads a scenario file, one scenario per document; `-` is standard input. Throws ScenarioError.
 */
export { type LoadOptions, loadScenario, type Override, parseScenario } from './scenario/load.js';
export type { Scenario } from './scenario/scenario.js';
/** The smallest `cma=` and `numa_cma=` that are enough, with what a step down costs. */
export { size } from './size/size.js';
/** Reads a study: a scenario with axes, replications and stopping rules. Throws ScenarioError. */
export { loadStudy } from './study/load.js';
/** Runs a study into a results directory; what is there already is not run again. */
export { runStudy as sweep } from './study/runStudy.js';
