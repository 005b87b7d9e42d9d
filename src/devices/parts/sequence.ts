/**
 * Handles one after another: asked for from `cursor` up to `stop`, freed from `cursor` down to it.
 *
 * What every driver's probe and its error path do. A handle is asked for as the model's memory
 * says, unless the device has an action `allocate` of its own.
 */
import type { DmaApi } from '../dmaApi.js';
import type { DeviceRow } from '../model.js';

export const sequenceState = ['cursor', 'stop'] as const;
type Cursor = DeviceRow<(typeof sequenceState)[number]>;

/** Asks for the handles [first, end). */
export function askFrom(row: Cursor, first: number, end: number): void {
  row.cursor = first;
  row.stop = end;
}

/** Frees what is held of the handles [first, end), the last first. */
export function freeDown(row: Cursor, first: number, end: number): void {
  row.cursor = end - 1;
  row.stop = first;
}

export const sequenceActions = {
  allocate: (dma: DmaApi, row: Cursor) => dma.alloc(row.cursor),
  next: (_dma: DmaApi, row: Cursor) => {
    row.cursor++;
  },
  freeNext: (dma: DmaApi, row: Cursor) => {
    while (row.cursor >= row.stop && !dma.free(row.cursor)) row.cursor--;
  },
};
export const sequenceGuards = {
  hasMore: (_dma: DmaApi, row: Cursor) => row.cursor < row.stop,
  allFreed: (_dma: DmaApi, row: Cursor) => row.cursor < row.stop,
};

/** States that ask; `refused` is what REFUSED leads to. */
export function asking<Refused>(ends: { readonly done: string; readonly refused: Refused }) {
  return {
    initial: 'deciding',
    states: {
      deciding: { always: [{ guard: 'hasMore', target: 'asking' }, ends.done] },
      asking: {
        entry: 'allocate',
        on: { GRANTED: { target: 'deciding', actions: 'next' }, REFUSED: ends.refused },
      },
    },
  } as const;
}

/** States that free. */
export function freeing(done: string) {
  return {
    initial: 'freeing',
    states: {
      freeing: {
        entry: 'freeNext',
        always: { guard: 'allFreed', target: done },
        on: { FREED: { target: 'freeing', reenter: true } },
      },
    },
  } as const;
}
