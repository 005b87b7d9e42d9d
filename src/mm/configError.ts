/** A kernel, a symbol or a value that does not exist: wrong input, one line naming it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
