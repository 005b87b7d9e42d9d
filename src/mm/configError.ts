/**
 * The mistake of a configuration: a kernel, a symbol or a value that does not exist, in one line
 * that names it.
 */

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
