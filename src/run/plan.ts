/**
 * Plan of a run, made of a scenario: the kernel boots on the machine, devices find their areas, and
 * every shard gets the same.
 */

import { type MachineBoot, machineBoot } from '../boot/input.js';
import { cpuNodesOf, withCompanions } from '../devices/companions.js';
import { deviceModels } from '../devices/registry.js';
import type { Machine } from '../machine/machine.js';
import type { DmaLimits } from '../mm/alloc/contiguous.js';
import { type BootReport, boot, memoryLayout } from '../mm/boot/boot.js';
import { zoneLimits } from '../mm/boot/freearea.js';
import type { Kconfig } from '../mm/boot/kconfig.js';
import { fallbackOrders } from '../mm/boot/zonelist.js';
import type { MemoryLayout } from '../mm/layout.js';
import { type Kernel, kernelOf, type Release } from '../mm/release.js';
import type { Observe } from '../nodes/observers.js';
import { actorNumbers, type Plan } from '../nodes/plan.js';
import { releaseRules } from '../nodes/rules.js';
import type { CommandLine } from '../scenario/cmdline.js';
import type { Scenario } from '../scenario/scenario.js';
import { UserError } from '../text/userError.js';
import { NoSuchArea, plannedDevices } from './devicePlan.js';

export interface ScenarioPlan {
  readonly plan: Plan;
  readonly report: BootReport;
  /** What a reader should know of the boot, a sentence each. */
  readonly notes: readonly string[];
}

export interface PlanOptions {
  readonly interpreted: boolean;
  /** Check invariants at every step, not only at the end. */
  readonly checks: boolean;
  /** End of the warm-up, from which on statistics are kept, ns. */
  readonly warmupNs?: number;
  /** Device or declaration whose requests are written down in words. */
  readonly log?: string;
  /** Who watches; nobody unless given. */
  readonly observe?: Observe;
  /** Hand over the free blocks of the buddy. */
  readonly keepsZones?: boolean;
}

/** The boot does not come to its end: the kernel's doing, and the user's answer. */
export class BootFailed extends UserError {
  constructor(message: string) {
    super(null, message);
  }
}

/** @throws BootFailed when the kernel does not survive its command line on this machine. */
export function planRun(scenario: Scenario, options: PlanOptions): ScenarioPlan {
  const { machine } = scenario;
  const kernel = kernelOf(scenario.kernel, namedPolicy(scenario));
  const booted = machineBoot(machine, kernel, scenario);
  const { plan, report, notes } = bootedPlan(machine, kernel, booted);
  const { layout } = plan;
  return {
    report,
    notes: [...notes, ...tooLate(scenario)],
    plan: {
      ...plan,
      seed: scenario.seed,
      policies: [scenario.policyRow],
      cost: scenario.cost,
      modules: scenario.modules,
      devices: devicesOf(scenario, layout, booted.commandLine),
      declarations: declarationsOf(scenario).numbers,
      interpreted: options.interpreted,
      timeline: scenario.timeline,
      pressure: scenario.pressure,
      replay: null,
      observe: { ...options.observe, ...logOf(scenario, layout, options.log) },
      keepsZones: options.keepsZones ?? false,
      checks: options.checks,
      warmupNs: options.warmupNs ?? 0,
    },
  };
}

function logOf(
  { machine, devices }: Scenario,
  { areas }: MemoryLayout,
  log: string | undefined,
): Plan['observe'] {
  if (log === undefined) return {};
  const { firstDevice } = actorNumbers({ machine, devices: [] });
  const actors = devices.flatMap(({ name, declaration }, i) =>
    name === log || declaration === log ? [firstDevice + i] : [],
  );
  return { log: [{ actors, areas: areas.map(({ name }) => name) }] };
}

/** What the scenario says and this run does not come to, a sentence each. */
function tooLate({ timeline, devices, stopNs }: Scenario): string[] {
  const late = (what: string, at: number) =>
    `${what} at ${at} ns does not happen: the run ends at ${stopNs} ns`;
  return [
    ...timeline
      .filter(({ at }) => at > stopNs)
      .map((entry) => late(`timeline: ${entry.do}`, entry.at)),
    ...devices
      .filter(({ start }) => start > stopNs)
      .map(({ name, start }) => late(`${name}: probe`, start)),
  ];
}

