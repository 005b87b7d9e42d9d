/**
 * All devices of one kind on a shard: their rows, and the one machine that runs them.
 *
 * A row is a stretch of one Float64Array; a device that waits costs its row and its handles and
 * nothing else.
 */

import { mustBeInterpreted, namesOf } from '../chart/check.js';
import { InterpretedMachine } from '../chart/interpreted.js';
import { lower, type Tables } from '../chart/lower.js';
import { LoweredMachine } from '../chart/lowered.js';
import { LoweringError } from '../chart/loweringError.js';
import type { ChartNames } from '../chart/refuse.js';
import { type RowView, rowView } from '../chart/row.js';
import { header, type RunningChart } from '../chart/runner.js';
import type { DmaApi } from '../dmaApi.js';
import { type DeviceModel, hostEvents, type Numbers } from '../model.js';

/** Positions of the host's events, the first in every machine's list. */
export const eventAt = {
  start: hostEvents.indexOf('START'),
  granted: hostEvents.indexOf('GRANTED'),
  refused: hostEvents.indexOf('REFUSED'),
  freed: hostEvents.indexOf('FREED'),
  accessed: hostEvents.indexOf('ACCESSED'),
  line: hostEvents.indexOf('LINE'),
  lost: hostEvents.indexOf('LOST'),
} as const;

/** Zeros the numbers of an event: fill() would be a call out of compiled code. */
export function clear(numbers: Numbers): void {
  for (let i = 0; i < numbers.length; i++) numbers[i] = 0;
}

export interface FleetOptions {
  readonly model: DeviceModel;
  /** Devices of the kind on this shard. */
  readonly count: number;
  readonly dma: DmaApi;
  readonly interpreted: boolean;
  /** Sends the device its timer `token` after `delay` ns. */
  setTimer(delay: number, token: number): void;
}

export class Fleet {
  readonly model: DeviceModel;
  readonly machine: RunningChart;
  readonly row: RowView;
  readonly numbers = new Float64Array(8);
  /** Doubles per row. */
  readonly stride: number;
  readonly eventIndex: ReadonlyMap<string, number>;

  /**
   * What lower() refuses runs through XState. @throws LoweringError if that cannot run it either.
   */
  constructor({ model, count, dma, interpreted, setTimer }: FleetOptions) {
    this.model = model;
    const names = namesOf(model);
    const tables = interpreted ? undefined : lowered(model, names);
    const timers = tables?.timerEvent.length ?? 0;
    const first = header.timers + timers;
    this.stride = first + model.fields.length;
    this.row = rowView(model.fields, first);
    this.row.rows = new Float64Array(count * this.stride);
    const { row, numbers } = this;
    const arm = (delay: number): number => {
      const token = ++row.rows[row.base + header.tokens];
      setTimer(delay, token);
      return token;
    };
    const around = { dma, row, numbers, arm };
    this.machine = tables
      ? new LoweredMachine(tables, model, around)
      : new InterpretedMachine(model.machine, model, around, names.events);
    this.eventIndex = new Map(this.machine.events.map((event, index) => [event, index]));
  }
}

/** Tables of the chart, or none if only XState runs it. */
function lowered(model: DeviceModel, names: ChartNames): Tables | undefined {
  try {
    return lower(model.machine, names);
  } catch (error) {
    if (error instanceof LoweringError && mustBeInterpreted(model)) return undefined;
    throw error;
  }
}
