/**
 * A mistake in what was asked of a command, as opposed to in a file: one line, exit 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
