/**
 * Devices that come with others, such as the CPUs that issue commands to an SMMU.
 *
 * They are planned behind all devices of the scenario, so that those keep their positions; what
 * they record counts for the device they came with.
 */
import type { CompanionPlace, DeviceModel, PlannedDevice } from './model.js';

/** A node's CPUs, and the time from each node to each other, by position in the list. */
export interface CpuNode {
  readonly nid: number;
  readonly cpus: number;
  /** Idle latency to the other nodes, by their position. */
  readonly latency: readonly number[];
}

/** The nodes of a machine as companions are placed on them. */
export function cpuNodesOf(machine: {
  readonly nodes: readonly { readonly nid: number; readonly cpus: number }[];
  readonly latency: readonly (readonly number[])[];
}): CpuNode[] {
  return machine.nodes.map(({ nid, cpus }, i) => ({ nid, cpus, latency: machine.latency[i] }));
}

/** The plan with its companions, each device knowing its peers. */
export function withCompanions(
  planned: readonly PlannedDevice[],
  models: readonly DeviceModel[],
  nodes: readonly CpuNode[],
): PlannedDevice[] {
  const all: PlannedDevice[] = [...planned];
  for (const [owner, device] of planned.entries()) {
    const model = models.find(({ kind }) => kind === device.kind);
    const companions = model?.companions?.(device.config, placeOf(device.nid, nodes)) ?? [];
    if (companions.length === 0) continue;
    const first = all.length;
    all[owner] = { ...device, peers: companions.map((_, i) => first + i) };
    for (const [i, { kind, nid, config }] of companions.entries()) {
      const { declaration, start, mask } = device;
      const name = `${device.name}/${kind}${i}`;
      const peers = [owner];
      const place = { nid, numaNode: nid };
      all.push({ name, declaration, kind, ...place, start, mask, config, peers, owner });
    }
  }
  return all;
}

/** Nodes with CPUs, the nearest first. */
function placeOf(nid: number, nodes: readonly CpuNode[]): CompanionPlace {
  const own = nodes.findIndex((node) => node.nid === nid);
  const latency = (node: number): number => (node === own ? -1 : (nodes[own]?.latency[node] ?? 0));
  const order = nodes.map((_, node) => node).sort((a, b) => latency(a) - latency(b) || a - b);
  const cpus = order.map((node) => nodes[node]).filter((node) => node.cpus > 0);
  return { nid, cpus };
}
