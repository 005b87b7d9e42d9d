/**
 * What may stand in a scenario: every key with a sentence, which is also its help and its entry in
 * the JSON Schema. What one key means for another (a node that the machine does not have) is in
 * resolve.ts.
 */

import { z } from 'zod';
import { expected, sizeValue, timeValue } from '../devices/parts/keys.js';
import { costParameters } from '../mm/alloc/cost.js';
import { parseSize } from '../mm/units.js';

/** A size in bytes. */
export const size = sizeValue(0, '64K, 16M, 1G');
/** A time in whole ns. */
export const time = timeValue;

const whole = (what: string, least = 0, most = Number.MAX_SAFE_INTEGER) =>
  z.int(expected(what)).min(least, expected(what)).max(most, expected(what));
const positive = (what: string) => z.number(expected(what)).positive(expected(what));
const text = z.string(expected('text'));
/** NR_CPUS of the largest configurations is 8192. */
const cpuCount = whole('a number of CPUs, 0 to 8192', 0, 8192);
const node = whole('a node id');
const nodeOrNone = whole('a node id or -1', -1);

const matrix = (what: string) =>
  z.array(
    z.array(z.number(expected(what)), expected('a row of numbers')),
    expected('a list of rows'),
  );
const perNode = <T extends z.ZodType>(one: T, what: string) =>
  z.union([one, z.array(one)], expected(`${what}, or a list of one per node`));

const memoryRange = z
  .string(expected('a range such as 2G-4G'))
  .regex(/^[0-9a-fA-FxX]+[KMGTP]?-[0-9a-fA-FxX]+[KMGTP]?$/i, expected('a range such as 2G-4G'))
  .transform((value, context): [number, number] => {
    const [start, end] = value.split('-').map(parseSize);
    if (start !== undefined && end !== undefined) return [start, end];
    context.addIssue(`${value}, expected a range such as 2G-4G`);
    return z.NEVER;
  });

const machineNode = z.strictObject({
  nid: node.optional().describe('Id of the node; its position in the list unless given.'),
  memory: z
    .union([size, z.array(memoryRange)], expected('a size such as 4G, or ranges such as [2G-4G]'))
    .optional()
    .describe('RAM: a size, laid out after the nodes before it, or ranges of physical addresses.'),
  cpus: cpuCount.optional().describe('CPUs of the node; 0 for memory alone.'),
  online: z
    .boolean(expected('true or false'))
    .optional()
    .describe('Online at boot; true unless given.'),
});

/** The keys of a machine, in a scenario or in a file of its own. */
export const machineKeys = z.strictObject({
  preset: text.optional().describe('A machine of `cmasim machines`, changed by the other keys.'),
  name: text.optional().describe('How reports call the machine.'),
  arch: z
    .enum(['arm64', 'x86'], expected('arm64 or x86'))
    .optional()
    .describe('Architecture; arm64 unless given. It decides the order of the boot and the zones.'),
  page: size.optional().describe('Page size: 4K, 16K or 64K; 4K unless given.'),
  nodes: z
    .union(
      [whole('1 to 1024 nodes', 1, 1024), z.array(machineNode)],
      expected('a number or a list'),
    )
    .optional()
    .describe('NUMA nodes: how many, or a list of them.'),
  memory: perNode(size, 'a size such as 4G').optional().describe('RAM per node; 4G unless given.'),
  cpus: perNode(cpuCount, 'a number').optional().describe('CPUs per node; 16 unless given.'),
  distance: matrix('a SLIT distance')
    .optional()
    .describe(
      'SLIT, one row per node, local 10; it orders zonelists and nothing else. 10/20 unless given.',
    ),
  latency: matrix('a latency in ns')
    .optional()
    .describe(
      'Idle load latency in ns, one row per node; 10 ns per unit of distance unless given.',
    ),
  on_die: positive('ns, more than 0')
    .optional()
    .describe("A cache line's round trip on one die in ns; 60 unless given."),
  bandwidth: perNode(positive('GB/s, more than 0'), 'GB/s')
    .optional()
    .describe('GB/s of each memory controller; 40.'),
  link_bandwidth: perNode(positive('GB/s, more than 0'), 'GB/s')
    .optional()
    .describe('GB/s of all links into a node together; half of its bandwidth unless given.'),
  chassis: z
    .strictObject({
      count: whole('1 to 1024 chassis', 1, 1024).describe('Chassis, all alike.'),
      nodes: whole('1 to 1024 nodes', 1, 1024).describe(
        'Nodes in each; the matrices describe one.',
      ),
      link: time.describe('One way between two chassis; both ways are added to the latency.'),
    })
    .optional()
    .describe('A machine of several chassis; stands instead of `nodes`.'),
});

/** Keys every device has, whatever its kind; the kind's own keys stand beside them. */
export const deviceKeys = z.looseObject({
  kind: z
    .string(expected('a kind of `cmasim devices`'))
    .describe('What the device is; `cmasim devices` lists the kinds.'),
  node: z
    .union(
      [node, z.literal('all'), z.array(node).min(1)],
      expected('a node id, a list of them, or all'),
    )
    .optional()
    .describe(
      'Node it is plugged into; a list, or `all` (that have CPUs), makes one on each. 0 unless given.',
    ),
  count: whole('1 to 100000 devices', 1, 100_000)
    .optional()
    .describe('Devices per node; 1 unless given.'),
  numa_node: nodeOrNone
    .optional()
    .describe('The numa_node attribute, dev_to_node(); -1 for none, its node unless given.'),
  start: time.optional().describe('When it is probed; at once unless given.'),
  area: text
    .optional()
    .describe(
      'Its own CMA area, dev->cma_area, by name: reserved, pernuma1, numa0; none unless given.',
    ),
  iommu: z
    .enum(['direct', 'passthrough', 'translated'], expected('direct, passthrough or translated'))
    .optional()
    .describe(
      'What stands between it and memory; with an SMMU on its node translated, unless the command line says iommu.passthrough=1, otherwise direct.',
    ),
  mask: whole('24 to 64 bits', 24, 64)
    .optional()
    .describe('Bits of its coherent DMA mask; 64 unless given.'),
});

