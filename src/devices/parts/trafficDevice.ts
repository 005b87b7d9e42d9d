/**
 * A device with traffic, from what is its own: keys, chart, words, memory.
 *
 * What all of them have stands here once: handles asked for one after another, the keys and words
 * of traffic, batches that are dropped. A word of the device's own goes before a common one.
 */
import { z } from 'zod';
import type { Statistic } from '../../sim/statistics.js';
import { type DeviceDefinition, type DeviceModel, defineDevice } from '../model.js';
import { sequenceActions, sequenceGuards, sequenceState } from './sequence.js';
import {
  ARRIVE,
  checkTraffic,
  droppedBatches,
  finishes,
  type TrafficConfig,
  trafficActions,
  trafficGuards,
  trafficKeys,
  trafficState,
} from './traffic.js';

const commonState = [...sequenceState, ...trafficState] as const;
/** Fields of the row of every such device. */
export type CommonField = (typeof commonState)[number] | keyof TrafficConfig;

/** `State`: numbers of the row that are neither keys nor common. */
export interface TrafficDevice<Keys extends z.ZodRawShape, State extends string>
  extends Omit<
    DeviceDefinition<z.ZodObject<Keys>, State | CommonField>,
    'config' | 'state' | 'own' | 'statistics'
  > {
  /** Its keys without those of traffic. */
  readonly keys: Keys;
  /** Time between two batches unless a scenario says, in ns. */
  readonly interval?: number;
  readonly state?: readonly State[];
  /** What records how long a batch took. */
  readonly took: Statistic;
  /** What its actions record besides. */
  readonly statistics?: readonly Statistic[];
}

/** A device's model, with all that comes with traffic. */
export function defineTrafficDevice<Keys extends z.ZodRawShape, State extends string = never>(
  device: TrafficDevice<Keys, State>,
): DeviceModel;
export function defineTrafficDevice(
  device: TrafficDevice<ReturnType<typeof trafficKeys>, CommonField>,
): DeviceModel {
  const { keys, interval, took, state = [], statistics = [], ...own } = device;
  return defineDevice({
    ...own,
    config: checkTraffic(z.strictObject({ ...keys, ...trafficKeys(interval) })),
    state: [...state, ...commonState],
    actions: { ...sequenceActions, ...trafficActions, finishBatch: finishes(took), ...own.actions },
    guards: { ...sequenceGuards, ...trafficGuards, ...own.guards },
    statistics: [took, ...statistics, droppedBatches],
    own: [ARRIVE],
  });
}
