/**
 * Words of one number each: what a program or an administrator asks for is noted in the row, and
 * done when the device gets to it.
 */
import type { DmaApi } from '../dmaApi.js';
import type { DeviceRow } from '../model.js';

/** An action that sets `field`. */
export const sets =
  <F extends string>(field: F, value: number) =>
  (_dma: DmaApi, row: DeviceRow<F>): void => {
    row[field] = value;
  };

/** A guard that holds while `field` is 1. */
export const isOn =
  <F extends string>(field: F) =>
  (_dma: DmaApi, row: DeviceRow<F>): boolean =>
    row[field] === 1;
