/**
 * The runner of worker threads: a whole run on one shard, in the thread that asks for it.
 */

import { simulateFrom } from '../run/warmup.js';
import type { RunOne } from './engine.js';

const runInline: RunOne = (scenario, warmupNs) => simulateFrom(scenario, warmupNs);
export default runInline;
