/** Confidence intervals of a simulation's own, and runs of scenarios written in a test. */

import { parseScenario, type RunResult, type Scenario, simulate } from '#cmasim/index.js';
import { marks } from '#cmasim/sim/mark.js';

/** Runs every document of a scenario in this thread. */
export async function runText(
  text: string,
  change: (scenario: Scenario) => Scenario = (scenario) => scenario,
): Promise<RunResult[]> {
  const runs: RunResult[] = [];
  for (const scenario of parseScenario(text, 'test.yaml')) {
    runs.push(await simulate(change(scenario), { shards: 1, inline: true }));
  }
  return runs;
}

/** A figure of a run: `mean` of a histogram unless named, the count of a counter, 0 if never counted. */
export function figure(run: RunResult, actor: string, name: string, of = 'mean'): number {
  const stat = run.stats.find((one) => one.actor === actor && one.name === name);
  if (!stat) return 0;
  return stat.kind === 'counter' ? stat.count : (stat[of as 'mean'] ?? Number.NaN);
}

/** Student's t at 99.5 % on one side, for that many values less one. */
const student: Readonly<Record<number, number>> = { 9: 3.25, 19: 2.861, 29: 2.756 };

/** Two-sided 99 % interval of the mean of independent values. */
export function interval(values: readonly number[]): {
  readonly low: number;
  readonly high: number;
} {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = student[n - 1] * Math.sqrt(variance / n);
  return { low: mean - half, high: mean + half };
}

/** Means of consecutive batches: nearly independent where each is long against the queue's memory. */
export function batchMeans(values: readonly number[], batches: 10 | 20 | 30): number[] {
  const size = Math.floor(values.length / batches);
  return Array.from({ length: batches }, (_, i) => {
    const batch = values.slice(i * size, (i + 1) * size);
    return batch.reduce((sum, value) => sum + value, 0) / size;
  });
}

/** Mean wait of M/D/1 (Pollaczek and Khinchine): load below 1, service time in any unit. */
export function meanWaitMD1(load: number, service: number): number {
  return (load * service) / (2 * (1 - load));
}

/** Marks that `run` reaches in this thread. */
export async function marked(run: () => unknown): Promise<string[]> {
  const reached = new Set<string>();
  marks.reached = reached;
  try {
    await run();
  } finally {
    marks.reached = null;
  }
  return [...reached];
}
