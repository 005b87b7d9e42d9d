/**
 * The border at which errors of rooms and libraries that know no user become the user's mistakes:
 * of the configuration, of modules with devices of the user's own, of the file system.
 */

import { fileURLToPath } from 'node:url';
import { registeredModules } from '../devices/kit.js';
import { fileError } from '../files/fileError.js';
import { ConfigError } from '../mm/configError.js';
import { mistakeIn } from '../run/mistake.js';
import { UserError } from '../text/userError.js';
import { packageRoot } from './output.js';

/** Files that come with the command: no mistake of the user's makes one unreadable. */
const installed = ['dist/', 'node_modules/', 'package.json'].map((name) =>
  fileURLToPath(new URL(name, packageRoot)),
);

/** The error as the user's mistake, whoever noticed it; null: it is our bug. */
export function usersMistake(error: unknown): UserError | null {
  if (error instanceof ConfigError) return new UserError(null, error.message);
  const { path = 'a file' } = Object(error) as { path?: string };
  if (installed.some((ours) => path.startsWith(ours))) return null;
  const modules = registeredModules();
  const turned = fileError(path, modules.length > 0 ? mistakeIn(modules, error) : error, 'read');
  return turned instanceof UserError ? turned : null;
}
