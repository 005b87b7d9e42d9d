/**
 * What a host gives to the machines of one kind, and what it gets: one machine that acts for any
 * row.
 *
 * The lowered form (lowered.ts) and XState itself (interpreted.ts) stand behind the same interface,
 * so that a host cannot tell which of the two runs.
 */
import type { DmaApi } from '../dmaApi.js';
import type { Numbers } from '../model.js';
import type { RowView } from './row.js';

/** What every row begins with; the fields of the model follow the timers. */
export const header = {
  /** Index in `leaves`. */
  leaf: 0,
  /** Timers armed so far: the last token given out. */
  tokens: 1,
  /** One slot per `after` of the machine: token of the timer that runs, or 0. */
  timers: 2,
} as const;

/** A machine that goes on this long without an event will never stop. */
export const MICROSTEPS_MAX = 10_000;

export interface Surroundings {
  readonly dma: DmaApi;
  readonly row: RowView;
  readonly numbers: Numbers;
  /** Calls `fire` for this row with the token returned, after `delay` ns. */
  arm(delay: number): number;
}

/** The machines of one kind; every call acts for the row at `row.base`. */
export interface RunningChart {
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
