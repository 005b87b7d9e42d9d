/**
 * `cmasim why RUN [ID]`: one request of a run, explained; without ID, the requests there are.
 */

import { Command, Option } from 'commander';
import { requestDocument, whyDocument } from '../explain/explained.js';
import { requestsText, whyText } from '../explain/text.js';
import { NoSuchRequest, requestsOf, why } from '../explain/why.js';
import { isLocal, type Placement, took } from '../run/placement.js';
import { UserError } from '../text/userError.js';
import { countUpTo } from './options.js';
import { print, printJson } from './output.js';
import { type Repeatable, repeatable, sameRun } from './workload.js';

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
      'Repeats a run and watches one request: every step of the policy and why it was not ' +
        'taken, the ' +
        'bitmap where it looked, its time by part. RUN is a directory of `run -o`, or a ' +
        'scenario (FILE, ' +
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
    .option('--limit <count>', 'length of the list', countUpTo(1_000_000), 20)
    .option('--json', 'print one document instead of text')
    .action(explainRequest);
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
    sameRun(path, run.fingerprint, explained.fingerprint);
    if (options.json) printJson(whyDocument(explained));
    else print(whyText(explained));
  } catch (error) {
    if (error instanceof NoSuchRequest) throw new UserError({ file: path }, error.message);
    throw error;
  }
}

async function listRequests(path: string, run: Repeatable, options: WhyOptions): Promise<void> {
  const { requests, fingerprint } = await requestsOf(run.scenario, run.interpreted);
  sameRun(path, run.fingerprint, fingerprint);
  const chosen = requests.filter(
    (one) =>
      (!options.refused || (one.role === 'refused' && !Number.isNaN(one.settled))) &&
      (!options.remote || (one.nid >= 0 && !isLocal(one))),
  );
  const shown = chosen.sort(orders[options.by]).slice(0, options.limit);
  if (options.json) {
    const documents = shown.map(requestDocument);
    printJson({ format: 'cmasim-why/1', requests: documents, total: chosen.length });
  } else print(requestsText({ requests: shown, fingerprint }, chosen.length));
}

const orders: Readonly<Record<WhyOptions['by'], (a: Placement, b: Placement) => number>> = {
  time: (a, b) => a.issued - b.issued,
  took: (a, b) => (took(b) || 0) - (took(a) || 0),
  size: (a, b) => b.bytes - a.bytes,
};
