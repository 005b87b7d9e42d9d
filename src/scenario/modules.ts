/**
 * Loads the modules a scenario names, so that the kinds they define are known before it is read on.
 */

import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { registerModule } from '../devices/kit.js';
import type { Source } from './document.js';

const require = createRequire(import.meta.url);

/** URLs of the modules, loaded. Throws ScenarioError at the one that cannot be. */
export function loadModules(source: Source, modules: readonly string[]): string[] {
  return modules.map((path, i) => {
    const place = source.place(['modules', i]);
    const file = resolve(place.line === undefined ? '.' : dirname(place.file), path);
    const url = pathToFileURL(file).href;
    try {
      registerModule(url, require(file) as { default?: unknown });
    } catch (error) {
      throw source.error(
        ['modules', i],
        `${path}: ${reason(error as NodeJS.ErrnoException, file)}`,
      );
    }
    return url;
  });
}

/** The first line of what went wrong, without Node's own vocabulary where it is common. */
function reason(error: NodeJS.ErrnoException, file: string): string {
  const [first = ''] = error.message.split('\n');
  if (error.code === 'MODULE_NOT_FOUND' && first.includes(file)) return 'no such file';
  if (error.code === 'ERR_REQUIRE_ASYNC_MODULE') return 'await at its top level, expected none';
  const name = error instanceof SyntaxError ? 'no JavaScript, ' : '';
  return `${name}${first.slice(0, 1).toLowerCase()}${first.slice(1)}`;
}
