/**
 * The life of a driver that asks for all it needs in one go: probe, work, reset, removal.
 *
 * What probe was granted before a refusal goes back in reverse order, and the probe fails. Drivers
 * with an interface to open ask for a second lot when it is opened. The device's own words say what
 * a handle is for (`allocate`) and what a batch does (`beginBatch`, `finishBatch`).
 */
import type { DmaApi } from '../dmaApi.js';
import type { DeviceRow } from '../model.js';
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

/** `probed`: handles of the probe; those from there to `handles` come with open. */
export const lifeState = ['handles', 'probed', 'wants', ...sequenceState, ...trafficState] as const;
type LifeRow = DeviceRow<(typeof lifeState)[number] | keyof TrafficConfig>;

const RESET = 1;
const REMOVE = 2;

export const lifeActions = {
  ...trafficActions,
  ...sequenceActions,
  beginProbe: (_dma: DmaApi, row: LifeRow) => {
    row.wants &= ~RESET;
    askFrom(row, 0, row.probed);
  },
  beginFreeAll: (_dma: DmaApi, row: LifeRow) => freeDown(row, 0, row.handles),
  noteReset: (_dma: DmaApi, row: LifeRow) => {
    row.wants |= RESET;
  },
  noteRemoval: (_dma: DmaApi, row: LifeRow) => {
    row.wants |= REMOVE;
  },
};

export const lifeGuards = {
  ...trafficGuards,
  ...sequenceGuards,
  removing: (_dma: DmaApi, row: LifeRow) => (row.wants & REMOVE) !== 0,
  mustStop: (_dma: DmaApi, row: LifeRow) => row.wants !== 0,
};

/** What a driver with ndo_open and ndo_stop adds; its key `up` says whether it is opened. */
type OpenRow = LifeRow & DeviceRow<'up'>;

export const openActions = {
  beginOpen: (_dma: DmaApi, row: OpenRow) => askFrom(row, row.probed, row.handles),
  beginClose: (_dma: DmaApi, row: OpenRow) => freeDown(row, row.probed, row.handles),
  giveUp: (_dma: DmaApi, row: OpenRow) => {
    row.up = 0;
  },
  noteUp: (_dma: DmaApi, row: OpenRow) => {
    row.up = 1;
  },
  noteDown: (_dma: DmaApi, row: OpenRow) => {
    row.up = 0;
  },
};
export const openGuards = {
  wantsUp: (_dma: DmaApi, row: OpenRow) => row.up === 1,
  wantsReset: (_dma: DmaApi, row: OpenRow) => (row.wants & RESET) !== 0,
  mustStop: (_dma: DmaApi, row: OpenRow) => row.wants !== 0 || row.up === 0,
};

const ends = (kind: string) => {
  const at = (state: string): string => `#${kind}.${state}`;
  return {
    unwinding: { entry: 'beginFreeAll', ...freeing(at('failed')) },
    failed: { always: { guard: 'removing', target: at('removed') }, on: { START: at('probing') } },
    resetting: { entry: 'beginFreeAll', ...freeing(at('probing')) },
    removing: { entry: 'beginFreeAll', ...freeing(at('removed')) },
    removed: { type: 'final' },
  } as const;
};

/** Chart of a device that works from its probe on; `refused`: what REFUSED leads to there. */
export function life<Refused>(kind: string, refused: Refused) {
  const at = (state: string): string => `#${kind}.${state}`;
  return {
    id: kind,
    initial: 'off',
    on: { RESET: { actions: 'noteReset' }, REMOVE: { actions: 'noteRemoval' } },
    states: {
      off: { on: { START: 'probing' } },
      probing: { entry: 'beginProbe', ...asking({ done: at('up'), refused }) },
      up: working(at('stopped')),
      stopped: { always: [{ guard: 'removing', target: 'removing' }, 'resetting'] },
      ...ends(kind),
    },
  } as const;
}

/** Chart of a device that works while its interface is open. */
export function lifeWithOpen<Refused>(kind: string, refused: Refused) {
  const at = (state: string): string => `#${kind}.${state}`;
  return {
    id: kind,
    initial: 'off',
    on: {
      UP: { actions: 'noteUp' },
      DOWN: { actions: 'noteDown' },
      RESET: { actions: 'noteReset' },
      REMOVE: { actions: 'noteRemoval' },
    },
    states: {
      off: { on: { START: 'probing' } },
      probing: { entry: 'beginProbe', ...asking({ done: at('down'), refused }) },
      down: {
        always: [
          { guard: 'removing', target: 'removing' },
          { guard: 'wantsReset', target: 'resetting' },
          { guard: 'wantsUp', target: 'opening' },
        ],
      },
      opening: { entry: 'beginOpen', ...asking({ done: at('up'), refused: at('abandoning') }) },
      abandoning: { entry: ['giveUp', 'beginClose'], ...freeing(at('down')) },
      up: working(at('closing')),
      closing: { entry: 'beginClose', ...freeing(at('down')) },
      ...ends(kind),
    },
  } as const;
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
