/**
 * `cmasim schema`: the JSON Schema of scenarios, for editors and for other programs that write
 * them.
 */

import { Command } from 'commander';
import { scenarioJsonSchema } from '../scenario/jsonSchema.js';
import { printJson } from './output.js';

export function schemaCommand(): Command {
  return new Command('schema')
    .summary('print the JSON Schema of scenario files')
    .description(
      'Prints the JSON Schema of scenario files, as scenarios/scenario.schema.json has it.',
    )
    .action(() => printJson(scenarioJsonSchema()));
}
