/**
 * The error that says what of a chart cannot be lowered, and whether XState itself can run it.
 */

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
