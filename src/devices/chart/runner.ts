/**
 * What a host gives to the machines of one kind, and what it gets: one machine that acts for any
 * row.
 *
 * The lowered form (lowered.ts) and XState itself (interpreted.ts) stand behind the same interface,
 * so that a host cannot tell which of the two runs.
 */
import type { DmaApi } from '../dmaApi.js';
import type { Numbers, Row } from '../model.js';

/** What every row begins with; the fields of the model follow the timers. */
export const header = {
  /** Index in `leaves`. */
  leaf: 0,
  /** Timers armed so far: the last token given out. */
  tokens: 1,
  /** One slot per `after` of the machine: token of the timer that runs, or 0. */
  timers: 2,
} as const;

/** A window on one row. Setting `base` moves it to another device. */
export type RowView = Row & { rows: Float64Array; base: number };

export interface Surroundings {
  readonly dma: DmaApi;
  readonly row: RowView;
  readonly numbers: Numbers;
  /** Calls `fire` for this row with the token returned, after `delay` ns. */
  arm(delay: number): number;
}

/** The machines of one kind; every call acts for the row at `row.base`. */
export interface Machine {
  /** State ids by index. */
  readonly leaves: readonly string[];
  /** Event types by index. */
  readonly events: readonly string[];
  start(): void;
  send(event: number): void;
  /** A timer armed earlier is due; it may be stale. */
  fire(token: number): void;
  /** The state it is in: its id, or the value of states that are parallel. */
  where(): string;
}

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
