/**
 * Stopping rules: what they ask, that order does not matter, and what stopping does to intervals.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Streams } from '#cmasim/sim/random.js';
import { meanInterval } from '#cmasim/study/intervals.js';
import { parseStudy } from '#cmasim/study/load.js';
import type { RunRecord } from '#cmasim/study/record.js';
import { parseRule, replicationsNeeded } from '#cmasim/study/rule.js';
import { RunLedger } from '#cmasim/study/runLedger.js';
import type { NeededRun } from '#cmasim/study/study.js';
import { cases } from '../cases.js';

test('a rule names a statistic and a width, of the mean or in its unit', () => {
  expect(parseRule('dma_alloc_ns.p99 within 5%')).toMatchObject({
    ...{ name: 'dma_alloc_ns', measure: 'p99', relative: true },
    half: 0.05,
  });
  expect(parseRule('nic0.cmd_sync_ns within 2us')).toMatchObject({
    ...{ name: 'nic0.cmd_sync_ns', measure: null, relative: false },
    half: 2000,
  });
  expect(() => parseRule('refused within')).toThrow('the end, expected a width such as 5%');
});

test('stopped by a rule, intervals still hold the truth nearly as often as they promise', () => {
  const random = new Streams(21).stream('values');
  const rules = [parseRule('x within 20%')];
  const plan = { atLeast: 10, atMost: 400, step: 10, confidence: 0.95 };
  const rounds = 1000;
  let held = 0;
  let runs = 0;
  for (let round = 0; round < rounds; round++) {
    const values: number[] = [];
    let need = replicationsNeeded(rules, [values], plan);
    while (!need.done) {
      while (values.length < need.count) values.push(random.exponential(1));
      need = replicationsNeeded(rules, [values], plan);
    }
    const { low, high } = meanInterval(values.slice(0, need.count), 0.95);
    if (low! <= 1 && 1 <= high!) held++;
    runs += need.count;
  }
  // (1.96 / 0.2)^2 = 96 replications is what a fixed plan of this width takes.
  expect(runs / rounds).toBeGreaterThan(60);
  expect(held / rounds).toBeGreaterThan(0.9);
});

const study = parseStudy(
  `
scenario: { kernel: "6.12", machine: { nodes: 2 } }
axes: { stop: [1ms, 2ms, 3ms, 4ms, 5ms] }
replications: { at_least: 4, at_most: 40, step: 3 }
until: [refused within 0.4]
`,
  'study.yaml',
  { model: 'test' },
);

function recordOf({ run, seed, variant }: NeededRun): RunRecord {
  const random = new Streams(seed).stream(String(variant.index));
  const none = { mean: null, min: null, p50: null, p90: null, p99: null, p999: null, max: null };
  const count = random.below(4);
  const stat = { name: 'refused', actor: '', kind: 'counter', unit: '1', class: 'exact', count };
  const about = { scenario: '', kernel: '', policy: '', machine: '', cmdline: '', seed };
  return {
    ...{ run, ...about, failed: null, fingerprint: '', simulatedNs: 0, events: 0, findings: 0 },
    ...{ areas: [], devices: [], nodes: [], checks: [] },
    stats: [{ ...stat, ...none } as RunRecord['stats'][number]],
  };
}

test('whichever run comes back first, a study needs the same runs', () => {
  const inOrder = new RunLedger(study);
  for (let one = inOrder.next(); one; one = inOrder.next()) inOrder.take(one, recordOf(one));
  expect(inOrder.isFinal).toBe(true);
  expect(new Set(inOrder.replications()).size).toBeGreaterThan(1);
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (choices) => {
      const ledger = new RunLedger(study);
      const away: NeededRun[] = [];
      for (;;) {
        for (let one = ledger.next(); one; one = ledger.next()) away.push(one);
        if (away.length === 0) break;
        const [back] = away.splice(choices.next().value! % away.length, 1);
        ledger.take(back!, recordOf(back!));
      }
      expect(ledger.replications()).toEqual(inOrder.replications());
      expect(ledger.there).toBe(inOrder.there);
    }),
    cases(50),
  );
});
