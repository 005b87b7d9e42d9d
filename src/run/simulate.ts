/**
 * Runs one scenario to its end and says what came of it.
 */

// Declares the statistics of hosts in this thread too, so that what was never counted reads as 0.
import '../devices/host/host.js';
import type { Parameter } from '../machine/machine.js';
import { costParameters } from '../mm/alloc/cost.js';
import { actorNumbers, groupsOf, type Plan } from '../nodes/plan.js';
import type { Finding } from '../nodes/recorder.js';
import type { ShardResult } from '../nodes/shard.js';
import type { Scenario } from '../scenario/scenario.js';
import { mergeSamples } from '../sim/statistics.js';
import type { WindowProgress } from '../sim/window.js';
import type { ShardRun, ShardsOutcome } from './launch.js';
import { declarationsOf, type PlannedRun, planRun } from './plan.js';
import { requestName } from './requestName.js';
import type { AreaResult, FindingResult, RunResult } from './result.js';
import { runShards } from './shards.js';
import { checkResults, deviceResults, statResults } from './summary.js';

export interface SimulateOptions {
  /** Parts the machine is cut into; `auto`: as many as pay. Never changes a result. Default `auto`. */
  readonly shards?: number | 'auto';
  /** Run state machines as tables, or through XState itself. Default `lowered`. */
  readonly devices?: 'lowered' | 'interpreted';
  /** Check the invariants while the run goes on, not only at its end. */
  readonly check?: boolean;
  /** Run in the calling thread, which is then busy until the end. */
  readonly inline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SimulateProgress) => void;
}

export interface SimulateProgress extends WindowProgress {
  /** Where the run will end. */
  readonly stopNs: number;
}

const modelModule = new URL('../nodes/shard.js', import.meta.url);

/** Runs one scenario to its end. The same scenario and seed give the same result on any number of shards. */
export async function simulate(
  scenario: Scenario,
  options: SimulateOptions = {},
): Promise<RunResult> {
  const interpreted = options.devices === 'interpreted';
  const begun = process.hrtime.bigint();
  const planned = planRun(scenario, {
    interpreted,
    checks: options.check ?? false,
  });
  const outcome = await runShards(shardRun(scenario, planned.plan, options));
  const wallMs = Number(process.hrtime.bigint() - begun) / 1e6;
  return resultOf(scenario, planned, outcome, wallMs);
}

/** What the shards of a scenario are run with. */
export function shardRun(scenario: Scenario, plan: Plan, options: SimulateOptions): ShardRun {
  const { stopNs } = scenario;
  const { onProgress, signal } = options;
  return {
    module: modelModule,
    plan,
    groups: groupsOf(plan),
    until: stopNs,
    shards: options.shards ?? 'auto',
    inline: options.inline ?? false,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (p: WindowProgress) => onProgress({ ...p, stopNs }) } : {}),
  };
}

function resultOf(
  scenario: Scenario,
  { plan, report, notes }: PlannedRun,
  outcome: ShardsOutcome,
  wallMs: number,
): RunResult {
  const results = outcome.results as ShardResult[];
  const { firstDevice, count } = actorNumbers(plan);
  // What a companion records counts for the device it came with.
  const names = new Map(
    plan.devices.map(({ owner }, i) => {
      const { name, declaration } = scenario.devices[owner ?? i];
      return [firstDevice + i, { name, declaration }];
    }),
  );
  declarationsOf(scenario).names.forEach((name, i) => {
    names.set(count + i, { name, declaration: name });
  });
  const samples = mergeSamples(results.map((result) => result.samples));
  const stats = statResults(samples, names);
  const ends = results.flatMap((result) => result.devices);
  const states = scenario.devices.map(
    (_, i) => ends.find((e) => e.actor === firstDevice + i)!.state,
  );
  const areas = areaResults(plan, results);
  const devices = deviceResults(scenario.devices, stats, states);
  const findings = results
    .flatMap((result) => result.observed.findings)
    .sort((a, b) => a.time - b.time || a.id - b.id)
    .map((finding) => findingResult(finding, plan, scenario));
  const known = { stats, areas, devices, findings };
  return {
    scenario: scenario.name,
    title: scenario.title,
    kernel: scenario.kernel,
    policy: scenario.policy,
    cmdline: scenario.cmdline,
    machine: scenario.machine.name,
    seed: scenario.seed,
    shards: outcome.shards,
    fingerprint: outcome.fingerprint,
    // With nothing left to happen, time still runs on to the end.
    simulatedNs: outcome.interrupted ? outcome.simulatedNs : scenario.stopNs,
    events: outcome.events,
    wallMs,
    interrupted: outcome.interrupted,
    ...known,
    checks: checkResults(scenario.expect, known),
    parameters: parametersOf(scenario),
    notes,
    bootLog: report.log,
  };
}

function areaResults(plan: Plan, results: readonly ShardResult[]): AreaResult[] {
  const ends = new Map(results.flatMap((r) => r.areas.map((end) => [end.index, end] as const)));
  return plan.layout.areas.map(({ index, name, role, nid, basePfn, count }) => {
    const end = ends.get(index)!;
    const pageSize = 2 ** plan.layout.pageShift;
    return { name, role, nid, basePfn, count, pageSize, ...end };
  });
}

function findingResult(finding: Finding, plan: Plan, scenario: Scenario): FindingResult {
  const name = requestName(plan, finding.id);
  const who = name === null ? '' : `${name}: `;
  return {
    kind: finding.kind,
    time: finding.time,
    text: `${who}${finding.text} (policy ${scenario.policy})`,
  };
}

/** Numbers of the machine and of the cost model, as this run used them. */
function parametersOf({ machine, cost }: Scenario): Parameter[] {
  const costs = costParameters.map((parameter): Parameter => {
    const value = cost[parameter.name] ?? machine.cost[parameter.name];
    if (value === undefined || value === parameter.value) return parameter;
    return { ...parameter, value, class: 'assumed', source: 'set by the scenario or the machine' };
  });
  return [...machine.parameters, ...costs];
}
