/**
 * The public API: everything else may change tomorrow.
 */

/** Reads a study: a scenario with axes, replications and stopping rules. Throws ScenarioError. */
export { loadStudy } from './experiment/loadStudy.js';
/** Replays recorded traces, on the server they were made on or on another kernel or machine. */
export { type TraceReplay, TraceReplayer } from './experiment/replayTrace.js';
/** Runs a study into a results directory; what is there already is not run again. */
export { runStudy as sweep } from './experiment/runStudy.js';
/** Runs one scenario to its end. The same scenario and seed give the same result on any number of shards. */
export { type SimulateOptions, simulate } from './experiment/simulate.js';
/** The smallest `cma=` and `numa_cma=` that are enough, with what a step down costs. */
export { size } from './experiment/size.js';
/** Explains one request of a scenario; the run is repeated and watched. */
export { why } from './experiment/why.js';
export type { RunResult } from './report/result.js';
export { ScenarioError } from './scenario/error.js';
/** Reads a scenario file, one scenario per document; `-` is standard input. Throws ScenarioError. */
export { type LoadOptions, loadScenario, type Override, parseScenario } from './scenario/load.js';
export type { Scenario } from './scenario/scenario.js';
/** Replays one operation file and holds every result against what the recorded kernel did. */
export { type Replay, Replayer, type ReplayOptions, replay } from './trace/replay.js';