const at = time.describe('Simulated time at which it happens.');
const device = z
  .string(expected('the name of a device'))
  .describe('A device, or a declaration of several: all of them.');
const memoryVerb = <Verb extends string>(verb: Verb, help: string) =>
  z
    .strictObject({
      at,
      do: z.literal(verb),
      node: node.describe('Node whose free memory it is.'),
      size: size.describe('How much.'),
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
  unmovable: size.optional().describe('What cannot be moved: kernel, drivers, page tables.'),
  movable: z
    .union([share, size], expected('a size such as 16G, or a share such as 60%'))
    .optional()
    .describe("Page cache and anonymous memory; a share is one of the node's memory."),
  cma: share
    .optional()
    .describe(
      "Share of the node's CMA pages they hold at the start; by the kernel's rule unless given.",
    ),
  clean: share.optional().describe('Share that is clean page cache: dropped, not copied. None.'),
  renew: time
    .optional()
    .describe('Mean time until such a page is freed and another asked for; never unless given.'),
  pinned: share.optional().describe('Share that is pinned at any time; none unless given.'),
  pin: time.optional().describe('How long a pin lasts on average; 1ms unless given.'),
});

const reservedRegion = z.strictObject({
  size: size.describe('Bytes; a multiple of the smallest area.'),
  node: node.optional().describe('Node whose memory it takes; any unless given.'),
  base: size.optional().describe('Address at which it begins; anywhere unless given.'),
  default: z
    .boolean(expected('true or false'))
    .optional()
    .describe('Whether it is the default area (linux,cma-default); a cma= wins over it.'),
});

const policyKeys = z.strictObject({
  alloc: z
    .array(text)
    .min(1)
    .describe('`SOURCE if CONDITION, …`: the sources, in the order they are tried.'),
  free: z.array(text).min(1).describe('`OWNER if CONDITION, …`: who is asked to take pages back.'),
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
      aCost.optional().describe(`${source} (${unit}).`),
    ]),
  ),
);

/** One document of a scenario file. */
export const scenarioKeys = z.strictObject({
  title: text.optional().describe('One line about this scenario or this variant.'),
  kernel: z
    .string(expected('a release or a policy, such as 6.12 or v2'))
    .describe('A release or a policy of `cmasim kernels`: 6.12, v2, pre.'),
  policy: z
    .union([text, policyKeys], expected('the name of a policy, or its alloc and free steps'))
    .optional()
    .describe("Order of attempts, if not the kernel's own: a policy's name, or its text."),
  config: z
    .record(z.string(), z.union([text, z.number(), z.boolean()], expected('a Kconfig value')))
    .optional()
    .describe("Kconfig symbols that differ from the release's defaults, with or without CONFIG_."),
  machine: z
    .union([text, machineKeys], expected('a preset, a file, or the keys of a machine'))
    .describe('The hardware: a preset of `cmasim machines`, a file of machine keys, or the keys.'),
  cost: costs.optional().describe('Numbers of the time model that differ from their defaults.'),
  cmdline: text.optional().describe('The kernel command line, verbatim.'),
  reserved_memory: z
    .record(
      z.string().regex(/^[A-Za-z0-9,._+@-]+$/, 'expected the name of a device tree node'),
      reservedRegion,
    )
    .optional()
    .describe('CMA areas that firmware reserves before all others; devices use one with `area:`.'),
  modules: z
    .array(text)
    .optional()
    .describe('Modules with device models of your own; paths are relative to this file.'),
  devices: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a letter or _, then letters, digits and _'),
      deviceKeys,
    )
    .optional()
    .describe('The devices, by name.'),
  pressure: z
    .record(
      z.string().regex(/^(0|[1-9][0-9]*|all)$/, 'expected a node id or all'),
      z.union([size, movablePages], expected('a size such as 64K, 16M, 1G, or keys')),
    )
    .optional()
    .describe(
      'Memory of a node (or of `all`) that programs hold: a size that stays, or what of it moves.',
    ),
  timeline: z.array(timelineEntry).optional().describe('What happens from outside, and when.'),
  seed: whole('0 to 4294967295', 0, 2 ** 32 - 1)
    .optional()
    .describe('Start of all random streams; 1 unless given.'),
  stop: time
    .refine((ns) => ns > 0, 'the run has no length, expected more than 0')
    .optional()
    .describe('Simulated time at which the run ends; 10ms unless given.'),
  expect: z
    .array(text)
    .optional()
    .describe('What must hold at the end: `smmu.cmd_sync_ns within 5% of 240ns`, `refused == 0`.'),
});

export type PressureKeys = z.output<typeof movablePages>;
export type ScenarioKeys = z.output<typeof scenarioKeys>;
export type MachineDocument = z.output<typeof machineKeys>;
export type DeviceKeys = z.output<typeof deviceKeys>;
