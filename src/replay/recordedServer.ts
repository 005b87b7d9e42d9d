/**
 * A server as its own files describe it, and the kernels that may be booted on it.
 *
 * Where the boot log is there the boot starts from its memory map, which is what `boot --check`
 * holds against the log; otherwise from the machine alone. Areas of the server's own boot stand
 * where the server has them. Left out: which pages the kernel itself holds, beyond how many.
 */

import { machineBoot, recordedBoot } from '../boot/input.js';
import { bootOfLog, type RecordedBoot, releaseOfVersion } from '../boot/recorded.js';
import { type ImportedMachine, importMachine } from '../machine/import/build.js';
import { readKernelLog } from '../machine/import/dmesg.js';
import type { ImportFile } from '../machine/import/recognise.js';
import { readZoneinfo } from '../machine/import/zones.js';
import type { Machine } from '../machine/machine.js';
import type { AreaLayout, MemoryLayout, ZoneLayout } from '../mm/layout.js';
import { type Kernel, kernelOf } from '../mm/release.js';
import { type Booted, bootedPlan } from '../run/plan.js';

export interface RecordedServer {
  readonly imported: ImportedMachine;
  /** Null: no boot log that a boot could start from. */
  readonly recorded: RecordedBoot | null;
  /** Id of the release it runs; null when its version is not known. */
  readonly release: string | null;
}

/** @throws MachineError when the files do not hold a node with memory. */
export function serverOf(files: readonly ImportFile[], name: string): RecordedServer {
  const imported = importMachine(files, name);
  const { kernel, cmdline } = imported.state;
  const log = recordedOf(files, cmdline);
  return { imported, recorded: log, release: log?.release ?? releaseOfVersion(kernel) };
}

