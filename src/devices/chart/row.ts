/**
 * Rows of a kind: the numbers of each device, by the names of their fields.
 *
 * A key of the configuration is a field of its own name, so that a model writes only what follows
 * from its keys.
 */
import { z } from 'zod';
import type { DeviceEnvironment, DeviceMemory } from '../memory.js';
import type { DeviceModel, DeviceRow } from '../model.js';

/** A window on one row. Setting `base` moves it to another device. */
export type RowView = DeviceRow & { rows: Float64Array; base: number };

/** Makes the view of a kind: one accessor per field, so that actions read and write `row.field`. */
export function rowView(fields: readonly string[], first: number): RowView {
  class View {
    rows = new Float64Array(0);
    base = 0;
  }
  for (const [index, field] of fields.entries()) {
    const slot = first + index;
    Object.defineProperty(View.prototype, field, {
      get(this: View): number {
        return this.rows[this.base + slot];
      },
      set(this: View, value: number) {
        this.rows[this.base + slot] = value;
      },
    });
  }
  // The accessors were defined a moment ago, by names the compiler cannot know.
  return new View() as unknown as RowView;
}

/** What a row is written from. */
export interface Configuration {
  readonly config: unknown;
  readonly environment: DeviceEnvironment;
  readonly memory: DeviceMemory;
  /** Keeps a list of numbers beside the rows; actions read it with `dma.kept()`. */
  keep(list: readonly number[]): number;
}

/** Writes a configuration into a row of zeros: its keys by name, then what follows from them. */
export function configureRow(model: DeviceModel, row: DeviceRow, from: Configuration): void {
  const { memory, environment, keep } = from;
  const config = from.config as Record<string, unknown>;
  for (const field of model.fields) {
    const value = config[field];
    if (typeof value === 'number') row[field] = value;
    else if (typeof value === 'boolean') row[field] = value ? 1 : 0;
    else if (typeof value === 'string') row[field] = positionOf(value, model.config.shape[field]);
    else if (Array.isArray(value) && value.length > 0) row[field] = keep(value as number[]);
  }
  if (model.fields.includes('handles')) row.handles = memory.handles;
  if (model.fields.includes('probed')) row.probed = memory.probed;
  model.configure?.(row, config, environment);
}

/** Position of a word among those its key may be; -1 where it may be any. */
function positionOf(word: string, schema: unknown): number {
  const inner = schema instanceof z.ZodDefault ? schema.unwrap() : schema;
  return inner instanceof z.ZodEnum ? inner.options.indexOf(word) : -1;
}
