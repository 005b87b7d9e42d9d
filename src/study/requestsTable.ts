/**
 * Every request of single runs as a table: the runs are made again for it, instead of all runs
 * being logged.
 */

import type { Placement } from '../run/placement.js';
import { runPlacements } from '../run/placements.js';
import { parseScenario } from '../scenario/load.js';
import { type TableColumn, writeTable } from '../tables/parquet.js';
import { requestColumns } from '../tables/requestColumns.js';
import { UserError } from '../text/userError.js';
import { variantColumns } from './runsTable.js';
import { type NeededRun, type Study, StudyRuns } from './study.js';

interface Row {
  readonly planned: NeededRun;
  readonly request: Placement;
}

/** Replication of a variant, from 0. */
export interface RunChoice {
  readonly variant: number;
  readonly replication: number;
}

/** Writes the requests of the chosen runs. Throws RangeError if the study has no such variant. */
export async function writeRequests(
  path: string,
  study: Study,
  choices: readonly RunChoice[],
): Promise<void> {
  const names = new StudyRuns(study);
  const planned = choices.map(({ variant, replication }) => {
    const found = study.variants[variant];
    const last = study.variants.length - 1;
    if (!found)
      throw new UserError(null, `variant ${variant} is not in the study, expected 0 to ${last}`);
    return names.at(found, replication);
  });
  await writeTable(path, columns(study), rows(planned));
}

async function* rows(runs: readonly NeededRun[]): AsyncGenerator<Row> {
  for (const planned of runs) {
    const { document, scenario: name } = planned.variant;
    const [scenario] = parseScenario(JSON.stringify(document), 'scenario.yaml');
    const { placements } = await runPlacements({ ...scenario!, name, seed: planned.seed });
    for (const request of placements) yield { planned, request };
  }
}

function columns(study: Study): TableColumn<Row>[] {
  return [
    ...variantColumns<Row>(study, ({ planned }) => planned.variant),
    { name: 'replication', type: 'INT32', of: ({ planned }) => planned.replication },
    { name: 'run', type: 'STRING', of: ({ planned }) => planned.run },
    ...requestColumns.map(({ name, type, of }): TableColumn<Row> => {
      return { name, type, of: ({ request }) => of(request) };
    }),
  ];
}
