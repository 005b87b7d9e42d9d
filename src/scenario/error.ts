/**
 * The mistake of a scenario or a study, as one line: `file:line:col: what was found, what was
 * expected`.
 */

import { UserError } from '../text/userError.js';

export class ScenarioError extends UserError {
  override readonly name = 'ScenarioError';
}