const signs = {
  log: /Linux version \d[\s\S]*node\s+\d+: \[mem /,
  iomem: /^[0-9a-f]{8,}-[0-9a-f]{8,} : \S/m,
  zones: /^Node\s+\d+, zone\s+\S+\n[\s\S]*\bpages free\s+\d+/,
};

function recordedOf(files: readonly ImportFile[], cmdline: string): RecordedBoot | null {
  const find = (sign: RegExp) => files.find(({ text }) => sign.test(text));
  const dmesg = find(signs.log);
  if (dmesg === undefined) return null;
  const log = readKernelLog(dmesg.text, find(signs.iomem)?.text ?? '');
  if (log.memory.length === 0 || log.online.length === 0) return null;
  const zoneinfo = find(signs.zones);
  const zones = zoneinfo === undefined ? null : readZoneinfo(zoneinfo.text);
  const boot = bootOfLog({ file: dmesg.path, name: dmesg.path }, log, { zones, totals: null });
  return { ...boot, cmdline: cmdline === '' ? boot.cmdline : cmdline };
}

/** What is asked to be otherwise than on the server; empty: nothing. */
export interface WhatIf {
  readonly kernel?: string;
  readonly policy?: string;
  /** The whole command line. */
  readonly cmdline?: string;
  /** Appended to the command line, where the later parameter wins. */
  readonly append?: string;
  /** Kconfig symbols. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Another machine altogether. */
  readonly machine?: Machine;
}

/** A kernel that has booted, for a recording to be replayed on. */
export interface Site extends Booted {
  readonly kernel: Kernel;
  readonly machine: Machine;
  readonly cmdline: string;
  /** In what it differs from the recorded server: `kernel`, `policy`, `command line`, `machine`. */
  readonly changed: readonly string[];
}

/** Said where the server's version is not known and nobody names a kernel. */
const fallbackRelease = '7.2';

/**
 * Boots a kernel on the server, or on the machine in its place.
 *
 * @throws ConfigError for unknown kernels, policies and symbols, BootFailed.
 */
export function siteOf(server: RecordedServer, change: WhatIf): Site {
  const { recorded, imported } = server;
  const kernel = kernelOf(change.kernel ?? server.release ?? fallbackRelease, change.policy);
  const own = server.release === null ? null : kernelOf(server.release);
  const recordedLine = recorded?.cmdline ?? imported.state.cmdline;
  const line = change.cmdline ?? recordedLine;
  const cmdline = change.append === undefined ? line : `${line} ${change.append}`.trim();
  const machine = change.machine ?? imported.machine;
  const config = change.config ?? {};
  const changed = [
    ...(own !== null && kernel.release.id !== own.release.id ? ['kernel'] : []),
    ...(own !== null && kernel.policy.id !== own.policy.id ? ['policy'] : []),
    ...(cmdline.trim() !== recordedLine.trim() ? ['command line'] : []),
    ...(Object.keys(config).length > 0 ? ['configuration'] : []),
    ...(change.machine !== undefined ? ['machine'] : []),
  ];
  const built = { ...builtAs(server), ...config };
  const from =
    recorded === null || change.machine !== undefined
      ? machineBoot(machine, kernel, { cmdline, config: built })
      : recordedBoot({ ...recorded, cmdline }, kernel, built);
  const booted = bootedPlan(machine, kernel, from);
  const known = recorded?.outcome.log ?? [];
  // Messages that are equal to the last say the areas are where they were; nothing knows better.
  const proved = known.length > 0 && known.join('\n') === booted.report.log.join('\n');
  const found = { unchanged: changed.length === 0, proved };
  const { layout, notes } = asFound(booted.plan.layout, server, found);
  const unknown = server.release === null && change.kernel === undefined;
  return {
    ...booted,
    plan: { ...booted.plan, layout },
    notes: [
      ...commandNotes(from.commandLine.notes),
      ...notes,
      ...(unknown ? [`the kernel's version is not known: ${fallbackRelease} is taken`] : []),
    ],
    kernel,
    machine,
    cmdline,
    changed,
  };
}

/**
 * How the server's kernel was built, as far as it is known: another machine or release gets the
 * same. The option for areas of nodes had another name before 6.6.
 */
function builtAs({ recorded, imported }: RecordedServer): Readonly<Record<string, unknown>> {
  const hasAreas = imported.state.areas.some(({ name }) => /^(?:per)?numa\d+$/.test(name));
  const known = recorded?.config ?? {};
  const numa = known.DMA_NUMA_CMA ?? hasAreas;
  const pool = known.DMA_COHERENT_POOL;
  return {
    DMA_NUMA_CMA: numa,
    DMA_PERNUMA_CMA: numa,
    ...(pool === undefined ? {} : { DMA_COHERENT_POOL: pool }),
  };
}

const commandNotes = (notes: readonly { readonly parameter: string; readonly text: string }[]) =>
  notes.map(({ parameter, text }) => (text.includes(parameter) ? text : `${parameter}: ${text}`));

/** The layout with what the server says of itself in place of what its boot would have been. */
function asFound(
  layout: MemoryLayout,
  server: RecordedServer,
  { unchanged, proved }: { unchanged: boolean; proved: boolean },
): { layout: MemoryLayout; notes: string[] } {
  const { cpuNode, state } = server.imported;
  const withCpus = cpuNode.length > 0 && cpuNode.every((nid) => nid >= 0);
  const base = withCpus && unchanged ? { ...layout, cpuNode } : layout;
  if (!unchanged) return { layout: base, notes: [] };
  const notes: string[] = [];
  const areas = base.areas.map((area): AreaLayout => {
    const found = state.areas.find(({ name, basePfn }) => name === area.name && basePfn >= 0);
    if (proved || found === undefined || found.basePfn === area.basePfn) return area;
    if (found.count !== area.count) return area;
    notes.push(`${area.name} stands where the server has it, not where its boot would put it`);
    return { ...area, basePfn: found.basePfn };
  });
  const nodes = base.nodes.map((node) => ({
    ...node,
    zones: node.zones.map((zone) => zoneAsFound(zone, node.nid, server)),
  }));
  return { layout: { ...base, areas, nodes }, notes };
}

/** Free pages outside areas as zoneinfo counted them, areas idle. */
function zoneAsFound(zone: ZoneLayout, nid: number, { imported }: RecordedServer): ZoneLayout {
  const { zones } = imported.state;
  const found = zones.find((one) => one.nid === nid && one.name === zone.name);
  if (found === undefined || found.free <= 0 || found.managed <= 0) return zone;
  // Pages in per-CPU lists are free too; those of idle areas are counted apart.
  const free = found.free + Math.max(found.pcp, 0) - zone.freeCma;
  const atBoot = zone.free - zone.freeCma;
  return { ...zone, free: zone.freeCma + Math.max(0, Math.min(free, atBoot)) };
}
