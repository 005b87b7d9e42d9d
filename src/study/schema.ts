/**
 * Keys of a study file, each with a sentence. Keys of a variant are the scenario's schema's
 * business: a variant is a scenario with other values.
 */

import type { Document } from 'yaml';
import { z } from 'zod';
import { expected, textValue, timeValue, wholeNumber } from '../machine/values.js';
import type { Source } from '../scenario/document.js';

const scalar = z.union([z.string(), z.number(), z.boolean()], expected('text or a number'));
const share = z
  .union([z.number(), z.string().regex(/^[0-9]+(\.[0-9]+)?%$/)], expected('0.95 or 95%'))
  .transform((value) => (typeof value === 'number' ? value : Number.parseFloat(value) / 100))
  .refine((value) => value > 0 && value < 1, 'not between 0 and 1, expected 0.95 or 95%');

const runCount = wholeNumber('1 to 1000000', 1, 1_000_000);

const axisName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a letter, then letters, digits and _');

const axisKeys = z.strictObject({
  key: textValue
    .optional()
    .describe(
      "Key of the scenario it sets, such as devices.nic0.count; the axis's name if left out.",
    ),
  values: z.array(scalar).min(1).optional().describe('The values, in order.'),
  from: scalar.optional().describe('First value of a range: a number, a size or a time.'),
  to: scalar.optional().describe('Last value of a range, at most.'),
  step: scalar.optional().describe('Added from value to value; 1 unless given.'),
  factor: z
    .number(expected('a number above 1'))
    .gt(1, expected('a number above 1'))
    .optional()
    .describe('Multiplied from value to value, instead of `step`.'),
});

const axis = z.union(
  [z.array(scalar).min(1), axisKeys],
  expected('a list of values, or a mapping with values, or with from and to'),
);

const replicationKeys = z.strictObject({
  at_least: wholeNumber('2 to 1000000', 2, 1_000_000)
    .optional()
    .describe('Before `until` is asked; 10.'),
  at_most: runCount.describe('However wide the intervals still are.'),
  step: runCount.optional().describe('Replications between two looks at `until`; 5 unless given.'),
});

/** A study file. */
export const studyKeys = z.strictObject({
  title: textValue.optional().describe('One line about what the study asks.'),
  scenario: z
    .union(
      [textValue, z.record(z.string(), z.unknown())],
      expected('a file, or the keys of a scenario'),
    )
    .describe('The scenario that is varied: a file, relative to this one, or its keys.'),
  set: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Keys of the scenario to set in every variant; `{axis}` stands for its value.'),
  axes: z
    .record(axisName, axis)
    .optional()
    .describe('What varies, by name: every combination of values is a variant.'),
  zip: z
    .array(z.array(textValue).min(2), expected('a list of lists of axes'))
    .optional()
    .describe('Groups of axes that move together, value by value, instead of in all combinations.'),
  where: z
    .array(textValue)
    .optional()
    .describe('Conditions on axes, such as `nics <= 4 or kernel == v2`; a variant must meet all.'),
  replications: z
    .union([runCount, replicationKeys], expected('a number, or at_least and at_most'))
    .optional()
    .describe('Runs of every variant, each with its own seed; 10 unless given.'),
  until: z
    .array(textValue)
    .optional()
    .describe('Enough replications: `dma_alloc_ns.p99 within 5%`, `refused within 0.5`; all hold.'),
  confidence: share.optional().describe('Of every interval; 95% unless given.'),
  quantiles: z
    .array(share)
    .optional()
    .describe('Quantiles over replications to estimate besides the mean; 50% unless given.'),
  seed: wholeNumber('0 to 4294967295', 0, 2 ** 32 - 1)
    .optional()
    .describe("Seed of the first replication; the scenario's unless given."),
  random: z
    .enum(['common', 'independent'], expected('common or independent'))
    .optional()
    .describe('Whether replication i of all variants has one seed; common unless given.'),
  warmup: timeValue
    .optional()
    .describe('Simulated time at the start of every run whose statistics are thrown away.'),
  labels: z
    .record(axisName, scalar)
    .optional()
    .describe('Words to find the study by among others: columns of its tables.'),
  baseline: z
    .record(axisName, scalar)
    .optional()
    .describe('Values of axes that make the variant each other one is compared with.'),
  show: z
    .array(textValue)
    .optional()
    .describe('Statistics of the printed table, such as nic.dma_alloc_ns.p99; files hold all.'),
});

type StudyKeys = z.output<typeof studyKeys>;
export type AxisKeys = z.output<typeof axis>;

/** A study file as it is read: its keys, and where each of them stands. */
export interface StudyFile {
  readonly source: Source;
  readonly keys: StudyKeys;
  readonly text: string;
  readonly document: Document;
}
