/**
 * The boot of a machine, put together from what a scenario says: machine, kernel, configuration,
 * command line.
 *
 * Firmware and kernel image are the machine's `reserved` ranges; struct pglist_data and struct
 * pages are taken where the kernel takes them. Left out: what differs from boot to boot (KASLR,
 * early page tables).
 */

import type { Machine } from '../machine/machine.js';
import { type Kconfig, kconfigOf } from '../mm/boot/kconfig.js';
import { Memblock, type MemRegion } from '../mm/boot/memblock.js';
import type { Arch } from '../mm/boot/reservation.js';
import type { BootInput, Region } from '../mm/boot/state.js';
import { memparse } from '../mm/memparse.js';
import type { Range } from '../mm/ranges.js';
import type { Kernel } from '../mm/release.js';
import { NUMA_NO_NODE } from '../mm/units.js';
import { type CommandLine, parseCmdline } from '../scenario/cmdline.js';
import type { Scenario } from '../scenario/scenario.js';
import type { RecordedBoot } from './recorded.js';

export interface MachineBoot {
  readonly input: BootInput;
  readonly config: Kconfig;
  readonly commandLine: CommandLine;
  /** What was assumed or changed, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * sizeof(struct pglist_data) of distribution kernels, in bytes; it moves areas at the top of a
 * node.
 */
const nodeData: Readonly<Record<Arch, number>> = { arm64: 14 * 1024, x86: 172 * 1024 };

/**
 * mem=: everything from that address on (x86), or beyond that amount of memory (arm64), is not
 * there.
 */
function limitMemory(memory: readonly MemRegion[], mem: number, arch: Arch): MemRegion[] {
  let left = mem;
  const kept: MemRegion[] = [];
  for (const region of memory) {
    const room = arch === 'x86' ? mem - region.base : left;
    const size = Math.min(region.size, Math.max(0, room));
    left -= size;
    if (size > 0) kept.push({ ...region, size });
  }
  return kept;
}

/** CONFIG_NODES_SHIFT that holds all nodes: a machine comes with a kernel that knows it. */
function withRoom(machine: Machine, overrides: Readonly<Record<string, unknown>>, config: Kconfig) {
  const nidMax = machine.nodes.at(-1)?.nid ?? 0;
  const isSet = ['NODES_SHIFT', 'CONFIG_NODES_SHIFT'].some((name) => name in overrides);
  const needed = Math.ceil(Math.log2(nidMax + 1));
  if (isSet || needed <= config.NODES_SHIFT) return { config, notes: [] };
  const raised = `CONFIG_NODES_SHIFT raised from ${config.NODES_SHIFT} to ${needed}`;
  const note = `${raised} for ${nidMax + 1} nodes`;
  return { config: { ...config, NODES_SHIFT: needed }, notes: [note] };
}

/** A node of /reserved-memory says by its addresses which memory node it may lie on. */
function regionOf(
  name: string,
  keys: Scenario['reserved_memory'][string],
  machine: Machine,
): Region {
  const { size, base = null, node, default: isDefault = false } = keys;
  const nodes = machine.nodes.filter(({ nid }) => node === undefined || nid === node);
  const ranges = nodes.flatMap(({ memory }) => memory.map(([start, end]): Range => [start, end]));
  return { name, size, base, ranges, isDefault };
}

/**
 * What boot() needs for this machine.
 *
 * @throws ConfigError naming a Kconfig symbol or value that is wrong.
 */
export function machineBoot(
  machine: Machine,
  kernel: Kernel,
  {
    cmdline,
    config: given = {},
    reserved_memory: regions = {},
  }: Partial<Pick<Scenario, 'reserved_memory'>> & {
    readonly cmdline: string;
    readonly config?: Readonly<Record<string, unknown>>;
  },
): MachineBoot {
  const { arch, pageSize } = machine;
  const base = kconfigOf(kernel.release, kernel.reservation, arch, given);
  const { config, notes } = withRoom(machine, given, base);
  const commandLine = parseCmdline(cmdline, kernel, config, arch);
  const { parameters } = commandLine;
  const all = machine.nodes.flatMap(({ nid, memory }) =>
    memory.map(([start, end]): MemRegion => ({ base: start, size: end - start, nid })),
  );
  all.sort((a, b) => a.base - b.base);
  const ranges = parameters.mem === null ? all : limitMemory(all, parameters.mem, arch);
  const hasMemory = new Set(ranges.map((r) => r.nid));
  // A node without memory is online this early on arm64 only: x86 sets it up with its CPUs.
  const isOnline = (nid: number) => arch === 'arm64' || hasMemory.has(nid);
  const memory = ranges.map((r) => ({ ...r, nid: NUMA_NO_NODE }));
  const input: BootInput = {
    kernel,
    arch,
    pageSize,
    config,
    parameters,
    memblock: new Memblock(memory, machine.reserved, pageSize),
    nodes: machine.nodes.map(({ nid, online, cpus }) => ({
      nid,
      online: online && isOnline(nid),
      cpus: online ? cpus : 0,
    })),
    numaInit: { ranges, nodeData: nodeData[arch] },
    takesStructPages: true,
    regions: Object.entries(regions).map(([name, keys]) => regionOf(name, keys, machine)),
    log: commandLine.log,
    fatal: commandLine.fatal,
  };
  return { input, config, commandLine, notes };
}

/** Parameter of the recording driver, not of the kernel: areas in the manner of patch v2. */
const driverParameter = 'orc_v2_pernuma';

/**
 * What boot() needs to repeat a recorded boot, from the memblock it started with.
 *
 * @throws ConfigError naming a Kconfig symbol or value that is wrong.
 */
export function recordedBoot(
  recorded: RecordedBoot,
  kernel: Kernel,
  overrides: Readonly<Record<string, unknown>> = {},
): MachineBoot {
  const { arch, pageSize } = recorded;
  const { slotsExtra } = kernel.release;
  const slots = recorded.slots === null ? {} : { CMA_AREAS: recorded.slots - slotsExtra };
  const given = { ...recorded.config, ...slots, ...overrides };
  const config = kconfigOf(kernel.release, kernel.reservation, arch, given);
  const commandLine = parseCmdline(recorded.cmdline, kernel, config, arch);
  const driver = commandLine.others.find(([name]) => name === driverParameter);
  const memory = recorded.isAfterNumaInit
    ? recorded.memory
    : recorded.memory.map((r) => ({ ...r, nid: NUMA_NO_NODE }));
  const memblock = new Memblock(memory, recorded.reserved, pageSize);
  memblock.bottomUp = recorded.bottomUp;
  const input: BootInput = {
    kernel,
    arch,
    pageSize,
    config,
    parameters: commandLine.parameters,
    memblock,
    nodes: recorded.nodes,
    numaInit: recorded.isAfterNumaInit ? null : { ranges: recorded.memory, nodeData: 0 },
    takesStructPages: !recorded.isAfterNumaInit,
    driverPernuma: memparse(driver?.[1] ?? '').value,
    log: commandLine.log,
    fatal: commandLine.fatal,
    ...(recorded.limit === null ? {} : { limit: recorded.limit }),
  };
  const notes = commandLine.notes.filter((n) => n.parameter !== driverParameter);
  return { input, config, commandLine: { ...commandLine, notes }, notes: recorded.notes };
}
