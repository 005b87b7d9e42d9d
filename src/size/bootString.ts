/**
 * Sizes of areas as a kernel takes them: boot parameters, or a Kconfig symbol where there is no
 * parameter.
 *
 * The release's reservation row says which there are; nothing here knows a kernel by its name.
 * Parameters that say the same are taken off the command line first, and those that say where
 * (cma=64M@0-4G) with them.
 */

import { machineBoot } from '../boot/input.js';
import { boot } from '../mm/boot/boot.js';
import { areaSlots } from '../mm/boot/kconfig.js';
import { type Kernel, kernelOf } from '../mm/release.js';
import { sizeWord } from '../mm/units.js';
import { BootFailed } from '../run/plan.js';
import type { Scenario } from '../scenario/scenario.js';

/** `default`, `every`: one size for each node; otherwise a node's id. */
export type AreaKey = 'default' | 'every' | number;
/** Bytes by area; an area that is missing has 0. */
export type Sizes = ReadonlyMap<AreaKey, number>;

/** Areas that can be sized on a scenario's kernel and machine. */
export interface Sizable {
  readonly scenario: Scenario;
  readonly keys: readonly AreaKey[];
  /**
   * CMA_MIN_ALIGNMENT_BYTES, and at least what the unit of a Kconfig size is: all sizes are
   * multiples.
   */
  readonly step: number;
  /** Entries of cma_areas[]. */
  readonly slots: number;
  /** Largest size tried of each area: half of the node's memory, in bytes. */
  readonly most: Sizes;
  /** Symbol that holds the size of every node's area in MiB, if no parameter does. */
  readonly symbol: string | null;
  readonly kernel: Kernel;
}

export interface BootString {
  /** The whole command line. */
  readonly cmdline: string;
  /** The parameters that set sizes. */
  readonly parameters: string;
  readonly config: Scenario['config'];
}

const MiB = 2 ** 20;
const sizeParameter = /(^|\s)(cma|numa_cma|cma_pernuma|pernuma_cma)(=\S*)?(?=\s|$)/g;

export type SizeWhat = 'all' | 'default' | 'nodes';

/** Throws BootFailed if the scenario's kernel does not boot as it is. */
export function sizable(
  scenario: Scenario,
  { what, uniform }: { what: SizeWhat; uniform: boolean },
): Sizable {
  const { machine } = scenario;
  const policy = scenario.policy === 'custom' ? undefined : scenario.policy;
  const kernel = kernelOf(scenario.kernel, policy);
  const { input, config } = machineBoot(machine, kernel, {
    cmdline: scenario.cmdline,
    config: scenario.config,
  });
  const { reservation } = kernel;
  const { geometry, crash } = boot(input);
  if (crash !== null) throw new BootFailed(crash);
  const built =
    reservation.calledOn.includes(machine.arch) &&
    (reservation.kconfig === null || config[reservation.kconfig] === true);
  const { everyParameter, byNodeParameter } = reservation;
  const byNode = built && byNodeParameter !== null && !uniform;
  const byConfig = built && everyParameter === null && reservation.sizeMbytes !== null;
  const every = !byNode && built && (everyParameter !== null || byConfig);
  const withDevices = new Set(scenario.devices.map(({ nid }) => nid));
  const memory = new Map(
    machine.nodes.map(({ nid, memory }) => [nid, memory.reduce((sum, [s, e]) => sum + e - s, 0)]),
  );
  const own = [...memory].filter(([nid, size]) => size > 0 && withDevices.has(nid));
  const step = Math.max(geometry.minAlignment, byConfig ? MiB : 0);
  const nodes: AreaKey[] = byNode ? own.map(([nid]) => nid) : every ? ['every'] : [];
  const keys: AreaKey[] = [
    ...(what === 'nodes' ? [] : (['default'] as const)),
    ...(what === 'default' ? [] : nodes),
  ];
  const largest = Math.max(...memory.values());
  const smallest = Math.min(...own.map(([, size]) => size));
  const most = new Map(
    keys.map((key) => {
      const room = key === 'default' ? largest : key === 'every' ? smallest : memory.get(key)!;
      return [key, Math.floor(room / 2 / step) * step] as const;
    }),
  );
  const symbol = byConfig ? 'CMA_PERNUMA_SIZE_MBYTES' : null;
  return { scenario, keys, step, slots: areaSlots(kernel.release, config), most, symbol, kernel };
}

/**
 * The command line and configuration that ask for these sizes; what is not sized stays as it was.
 */
export function bootString(of: Sizable, sizes: Sizes): BootString {
  const { scenario, keys, symbol } = of;
  const sized = parametersFor(of, sizes);
  const hasDefault = keys.includes('default');
  const hasNodes = keys.some((key) => key !== 'default');
  const kept = scenario.cmdline.replaceAll(sizeParameter, (all, _, name: string) => {
    return (name === 'cma' ? hasDefault : hasNodes) ? '' : all;
  });
  const parameters = sized.join(' ');
  const cmdline = [kept.trim(), parameters].filter((text) => text !== '').join(' ');
  const every = sizes.get('every') ?? 0;
  const config =
    symbol !== null && keys.includes('every')
      ? { ...scenario.config, [symbol]: every / MiB }
      : scenario.config;
  return { cmdline, parameters, config };
}

function parametersFor({ keys, symbol, kernel }: Sizable, sizes: Sizes): string[] {
  const { everyParameter, byNodeParameter } = kernel.reservation;
  const list: string[] = [];
  if (keys.includes('default')) list.push(`cma=${sizeWord(sizes.get('default') ?? 0)}`);
  if (keys.includes('every')) {
    const every = sizeWord(sizes.get('every') ?? 0);
    return symbol === null ? [...list, `${everyParameter}=${every}`] : list;
  }
  const nodes = keys.filter((key): key is number => typeof key === 'number');
  const some = nodes.filter((nid) => (sizes.get(nid) ?? 0) > 0);
  if (some.length > 0) {
    const each = some.map((nid) => `${nid}:${sizeWord(sizes.get(nid)!)}`);
    list.push(`${byNodeParameter}=${each.join(',')}`);
  } else if (nodes.length > 0 && everyParameter !== null) {
    // Said, so that no default of the configuration steps in.
    list.push(`${everyParameter}=0`);
  }
  return list;
}
