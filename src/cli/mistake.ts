/**
 * The border at which errors of rooms and libraries that know no user become the user's mistakes.
 */

import { fileError } from '../files/fileError.js';
import { ConfigError } from '../mm/configError.js';
import { UserError } from '../text/userError.js';

/** The error as the user's mistake, whoever noticed it; null: it is our bug. */
export function usersMistake(error: unknown): UserError | null {
  if (error instanceof ConfigError) return new UserError(null, error.message);
  const { path = 'a file' } = Object(error) as { path?: string };
  const turned = fileError(path, error, 'read');
  return turned instanceof UserError ? turned : null;
}
