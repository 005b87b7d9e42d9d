/**
 * Keys of a machine, in a scenario or in a file of its own, each with a sentence, its help.
 */

import { z } from 'zod';
import { parseSize } from '../mm/units.js';
import {
  anySize,
  expected,
  flagValue,
  nodeValue,
  oneWord,
  textValue,
  timeValue,
  wholeNumber,
} from './values.js';

const positive = (what: string) => z.number(expected(what)).positive(expected(what));
/** NR_CPUS of the largest configurations is 8192. */
const cpuCount = wholeNumber('a number of CPUs, 0 to 8192', 0, 8192);
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
  nid: nodeValue.optional().describe('Id of the node; its position in the list unless given.'),
  memory: z
    .union(
      [anySize, z.array(memoryRange)],
      expected('a size such as 4G, or ranges such as [2G-4G]'),
    )
    .optional()
    .describe('RAM: a size, laid out after the nodes before it, or ranges of physical addresses.'),
  cpus: cpuCount.optional().describe('CPUs of the node; 0 for memory alone.'),
  online: flagValue.optional().describe('Online at boot; true unless given.'),
});

export const machineKeys = z.strictObject({
  preset: textValue
    .optional()
    .describe('A machine of `cmasim machines`, changed by the other keys.'),
  name: textValue.optional().describe('How reports call the machine.'),
  arch: oneWord('arm64', 'x86')
    .optional()
    .describe('Architecture; arm64 unless given. It decides the order of the boot and the zones.'),
  page: anySize.optional().describe('Page size: 4K, 16K or 64K; 4K unless given.'),
  nodes: z
    .union(
      [wholeNumber('1 to 1024 nodes', 1, 1024), z.array(machineNode)],
      expected('a number or a list'),
    )
    .optional()
    .describe('NUMA nodes: how many, or a list of them.'),
  memory: perNode(anySize, 'a size such as 4G')
    .optional()
    .describe('RAM per node; 4G unless given.'),
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
      count: wholeNumber('1 to 1024 chassis', 1, 1024).describe('Chassis, all alike.'),
      nodes: wholeNumber('1 to 1024 nodes', 1, 1024).describe(
        'Nodes in each; the matrices describe one.',
      ),
      link: timeValue.describe('One way between two chassis; both ways are added to the latency.'),
    })
    .optional()
    .describe('A machine of several chassis; stands instead of `nodes`.'),
});

type Plain<T> = T extends number
  ? number
  : T extends object
    ? { readonly [K in keyof T]: Plain<T[K]> }
    : T;
/** Keys in base units (bytes, ns, GB/s), as a document or an import gives them. */
export type MachineKeys = Plain<z.output<typeof machineKeys>>;
