/**
 * The public API: everything else may change tomorrow.
 */

export { ScenarioError } from './scenario/error.js';
/** Reads a scenario file, one scenario per document; `-` is standard input. Throws ScenarioError. */
export { type LoadOptions, loadScenario, type Override, parseScenario } from './scenario/load.js';
export type { Scenario } from './scenario/scenario.js';
