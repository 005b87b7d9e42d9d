/**
 * Which way a model's chart can run: lowered to tables, through XState, or not at all.
 */
import { type DeviceModel, hostEvents } from '../model.js';
import { type ChartNames, refusals } from './refuse.js';

/** The names a model's chart may use, and the events that may reach it from outside. */
export function namesOf(model: DeviceModel): ChartNames {
  return {
    actions: Object.keys(model.actions),
    guards: Object.keys(model.guards),
    delays: Object.keys(model.delays),
    events: [...hostEvents, ...Object.keys(model.timeline), ...(model.own ?? [])],
  };
}

/**
 * True for a chart that only XState runs, such as one of parallel states.
 * @throws LoweringError for what a device cannot have at all; Error where XState finds no state.
 */
export function mustBeInterpreted(model: DeviceModel): boolean {
  const refused = refusals(model.machine, namesOf(model));
  const hopeless = refused.find(({ runsInXState }) => !runsInXState);
  if (hopeless !== undefined) throw hopeless;
  return refused.length > 0;
}
