/**
 * What may stand in a scenario: every key with a sentence, which is also its help and its entry in
 * the JSON Schema, in base units from here on. What one key means for another (a node that the
 * machine does not have) is in resolve.ts.
 */

import { z } from 'zod';
import { deviceKeys } from '../devices/deviceKeys.js';
import { machineKeys } from '../machine/keys.js';
import {
  anySize,
  expected,
  flagValue,
  nodeOrNone,
  nodeValue,
  textValue,
  timeValue,
  unlessGiven,
  wholeNumber,
} from '../machine/values.js';
import { costParameters } from '../mm/alloc/cost.js';
import { Bytes, Ns } from '../mm/units.js';

const at = timeValue.describe('Simulated time at which it happens.');
const device = z
  .string(expected('the name of a device'))
  .describe('A device, or a declaration of several: all of them.');
const memoryVerb = <Verb extends string>(verb: Verb, help: string) =>
  z
    .strictObject({
      at,
      do: z.literal(verb),
      node: nodeValue.describe('Node whose free memory it is.'),
      size: anySize.describe('How much.'),
    })
    .describe(help);
const timelineEntry = z.discriminatedUnion(
  'do',
  [
    z
      .strictObject({
        at,
        do: z.literal('write'),
        device,
        numa_node: nodeOrNone.describe('What root writes: an online node, or -1.'),
      })
      .describe("Writes a device's numa_node attribute; nothing that it holds is moved."),
    z
      .strictObject({
        at,
        do: z.literal('send'),
        device,
        event: z
          .string(expected('the name of an event'))
          .describe('An event of the kind: `cmasim devices KIND` lists them.'),
        value: z
          .union([z.number(), z.array(z.number())], expected('a number or a list'))
          .optional()
          .describe('The numbers the event carries.'),
      })
      .describe('Sends an event to a device.'),
    memoryVerb(
      'take',
      'Takes free memory of a node away, that much or all there is; areas keep theirs.',
    ),
    memoryVerb('give', 'Gives back memory that was taken, last taken first.'),
  ],
  expected('do: write, send, take or give'),
);

const aShare = expected('a share such as 30% or 0.3');
/** 0 to 1. */
const share = z
  .union([z.string().regex(/^[0-9]+(\.[0-9]+)?(e-[0-9]+)?%$/, aShare), z.number(aShare)], aShare)
  .transform((value) => (typeof value === 'number' ? value : Number.parseFloat(value) / 100))
  .refine((value) => value >= 0 && value <= 1, 'expected a share from 0 to 100%');

const movablePages = z.strictObject({
  unmovable: unlessGiven(anySize, Bytes(0)).describe(
    'What cannot be moved: kernel, drivers, page tables.',
  ),
  movable: z
    .union(
      [share.transform((ofNode) => ({ ofNode })), anySize],
      expected('a size such as 16G, or a share such as 60%'),
    )
    .optional()
    .describe("Page cache and anonymous memory; a share is one of the node's memory."),
  cma: share
    .optional()
    .transform((given): number | null => given ?? null)
    .describe(
      "Share of the node's CMA pages they hold at the start; by the kernel's rule unless given.",
    ),
  clean: unlessGiven(share, 0).describe(
    'Share that is clean page cache: dropped, not copied. None.',
  ),
  renew: unlessGiven(timeValue, Ns(0)).describe(
    'Mean time until such a page is freed and another asked for; never unless given.',
  ),
  pinned: unlessGiven(share, 0).describe('Share that is pinned at any time; none unless given.'),
  pin: unlessGiven(timeValue, Ns(1e6)).describe(
    'How long a pin lasts on average; 1ms unless given.',
  ),
});

const reservedRegion = z.strictObject({
  size: anySize.describe('Bytes; a multiple of the smallest area.'),
  node: nodeValue.optional().describe('Node whose memory it takes; any unless given.'),
  base: anySize.optional().describe('Address at which it begins; anywhere unless given.'),
  default: flagValue
    .optional()
    .describe('Whether it is the default area (linux,cma-default); a cma= wins over it.'),
});

