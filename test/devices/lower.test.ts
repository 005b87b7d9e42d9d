import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstDifference, type Step } from './harness.js';
import { charts, events, fields, vocabulary } from './machines.js';

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ event: fc.nat(events.length - 1), number: fc.nat(2) }) },
  fc.constant('wait' as const),
);
const steps = fc.array(step, { minLength: 1, maxLength: 25, size: 'max' });

test('a random chart, lowered, does what XState does after every event', () => {
  fc.assert(
    fc.property(charts, steps, (machine, list) => {
      const subject = { machine, vocabulary, fields, events };
      expect(firstDifference(subject, list)).toBeUndefined();
    }),
    { numRuns: 400 },
  );
});
