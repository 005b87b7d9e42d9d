/**
 * `cmasim why RUN [ID]`: one request of a run, explained; without ID, the requests there are.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { RequestRow } from '../explain/explained.js';
import { requestsText, whyText } from '../explain/text.js';
import { NoSuchRequest, requestsOf, why } from '../explain/why.js';
import { ScenarioError } from '../scenario/error.js';
import { loadScenario } from '../scenario/load.js';
import type { Scenario } from '../scenario/scenario.js';
import { print, printJson } from './output.js';

interface WhyOptions {
  readonly refused?: boolean;
  readonly remote?: boolean;
  readonly by: 'time' | 'took' | 'size';
  readonly limit: number;
  readonly json?: boolean;
}

export function whyCommand(): Command {
  return new Command('why')
    .summary('explain one request of a run: attempts, bitmap, time by part')
    .description(
      'Repeats a run and watches one request: every step of the policy and why it was not taken, the ' +
        'bitmap where it looked, its time by part. RUN is a directory of `run -o`, or a scenario (FILE, ' +
        'or FILE#2 for its second document). Without ID it lists requests.',
    )
    .argument('<run>', 'run directory or scenario')
    .argument('[id]', 'request, such as nic0#12')
    .option('--refused', 'list refused requests only')
    .option('--remote', 'list requests served from another node only')
    .addOption(
      new Option('--by <what>', 'order of the list: largest first, or as time goes')
        .choices(['time', 'took', 'size'])
        .default('took'),
    )
    .option('--limit <count>', 'length of the list', limit, 20)
    .option('--json', 'print one document instead of text')
    .action(explainRequest);
}

function limit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`${text}, expected a number from 1`);
}

interface Repeatable {
  readonly scenario: Scenario;
  readonly interpreted: boolean;
  /** Of the run that is repeated; null: none is recorded, or it was interrupted. */
  readonly fingerprint: string | null;
}

async function explainRequest(
  path: string,
  id: string | undefined,
  options: WhyOptions,
): Promise<void> {
  const run = repeatable(path);
  if (id === undefined) return listRequests(path, run, options);
  try {
    const explained = await why(run.scenario, id, run.interpreted);
    sameRun(path, run, explained.fingerprint);
    if (options.json) printJson({ format: 'cmasim-why/1', ...explained });
    else print(whyText(explained));
  } catch (error) {
    if (error instanceof NoSuchRequest) throw new ScenarioError({ file: path }, error.message);
    throw error;
  }
}

async function listRequests(path: string, run: Repeatable, options: WhyOptions): Promise<void> {
  const { requests, fingerprint } = await requestsOf(run.scenario, run.interpreted);
  sameRun(path, run, fingerprint);
  const chosen = requests.filter(
    (one) =>
      (!options.refused || one.from === 'refused') &&
      (!options.remote || (one.nid >= 0 && !one.local)),
  );
  const shown = chosen.sort(orders[options.by]).slice(0, options.limit);
  if (options.json) printJson({ format: 'cmasim-why/1', requests: shown, total: chosen.length });
  else print(requestsText({ requests: shown, fingerprint }, chosen.length));
}

const orders: Readonly<Record<WhyOptions['by'], (a: RequestRow, b: RequestRow) => number>> = {
  time: (a, b) => a.askedNs - b.askedNs,
  took: (a, b) => (b.tookNs ?? 0) - (a.tookNs ?? 0),
  size: (a, b) => b.size - a.size,
};

/** A repeated run that is not the run explains something else. */
function sameRun(path: string, { fingerprint }: Repeatable, repeated: string): void {
  if (fingerprint === null || fingerprint === repeated) return;
  throw new ScenarioError(
    { file: path },
    `fingerprint ${fingerprint} in manifest.json, but ${repeated} now, expected the cmasim that made the run`,
  );
}

function repeatable(path: string): Repeatable {
  if (existsSync(path) && statSync(path).isDirectory()) return runDirectory(path);
  const m = /^(.*)#(\d+)$/.exec(path);
  const scenarios = loadScenario(m && !existsSync(path) ? m[1] : path);
  const number = m && !existsSync(path) ? Number(m[2]) : 1;
  const scenario = scenarios[number - 1];
  if (!scenario || (scenarios.length > 1 && !m)) {
    const expected = scenarios.map((_, i) => `#${i + 1}`).join(', ');
    const found = scenario ? 'several documents' : `no document ${number}`;
    throw new ScenarioError({ file: path }, `${found}, expected the file with ${expected}`);
  }
  return { scenario, interpreted: false, fingerprint: null };
}

function runDirectory(path: string): Repeatable {
  const file = join(path, 'manifest.json');
  if (!existsSync(file)) {
    throw new ScenarioError({ file: path }, 'no manifest.json, expected a directory of run -o');
  }
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
    devices?: string;
    interrupted?: boolean;
    fingerprint?: string;
  };
  const [scenario] = loadScenario(join(path, 'scenario.yaml'));
  return {
    scenario: scenario!,
    interpreted: manifest.devices === 'interpreted',
    fingerprint: manifest.interrupted ? null : (manifest.fingerprint ?? null),
  };
}
