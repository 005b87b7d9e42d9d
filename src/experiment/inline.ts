/**
 * The runner of worker threads: a whole run on one shard, in the thread that asks for it.
 */

import type { RunOne } from './engine.js';
import { simulateFrom } from './warmup.js';

const runInline: RunOne = (scenario, warmupNs) => simulateFrom(scenario, warmupNs);
export default runInline;
