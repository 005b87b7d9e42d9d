/**
 * `cmasim kernels`: the releases and policies there are, and in which order each tries its sources.
 */

import { Command } from 'commander';
import { type PolicyRow, policies, stepWords } from '../mm/policy.js';
import { type Release, releases } from '../mm/release.js';
import { kernelNames } from '../scenario/resolve.js';
import { didYouMean } from '../scenario/suggest.js';
import { table } from '../text/table.js';
import { UserError } from '../text/userError.js';
import { print, printJson } from './output.js';

export function kernelsCommand(): Command {
  return new Command('kernels')
    .summary('list releases and policies; with ID, the order of attempts')
    .description(
      'Lists what --kernel takes: releases, and policies, which stand for the release they sit ' +
        'on. With ID: the sources an allocation tries and the owners a free asks, in order.',
    )
    .argument('[id]', 'a release or a policy')
    .option('--json', 'print one document instead of tables')
    .action((id: string | undefined, options: { json?: boolean }) => {
      if (options.json) printJson(document(id));
      else print((id === undefined ? list() : one(id)).join('\n'));
    });
}

function list(): string[] {
  return [
    ...table(
      ['release', 'policy', 'what it is'],
      releases.map(({ id, policy, title }) => [id, policy, title]),
    ),
    '',
    ...table(
      ['policy', 'on release', 'what it is'],
      policies.map(({ id, on, title }) => [id, on, title]),
    ),
  ];
}

function find(id: string): { release: Release | undefined; policy: PolicyRow } {
  const release = releases.find((row) => row.id === id);
  const policy = policies.find((row) => row.id === (release?.policy ?? id));
  if (policy) return { release, policy };
  throw new UserError(null, `kernel ${id} is not known, ${didYouMean(id, kernelNames())}`);
}

function one(id: string): string[] {
  const { release, policy } = find(id);
  const title = release ? [`release ${release.id}: ${release.title}`] : [];
  return [
    ...title,
    `policy ${policy.id} (on ${policy.on}): ${policy.title}`,
    'alloc tries, in this order:',
    ...policy.alloc.map((step, i) => `  ${i + 1}. ${step}`),
    'free asks, in this order:',
    ...policy.free.map((step, i) => `  ${i + 1}. ${step}`),
    '',
    ...table(['word', 'meaning'], wordsOf(policy)),
  ];
}

/** The words that the steps of a policy use, in the order of their meaning. */
function wordsOf({ alloc, free }: PolicyRow): [string, string][] {
  const used = new Set([...alloc, ...free].flatMap((step) => step.split(/ if |, /)));
  return Object.entries(stepWords).filter(([word]) => used.has(word));
}

function document(id: string | undefined): Record<string, unknown> {
  const format = 'cmasim-kernels/1';
  if (id === undefined) return { format, releases, policies };
  const { release, policy } = find(id);
  return { format, releases: release ? [release] : [], policies: [policy] };
}
