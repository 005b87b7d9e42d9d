/**
 * Keys every device has, whatever its kind; the kind's own keys stand beside them. A device of a
 * plan has them as they were read.
 */

import { z } from 'zod';
import {
  expected,
  nodeOrNone,
  nodeValue,
  oneWord,
  textValue,
  timeValue,
  unlessGiven,
  wholeNumber,
} from '../machine/values.js';
import { Ns } from '../mm/units.js';

export const deviceKeys = z.object({
  kind: z
    .string(expected('a kind of `cmasim devices`'))
    .describe('What the device is; `cmasim devices` lists the kinds.'),
  node: z
    .union(
      [nodeValue, z.literal('all'), z.array(nodeValue).min(1)],
      expected('a node id, a list of them, or all'),
    )
    .optional()
    .describe(
      'Node it is plugged into; a list, or `all` (that have CPUs), makes one on each. ' +
        '0 unless given.',
    ),
  count: unlessGiven(wholeNumber('1 to 100000 devices', 1, 100_000), 1).describe(
    'Devices per node; 1 unless given.',
  ),
  numa_node: nodeOrNone
    .optional()
    .describe('The numa_node attribute, dev_to_node(); -1 for none, its node unless given.'),
  start: unlessGiven(timeValue, Ns(0)).describe('When it is probed; at once unless given.'),
  area: textValue
    .optional()
    .describe(
      'Its own CMA area, dev->cma_area, by name: reserved, pernuma1, numa0; none unless given.',
    ),
  iommu: oneWord('direct', 'passthrough', 'translated')
    .optional()
    .describe(
      'What stands between it and memory; with an SMMU on its node translated, unless the ' +
        'command line says iommu.passthrough=1, otherwise direct.',
    ),
  mask: unlessGiven(wholeNumber('24 to 64 bits', 24, 64), 64).describe(
    'Bits of its coherent DMA mask; 64 unless given.',
  ),
});

export type DeviceKeys = z.output<typeof deviceKeys>;