/** What a plan has of the kernel that booted, whatever is then run on it. */
type BootedPlan = Pick<
  Plan,
  'machine' | 'layout' | 'limits' | 'rules' | 'watermarks' | 'atomicPools' | 'dmaCma'
>;

export interface Booted {
  readonly plan: BootedPlan;
  readonly report: BootReport;
  /** What a reader should know of the boot, a sentence each. */
  readonly notes: readonly string[];
}

/** @throws BootFailed when the kernel does not survive its command line on this machine. */
export function bootedPlan(machine: Machine, kernel: Kernel, from: MachineBoot): Booted {
  const { input, config, commandLine, notes } = from;
  if (commandLine.fatal !== null) throw new BootFailed(commandLine.fatal);
  const report = boot(input);
  if (report.crash !== null) throw new BootFailed(report.crash);
  const cpuNode = machine.nodes.flatMap(({ nid, cpus }) => new Array<number>(cpus).fill(nid));
  const layout = memoryLayout(report, config, {
    fallback: fallbackOf(machine, kernel, report),
    cpuNode,
  });
  const plan: BootedPlan = {
    machine: { ...machine, distance: [], parameters: [], reserved: [] },
    layout,
    limits: limitsOf(machine, kernel.release, config),
    rules: releaseRules(kernel.release, layout),
    watermarks: {
      minFreeKbytesMax: kernel.release.minFreeKbytesMax,
      transparentHugepage: true,
      watermarkScaleFactor: 10,
    },
    atomicPools: report.atomicPools,
    dmaCma: config.DMA_CMA,
  };
  return { plan, report, notes: [...notes, ...commandLine.notes.map((note) => note.text)] };
}

/** Names of the declarations that made devices, and per device the position of its own. */
export function declarationsOf({ devices }: Pick<Scenario, 'devices'>): {
  readonly names: readonly string[];
  readonly numbers: readonly number[];
} {
  const names = [...new Set(devices.map(({ declaration }) => declaration))];
  const position = new Map(names.map((name, i) => [name, i]));
  return { names, numbers: devices.map(({ declaration }) => position.get(declaration)!) };
}

/** A scenario's own policy reserves as its kernel does. */
function namedPolicy({ policy }: Scenario): string | undefined {
  return policy === 'custom' ? undefined : policy;
}

function limitsOf(machine: Machine, release: Release, config: Kconfig): DmaLimits {
  const ends = machine.nodes.flatMap((node) => node.memory.flat());
  const dram = [Math.min(...ends), Math.max(...ends)] as const;
  const limits = zoneLimits(machine.arch, release, config, dram);
  return {
    dma: limits.dma > 0 ? limits.dma - 1 : 0,
    // dma-direct asks for the zone by its name, whether or not memory lies in it.
    dma32: config.ZONE_DMA32 ? 2 ** 32 - 1 : 0,
  };
}

function fallbackOf(
  machine: Machine,
  { release }: Kernel,
  report: BootReport,
): ReadonlyMap<number, ArrayLike<number>> {
  const withMemory = new Set(report.nodes.filter((node) => node.hasMemory).map(({ nid }) => nid));
  return fallbackOrders(
    machine.nodes.map(({ nid, online }) => ({ nid, online, hasMemory: withMemory.has(nid) })),
    {
      distance: machine.distance,
      maxNumnodes: machine.nodes.at(-1)!.nid + 1,
      nodeLoad: release.zonelistLoad,
    },
  );
}

function devicesOf(
  scenario: Scenario,
  layout: MemoryLayout,
  commandLine: CommandLine,
): Plan['devices'] {
  try {
    const devices = plannedDevices(scenario, layout, commandLine);
    return withCompanions(devices, deviceModels(), cpuNodesOf(scenario.machine));
  } catch (error) {
    throw error instanceof NoSuchArea ? new BootFailed(error.message) : error;
  }
}
