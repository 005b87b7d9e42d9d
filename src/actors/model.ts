/**
 * One shard of a run: the actors it owns, built from the plan. The event core loads this module by its URL.
 */

import type { Behaviour, BuildShard, Loop, ShardModel } from '../sim/model.js';
import { Streams } from '../sim/random.js';
import { Areas } from './areas.js';
import { Controllers } from './controllers.js';
import { Coordinator } from './coordinator.js';
import type { LogData } from './log.js';
import { Node } from './node.js';
import { Observer } from './observer.js';
import { actorNumbers, type Plan, wiringOf } from './plan.js';
import { Replayer } from './replayer.js';
import { Zones } from './zones.js';

/** What a shard hands over when the run has ended; merged in report/. */
export interface ShardResult {
  readonly log: LogData;
  /** Outcomes of a replay, from the shard that hosts the replayer. */
  readonly outcomes: Float64Array | null;
}

const build: BuildShard = (data, shard): ShardModel => {
  const plan = data as Plan;
  const wiring = wiringOf(plan);
  const numbers = actorNumbers(plan);
  const owns = (actor: number): boolean => shard.owns(wiring.place[actor]!);
  const streams = new Streams(plan.seed);
  const zones = new Zones(wiring, owns, plan.watermarks);
  const areas = new Areas(wiring, zones, owns, (name) => streams.stream(`area.${name}`));
  const observer = new Observer(wiring, areas, zones);
  const controllers = new Controllers(wiring, plan.machine);
  const replayer =
    plan.replay && owns(numbers.replayer)
      ? new Replayer(wiring, plan.replay.operations, plan.replay.cpuNode)
      : null;
  const behaviours: Behaviour[] = [
    new Node(wiring, { areas, zones, controllers, observer }),
    new Coordinator({ areas, observer }),
    replayer ?? nobody,
  ];
  const behaviourOf = new Uint8Array(numbers.count);
  behaviourOf[numbers.coordinator] = 1;
  behaviourOf[numbers.replayer] = 2;
  return {
    actors: numbers.count,
    groupOf: wiring.place,
    behaviourOf,
    behaviours,
    start(loop: Loop): void {
      loop.actor = numbers.replayer;
      replayer?.run(loop);
    },
    finish(): ShardResult {
      return { log: wiring.log.take(), outcomes: replayer?.outcomes ?? null };
    },
  };
};

const nobody: Behaviour = {
  receive(_loop: Loop, actor: number): void {
    throw new Error(`actor ${actor} gets no messages here`);
  },
} as never;

export default build;
