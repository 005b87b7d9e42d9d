/**
 * Builds a machine from one row of presets.ts.
 *
 * A row gives latency per SLIT distance, because that is how it is measured: one number for each
 * kind of way (same die, other die, other socket). The matrix and the list of classed parameters
 * follow from it.
 */

import { checkMachine } from './check.js';
import { type Machine, type MachineNode, type Parameter, sumsOf } from './machine.js';
import { type Classed, type PresetRow, presets } from './presets.js';

/** The machine of that name, or undefined. */
export function presetMachine(name: string): Machine | undefined {
  const row = presets.find((preset) => preset.name === name);
  return row && buildPreset(row);
}

const usual = {
  pageSize: 4096,
  onDie: { value: 60, class: 'assumed', source: 'as kunpeng920-2p' },
  layoutClass: { class: 'assumed', source: 'typical configuration' },
} as const;

/** Throws MachineError if the row contradicts itself, Error if a distance has no latency. */
function buildPreset(preset: PresetRow): Machine {
  const row = { ...usual, ...preset };
  const nodes = row.nodes.map(
    ({ nid, cpus, memory }, i): MachineNode => ({ nid: nid ?? i, cpus, memory, online: true }),
  );
  const nsOf = new Map(row.latency.map(({ distance, ns }) => [distance, ns]));
  const latency = row.distance.map((distances) =>
    distances.map((distance) => {
      const ns = nsOf.get(distance);
      if (ns === undefined)
        throw new Error(`${row.name}: expected a latency for SLIT distance ${distance}`);
      return ns;
    }),
  );
  return checkMachine({
    name: row.name,
    arch: row.arch,
    pageSize: row.pageSize,
    nodes,
    distance: row.distance,
    latency,
    onDie: row.onDie.value,
    bandwidth: nodes.map(() => row.bandwidth.value),
    linkBandwidth: nodes.map(() => row.linkBandwidth.value),
    chassis: row.nodes.map(({ chassis }) => chassis ?? 0),
    parameters: presetParameters(row),
    reserved: row.reserved,
    cost: {},
  });
}

function presetParameters(row: Required<PresetRow>): Parameter[] {
  const { cpus, bytes } = sumsOf(row.nodes);
  const remote = row.latency.filter(({ distance }) => distance !== 10);
  const classed = (name: string, unit: string, { value, ...rest }: Classed): Parameter => {
    return { name: `machine.${name}`, value, unit, ...rest };
  };
  return [
    classed('nodes', '1', { value: row.nodes.length, ...row.layoutClass }),
    classed('cpus', '1', { value: cpus, ...row.layoutClass }),
    classed('memory', 'B', { value: bytes, ...row.layoutClass }),
    classed('page', 'B', { value: row.pageSize, ...row.layoutClass }),
    ...remote.map(({ distance }) =>
      classed(`distance.${distance}`, '1', { value: distance, ...row.distanceClass }),
    ),
    ...row.latency.map(({ distance, ns, ...rest }) =>
      classed(`latency.${distance}`, 'ns', { value: ns, ...rest }),
    ),
    classed('on_die', 'ns', row.onDie),
    classed('bandwidth', 'GB/s', row.bandwidth),
    classed('link_bandwidth', 'GB/s', row.linkBandwidth),
  ];
}
