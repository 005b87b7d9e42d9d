/**
 * The life of a driver that asks for all it needs in one go: probe, work, reset, removal.
 *
 * What probe was granted before a refusal goes back in reverse order, and the probe fails. Drivers
 * with an interface to open ask for a second lot when it is opened. The device's own words say what
 * a handle is for (`allocate`) and what a batch does (`beginBatch`, `finishBatch`).
 */
import type { z } from 'zod';
import type { DmaApi } from '../dmaApi.js';
import type { DeviceModel, DeviceRow } from '../model.js';
import type { flag } from './keys.js';
import {
  askFrom,
  asking,
  freeDown,
  freeing,
  sequenceActions,
  sequenceGuards,
  sequenceState,
} from './sequence.js';
import {
  type TrafficConfig,
  trafficActions,
  trafficGuards,
  trafficState,
  working,
} from './traffic.js';
import { defineTrafficDevice, type TrafficDevice } from './trafficDevice.js';
import { isOn, sets } from './words.js';

/** `probed`: handles of the probe; those from there to `handles` come with open. */
/** `wants`: a reset or the removal, to be done next. */
export const ownState = ['handles', 'probed', 'wants'] as const;
export const lifeState = [...ownState, ...sequenceState, ...trafficState] as const;
type LifeRow = DeviceRow<(typeof lifeState)[number] | keyof TrafficConfig>;

export const RESET = 1;
export const REMOVE = 2;

/** A reset or the removal is asked for. */
export const lifeNotes = {
  noteReset: (_dma: DmaApi, row: DeviceRow<'wants'>) => {
    row.wants |= RESET;
  },
  noteRemoval: (_dma: DmaApi, row: DeviceRow<'wants'>) => {
    row.wants |= REMOVE;
  },
};

export const lifeActions = {
  ...trafficActions,
  ...sequenceActions,
  ...lifeNotes,
  beginProbe: (_dma: DmaApi, row: LifeRow) => {
    row.wants &= ~RESET;
    askFrom(row, 0, row.probed);
  },
  beginFreeAll: (_dma: DmaApi, row: LifeRow) => freeDown(row, 0, row.handles),
};

export const lifeGuards = {
  ...trafficGuards,
  ...sequenceGuards,
  removing: (_dma: DmaApi, row: DeviceRow<'wants'>) => (row.wants & REMOVE) !== 0,
  mustStop: (_dma: DmaApi, row: DeviceRow<'wants'>) => row.wants !== 0,
};

/** The interface is to be opened or closed, as its key `up` says; one that cannot stays closed. */
export const openNotes = {
  giveUp: sets('up', 0),
  noteUp: sets('up', 1),
  noteDown: sets('up', 0),
};
/** What a driver with ndo_open and ndo_stop adds. */
export const openActions = {
  ...openNotes,
  beginOpen: (_dma: DmaApi, row: LifeRow) => askFrom(row, row.probed, row.handles),
  beginClose: (_dma: DmaApi, row: LifeRow) => freeDown(row, row.probed, row.handles),
};
export const openGuards = {
  wantsUp: isOn('up'),
  wantsReset: (_dma: DmaApi, row: DeviceRow<'wants'>) => (row.wants & RESET) !== 0,
  mustStop: (_dma: DmaApi, row: DeviceRow<'wants' | 'up'>) => row.wants !== 0 || row.up === 0,
};

const to = (kind: string, state: string): string => `#${kind}.${state}`;

/** The states in which a device ends, those of a reset among them if it has any. */
export function endings(kind: string, resetting: object = {}) {
  return {
    unwinding: { entry: 'beginFreeAll', ...freeing(to(kind, 'failed')) },
    failed: {
      always: { guard: 'removing', target: to(kind, 'removed') },
      on: { START: to(kind, 'probing') },
    },
    ...resetting,
    removing: { entry: 'beginFreeAll', ...freeing(to(kind, 'removed')) },
    removed: { type: 'final' },
  } as const;
}

/** A chart that begins with the probe, and after it goes to the first of `states`. */
function chart(
  kind: string,
  { on, refused, states }: { on: object; refused: unknown; states: object },
) {
  const done = to(kind, Object.keys(states)[0]);
  return {
    id: kind,
    initial: 'off',
    on: { ...on, RESET: { actions: 'noteReset' }, REMOVE: { actions: 'noteRemoval' } },
    states: {
      off: { on: { START: 'probing' } },
      probing: { entry: 'beginProbe', ...asking({ done, refused }) },
      ...states,
      ...endings(kind, {
        resetting: { entry: 'beginFreeAll', ...freeing(to(kind, 'probing')) },
      }),
    },
  } as const;
}

/** Chart of a device that works from its probe on; `refused`: what REFUSED leads to there. */
export function life(kind: string, refused: unknown) {
  const states = {
    up: working(to(kind, 'stopped')),
    stopped: { always: [{ guard: 'removing', target: 'removing' }, 'resetting'] },
  };
  return chart(kind, { on: {}, refused, states });
}

/** Chart of a device that works while its interface is open. */
export function lifeWithOpen(kind: string, refused: unknown) {
  const states = {
    down: {
      always: [
        { guard: 'removing', target: 'removing' },
        { guard: 'wantsReset', target: 'resetting' },
        { guard: 'wantsUp', target: 'opening' },
      ],
    },
    opening: {
      entry: 'beginOpen',
      ...asking({ done: to(kind, 'up'), refused: to(kind, 'abandoning') }),
    },
    abandoning: { entry: ['giveUp', 'beginClose'], ...freeing(to(kind, 'down')) },
    up: working(to(kind, 'closing')),
    closing: { entry: 'beginClose', ...freeing(to(kind, 'down')) },
  };
  const on = { UP: { actions: 'noteUp' }, DOWN: { actions: 'noteDown' } };
  return chart(kind, { on, refused, states });
}

export const lifeTimeline = {
  RESET: { help: 'A reset: everything is freed and asked for again.', numbers: [] },
  REMOVE: { help: 'Unbinds the driver: everything is freed.', numbers: [] },
} as const;
export const openTimeline = {
  UP: { help: 'Opens the interface.', numbers: [] },
  DOWN: { help: 'Closes the interface.', numbers: [] },
  ...lifeTimeline,
} as const;

type OwnField = (typeof ownState)[number];

/** A device that lives like this: its memory, its batches, and what of it is different. */
export interface LifeDevice<Keys extends z.ZodRawShape, State extends string>
  extends Omit<TrafficDevice<Keys, State | OwnField>, 'machine' | 'state' | 'timeline'> {
  readonly state?: readonly State[];
  /** True for one with an interface to open, whose key `up` says whether it is. */
  readonly opens?: boolean;
  /** What REFUSED leads to in the probe; it fails unless given. */
  readonly refused?: readonly (string | object)[];
}

export function defineLifeDevice<Keys extends z.ZodRawShape, State extends string = never>(
  device: LifeDevice<Keys, State>,
): DeviceModel;
export function defineLifeDevice(
  device: LifeDevice<Record<'up', ReturnType<typeof flag>>, OwnField>,
): DeviceModel {
  const { opens = false, state = [], ...own } = device;
  const { refused = to(own.kind, 'unwinding') } = device;
  return defineTrafficDevice({
    ...own,
    state: [...state, ...ownState],
    machine: (opens ? lifeWithOpen : life)(own.kind, refused),
    actions: { ...lifeActions, ...(opens && openActions), ...own.actions },
    guards: { ...lifeGuards, ...(opens && openGuards), ...own.guards },
    timeline: opens ? openTimeline : lifeTimeline,
  });
}
