/**
 * A preset with some of its numbers replaced by a scenario's; its nodes and their ids stay.
 *
 * What a scenario replaced is no longer the preset's evidence: it is listed as assumed, with the
 * scenario as its source.
 */

import { checkMachine, MachineError } from './check.js';
import { perNode } from './custom.js';
import type { MachineKeys } from './keys.js';
import { type Machine, type MachineNode, type Parameter, sumsOf } from './machine.js';
import { presetMachine } from './preset.js';
import { presets } from './presets.js';

/** Throws MachineError; its path starts at the key of `machine:`. */
export function changedPreset(name: string, keys: MachineKeys): Machine {
  const preset = presetMachine(name);
  if (!preset) {
    const known = presets.map((row) => row.name).join(', ');
    throw new MachineError(['preset'], `${name} is not known, expected one of ${known}`);
  }
  for (const key of ['nodes', 'chassis', 'arch'] as const) {
    if (keys[key] !== undefined) {
      throw new MachineError([key], `beside preset ${name}, which brings its own`);
    }
  }
  const size = preset.nodes.length;
  const memory = perNode(keys.memory, 'memory', size);
  const cpus = perNode(keys.cpus, 'cpus', size);
  const changed: Machine = {
    ...preset,
    name: keys.name ?? name,
    pageSize: keys.page ?? preset.pageSize,
    nodes: preset.nodes.map((node, i) => ({
      ...node,
      cpus: cpus?.[i] ?? node.cpus,
      memory: memory ? resized(node, memory[i]) : node.memory,
    })),
    distance: keys.distance ?? preset.distance,
    latency: keys.latency ?? preset.latency,
    onDie: keys.on_die ?? preset.onDie,
    bandwidth: perNode(keys.bandwidth, 'bandwidth', size) ?? preset.bandwidth,
    linkBandwidth: perNode(keys.link_bandwidth, 'link_bandwidth', size) ?? preset.linkBandwidth,
  };
  return checkMachine({ ...changed, parameters: changedParameters(changed, keys) });
}

/** The node with `bytes` in all: its ranges are filled in order, and the last one grows. */
function resized(node: MachineNode, bytes: number): MachineNode['memory'] {
  const ranges: (readonly [number, number])[] = [];
  let left = bytes;
  node.memory.forEach(([start, end], i) => {
    const size = i === node.memory.length - 1 ? left : Math.min(left, end - start);
    if (size > 0) ranges.push([start, start + size]);
    left -= size;
  });
  if (left > 0) {
    throw new MachineError(['memory'], `${left} bytes for node ${node.nid}, which has no memory`);
  }
  return ranges;
}

function changedParameters(machine: Machine, keys: MachineKeys): Parameter[] {
  const { cpus, bytes } = sumsOf(machine.nodes);
  const sums: Readonly<Record<string, number>> = {
    cpus,
    memory: bytes,
    page: machine.pageSize,
    on_die: machine.onDie,
    bandwidth: Math.max(...machine.bandwidth),
    link_bandwidth: Math.max(...machine.linkBandwidth),
  };
  return machine.parameters.flatMap((parameter): Parameter[] => {
    const [, key = '', distance] = parameter.name.split('.');
    if (keys[key as keyof MachineKeys] === undefined) return [parameter];
    const scenario = { class: 'assumed', source: 'the scenario' } as const;
    if (distance === undefined) return [{ ...parameter, ...scenario, value: sums[key] }];
    // A matrix no longer has one number per SLIT distance; its diagonal stands for it.
    if (distance !== '10') return [];
    return [{ ...parameter, ...scenario, value: machine.latency[0][0] }];
  });
}
