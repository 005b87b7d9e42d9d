/**
 * Errors of a chart: what of it cannot be lowered, and what it does wrong in a run.
 *
 * A chart is its author's, so whoever loads or runs one turns these into the user's mistake.
 */

/** A chart goes on for ever without an event; `stateId` is a state of the circle, or the chart. */
export class EndlessError extends Error {
  constructor(stateId: string, cause = 'always or raise in a circle') {
    super(`${stateId}: never settles (${cause})`);
  }
}

/** What went wrong in a device's turn, by the device's name; told as it was thrown. */
export class DeviceError extends Error {
  override readonly cause: unknown;
  readonly device: string;

  constructor(device: string, cause: unknown) {
    const { message = String(cause), stack = '' } = Object(cause) as Partial<Error>;
    super(message);
    this.stack = stack;
    this.device = device;
    this.cause = cause;
  }
}

/** What lower.ts does not do, and XState does without an actor system. */
const runsInXState = [
  'a parallel state',
  'a history state',
  'stateIn',
  'a transition with several targets',
  'raise with a delay (use after)',
  'after with the same delay twice',
  'after on the root',
  'output of a final state',
];

export class LoweringError extends Error {
  override readonly name = 'LoweringError';
  readonly stateId: string;
  readonly feature: string;

  constructor(stateId: string, feature: string) {
    super(`${stateId}: ${feature} cannot be lowered`);
    this.stateId = stateId;
    this.feature = feature;
  }

  /** True if XState itself can run it. */
  get runsInXState(): boolean {
    return runsInXState.includes(this.feature);
  }
}

export function nameOf(action: unknown): string {
  return typeof action === 'string' ? action : String((action as { type?: unknown }).type);
}