const policyKeys = z.strictObject({
  alloc: z
    .array(textValue)
    .min(1)
    .describe('`SOURCE if CONDITION, …`: the sources, in the order they are tried.'),
  free: z
    .array(textValue)
    .min(1)
    .describe('`OWNER if CONDITION, …`: who is asked to take pages back.'),
});

/** A second is far beyond every cost there is, and sums of it stay exact. */
const aCost = z
  .number(expected('a number from 0 to 1e9'))
  .min(0, expected('a number from 0 to 1e9'))
  .max(1e9, expected('a number from 0 to 1e9'));

const costs = z.strictObject(
  Object.fromEntries(
    costParameters.map(({ name, unit, source }) => [
      name,
      aCost.exactOptional().describe(`${source} (${unit}).`),
    ]),
  ),
);

/** One document of a scenario file. */
export const scenarioKeys = z.strictObject({
  title: unlessGiven(textValue, '').describe('One line about this scenario or this variant.'),
  kernel: z
    .string(expected('a release or a policy, such as 6.12 or v2'))
    .describe('A release or a policy of `cmasim kernels`: 6.12, v2, pre.'),
  policy: z
    .union([textValue, policyKeys], expected('the name of a policy, or its alloc and free steps'))
    .optional()
    .describe("Order of attempts, if not the kernel's own: a policy's name, or its text."),
  config: unlessGiven(
    z.record(
      z.string(),
      z.union([textValue, z.number(), z.boolean()], expected('a Kconfig value')),
    ),
    {},
  ).describe("Kconfig symbols that differ from the release's defaults, with or without CONFIG_."),
  machine: z
    .union([textValue, machineKeys], expected('a preset, a file, or the keys of a machine'))
    .describe('The hardware: a preset of `cmasim machines`, a file of machine keys, or the keys.'),
  cost: unlessGiven(costs, {}).describe(
    'Numbers of the time model that differ from their defaults.',
  ),
  cmdline: unlessGiven(textValue, '').describe('The kernel command line, verbatim.'),
  reserved_memory: unlessGiven(
    z.record(
      z.string().regex(/^[A-Za-z0-9,._+@-]+$/, 'expected the name of a device tree node'),
      reservedRegion,
    ),
    {},
  ).describe('CMA areas that firmware reserves before all others; devices use one with `area:`.'),
  modules: unlessGiven(z.array(textValue), []).describe(
    'Modules with device models of your own; paths are relative to this file.',
  ),
  devices: unlessGiven(
    z.record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a letter or _, then letters, digits and _'),
      deviceKeys.loose(),
    ),
    {},
  ).describe('The devices, by name.'),
  pressure: unlessGiven(
    z.record(
      z.string().regex(/^(0|[1-9][0-9]*|all)$/, 'expected a node id or all'),
      z.union([anySize, movablePages], expected('a size such as 64K, 16M, 1G, or keys')),
    ),
    {},
  ).describe(
    'Memory of a node (or of `all`) that programs hold: a size that stays, or what of it moves.',
  ),
  timeline: unlessGiven(z.array(timelineEntry), []).describe(
    'What happens from outside, and when.',
  ),
  seed: unlessGiven(wholeNumber('0 to 4294967295', 0, 2 ** 32 - 1), 1).describe(
    'Start of all random streams; 1 unless given.',
  ),
  stop: unlessGiven(
    timeValue.refine((ns) => ns > 0, 'the run has no length, expected more than 0'),
    Ns(10e6),
  ).describe('Simulated time at which the run ends; 10ms unless given.'),
  expect: unlessGiven(z.array(textValue), []).describe(
    'What must hold at the end: `smmu.cmd_sync_ns within 5% of 240ns`, `refused == 0`.',
  ),
});

export type ScenarioKeys = z.output<typeof scenarioKeys>;
