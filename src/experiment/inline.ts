/**
 * The runner of worker threads: a whole run on one shard, in the thread that asks for it.
 */

import type { RunOne } from './engine.js';
import { simulate } from './simulate.js';

const runInline: RunOne = (scenario) => simulate(scenario, { shards: 1, inline: true });
export default runInline;
