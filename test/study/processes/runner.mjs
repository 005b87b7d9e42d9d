/**
 * A run without a simulator: numbers out of the seed, a third of a millisecond of work, and a crash
 * where the test wants one.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Streams } from '../../../dist/src/sim/random.js';

const { CRASH_DIRECTORY, CRASH_SEEDS = '', WORK_MS = '0.3' } = process.env;
const crashes = new Set(CRASH_SEEDS.split(',').filter(Boolean).map(Number));

export default async function run(scenario) {
  const random = new Streams(scenario.seed).stream(`values ${scenario.cmdline}`);
  if (crashes.has(scenario.seed)) crashOnce(scenario.seed);
  const end = performance.now() + Number(WORK_MS);
  while (performance.now() < end);
  const values = Array.from({ length: 20 }, () => random.exponential(1000)).sort((a, b) => a - b);
  const distribution = {
    ...{ name: 'dma_alloc_ns', kind: 'histogram', unit: 'ns', class: 'calibrated', count: 20 },
    mean: values.reduce((sum, value) => sum + value, 0) / 20,
    ...{ min: values[0], p50: values[9], p90: values[17], p99: values[19], p999: values[19] },
    max: values[19],
  };
  const none = { mean: null, min: null, p50: null, p90: null, p99: null, p999: null, max: null };
  const refused = random.below(3);
  return {
    scenario: scenario.name,
    title: scenario.title,
    kernel: scenario.kernel,
    policy: scenario.policy,
    cmdline: scenario.cmdline,
    machine: scenario.machine.name,
    seed: scenario.seed,
    shards: 1,
    fingerprint: random.u32().toString(16).padStart(16, '0'),
    simulatedNs: scenario.stopNs,
    events: 1000,
    wallMs: Number(WORK_MS),
    interrupted: false,
    areas: [],
    devices: [],
    stats: [
      { ...distribution, actor: '' },
      {
        name: 'refused',
        actor: '',
        kind: 'counter',
        unit: '1',
        class: 'exact',
        count: refused,
        ...none,
      },
    ],
    checks: [],
    findings: [],
    parameters: [],
    notes: [],
    bootLog: [],
  };
}

/** The first thread that gets this seed dies of it. */
function crashOnce(seed) {
  const mark = join(CRASH_DIRECTORY, `crashed-${seed}`);
  if (existsSync(mark)) return;
  writeFileSync(mark, '');
  process.exit(1);
}
