/**
 * Runs one scenario to its end and says what came of it.
 */

import type { Parameter } from '../machine/machine.js';
import { costParameters } from '../mm/alloc/cost.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import type { Scenario } from '../scenario/scenario.js';
import type { WindowProgress } from '../sim/window.js';
import { type RunOutcome, type RunPlanOptions, runPlan } from './outcome.js';
import { declarationsOf, planRun, type ScenarioPlan } from './plan.js';
import { RequestNames } from './requestName.js';
import type { RunResult } from './result.js';
import { type ActorNames, checkResults, deviceResults, statResults } from './summary.js';

export interface SimulateOptions {
  /**
   * Parts the machine is cut into; `auto`: as many as pay. Never changes a result. Default `auto`.
   */
  readonly shards?: number | 'auto';
  /** Run state machines as tables, or through XState itself. Default `lowered`. */
  readonly devices?: 'lowered' | 'interpreted';
  /** Check the invariants while the run goes on, not only at its end. */
  readonly check?: boolean;
  /** Run in the calling thread, which is then busy until the end. */
  readonly inline?: boolean;
  /** Device, or declaration of devices, whose requests are written down as they happen. */
  readonly log?: string;
  /** Ns that statistics leave out; areas and findings are those of the whole run. */
  readonly warmupNs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SimulateProgress) => void;
}

interface SimulateProgress extends WindowProgress {
  /** Where the run will end. */
  readonly stopNs: number;
}

/**
 * Runs one scenario to its end. The same scenario and seed give the same result on any number of
 * shards.
 */
export async function simulate(
  scenario: Scenario,
  options: SimulateOptions = {},
): Promise<RunResult> {
  const begun = process.hrtime.bigint();
  const planned = planRun(scenario, {
    interpreted: options.devices === 'interpreted',
    checks: options.check ?? false,
    ...(options.log === undefined ? {} : { log: options.log }),
    warmupNs: options.warmupNs ?? 0,
  });
  const outcome = await runPlan(planned.plan, scenarioRun(scenario, options));
  const wallMs = Number(process.hrtime.bigint() - begun) / 1e6;
  return resultOf(scenario, planned, outcome, wallMs);
}

/** How the plan of a scenario is run. */
export function scenarioRun({ stopNs }: Scenario, options: SimulateOptions): RunPlanOptions {
  const { onProgress, signal, shards = 'auto', inline = false } = options;
  return {
    until: stopNs,
    shards,
    inline,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (p: WindowProgress) => onProgress({ ...p, stopNs }) } : {}),
  };
}

/** Names of what statistics are kept for. What a companion records counts for its device. */
function actorNames(scenario: Scenario, plan: Plan): ActorNames {
  const { firstDevice, count } = actorNumbers(plan);
  const devices = plan.devices.map(({ owner }, i) => {
    const { name, declaration } = scenario.devices[owner ?? i];
    return [firstDevice + i, { name, declaration }] as const;
  });
  const declarations = declarationsOf(scenario).names.map((name, i) => {
    return [count + i, { name, declaration: name }] as const;
  });
  return new Map([...devices, ...declarations]);
}

function resultOf(
  scenario: Scenario,
  { plan, report, notes }: ScenarioPlan,
  outcome: RunOutcome,
  wallMs: number,
): RunResult {
  const { firstDevice } = actorNumbers(plan);
  const stats = statResults(outcome.samples, actorNames(scenario, plan));
  const stateOf = new Map(outcome.devices.map(({ actor, state }) => [actor, state]));
  const states = scenario.devices.map((_, i) => stateOf.get(firstDevice + i)!);
  const pageSize = 2 ** plan.layout.pageShift;
  const areas = plan.layout.areas.map(({ index, name, role, nid, basePfn, count }) => {
    return { name, role, nid, basePfn, count, pageSize, ...outcome.areas[index] };
  });
  const devices = deviceResults(scenario.devices, stats, states);
  const names = new RequestNames(plan);
  const findings = outcome.findings.map((finding) => {
    const { kind, time, text } = finding;
    const name = names.of(finding.id);
    const who = name === null ? '' : `${name}: `;
    return { kind, time, text: `${who}${text} (policy ${scenario.policy})` };
  });
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
    checks: checkResults(scenario.expect, { ...known, findings: findings.length }),
    parameters: parametersOf(scenario),
    notes,
    bootLog: report.log,
    log: logLines(outcome, names),
  };
}

/** Lines of all shards in the order of time. */
function logLines({ observed }: RunOutcome, names: RequestNames): string[] {
  return observed
    .flatMap(({ log }) => log ?? [])
    .sort((a, b) => a.time - b.time)
    .map(({ time, id, text }) => `${time} ns ${names.of(id)} ${text}`);
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
