/**
 * A thread of the pool: hosts shards of one run after another (run/thread.ts).
 *
 * Plan and results travel as msgpackr buffers, which are moved and not copied.
 */

import { Packr } from 'msgpackr';
import { move } from 'piscina';
import type { ShardMistake } from '../src/run/mistake.js';
import { hostShards, type ThreadTask } from '../src/run/thread.js';
import { UserError } from '../src/text/userError.js';

const packr = new Packr({ moreTypes: true, structuredClone: true });

export default async function shard(message: {
  task: ThreadTask;
  packed: Uint8Array;
}): Promise<unknown> {
  const plan = packr.unpack(message.packed);
  const result = await hostShards(message.task, plan, () => performance.now()).catch(
    (error: unknown): ShardMistake => {
      if (error instanceof UserError) return { mistake: error.message };
      throw error;
    },
  );
  // A copy of its own: msgpackr's buffer is a window into a larger one.
  return move(Uint8Array.from(packr.pack(result)));
}
