/** Machines of 1 to 8 nodes with any valid latency, for properties. */

import fc from 'fast-check';
import { customMachine } from '#cmasim/machine/custom.js';
import type { Machine } from '#cmasim/machine/machine.js';

export const anyMachine: fc.Arbitrary<Machine> = fc
  .integer({ min: 1, max: 8 })
  .chain((size) => {
    const extra = fc.array(fc.nat(900), { minLength: size * size, maxLength: size * size });
    return fc.tuple(fc.constant(size), fc.integer({ min: 10, max: 200 }), extra);
  })
  .map(([size, local, extra]) => {
    const latency = Array.from({ length: size }, (_, a) =>
      Array.from({ length: size }, (_, b) => (a === b ? local : local + extra[a * size + b])),
    );
    return customMachine({ nodes: size, latency });
  });
