/**
 * Makes the runs of a study one at a time, in whatever thread: scenario out of its document, run,
 * record.
 */

import { BootFailed } from '../run/plan.js';
import { parseScenario } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { UserError } from '../text/userError.js';
import type { Made, RunJob, RunOne } from './engine.js';
import { digestOf } from './identity.js';
import { failedRecord, recordOf } from './record.js';

/** Variants whose replications may come mixed; a scenario takes milliseconds to read. */
const scenariosMax = 16;

export class Maker {
  private readonly runOne: RunOne;
  private readonly scenarios = new Map<string, Scenario>();

  constructor(runOne: RunOne) {
    this.runOne = runOne;
  }

  /** Never rejects: what goes wrong is what came of the run. */
  async make(job: RunJob): Promise<Made> {
    const begun = performance.now();
    try {
      const record = await this.recordOf(job);
      return { record, wallMs: performance.now() - begun };
    } catch (error) {
      const { message, stack } = error as Error;
      const kind = error instanceof UserError ? 'input' : 'bug';
      const where = process.env.CMASIM_DEBUG ? `\n${stack}` : '';
      return { error: `${message ?? String(error)}${where}`, kind };
    }
  }

  private async recordOf(job: RunJob): Promise<string> {
    const base = this.scenario(job);
    const { seed } = job;
    const document = { ...base.document, seed };
    const scenario: Scenario = { ...base, name: job.scenario, seed, document };
    try {
      return JSON.stringify(recordOf(job.run, await this.runOne(scenario, job.warmupNs)));
    } catch (error) {
      if (!(error instanceof BootFailed)) throw error;
      const { kernel, policy, cmdline } = scenario;
      const machine = scenario.machine.name;
      const what = { scenario: scenario.name, kernel, policy, machine, cmdline, seed };
      return JSON.stringify(failedRecord(job.run, what, error.message));
    }
  }

  private scenario({ document, modules }: RunJob): Scenario {
    let scenario = this.scenarios.get(document);
    if (scenario === undefined) {
      for (const [path, digest] of Object.entries(modules)) checkModule(path, digest);
      scenario = parseScenario(document, 'scenario.yaml')[0];
      // The oldest goes; a Map keeps the order in which keys came.
      if (this.scenarios.size >= scenariosMax) {
        this.scenarios.delete(this.scenarios.keys().next().value!);
      }
      this.scenarios.set(document, scenario);
    }
    return scenario;
  }
}

/** Another machine may have another file at this path, or none. */
function checkModule(path: string, digest: string): void {
  let found: string;
  try {
    found = digestOf(path);
  } catch {
    throw new UserError({ file: path }, 'no such file where the run is made');
  }
  if (found === digest) return;
  throw new UserError({ file: path }, 'is another file where the run is made');
}
