/**
 * The runner of worker threads: a whole run on one shard, in the thread that asks for it.
 */

import { simulate } from '../run/simulate.js';
import type { RunOne } from './engine.js';

const runInline: RunOne = (scenario, warmupNs) =>
  simulate(scenario, { shards: 1, inline: true, warmupNs });
export default runInline;
