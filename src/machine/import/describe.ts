/**
 * An imported machine in words: what it is, what is unusual about it, and what nobody said.
 */
import type { Machine, MachineNode } from '../machine.js';
import type { Facts } from './facts.js';
import type { NodeMemory } from './memory.js';
import type { StartState } from './state.js';

export function describe(what: {
  machine: Machine;
  facts: Facts;
  state: StartState;
  memory: NodeMemory;
}): string[] {
  const { machine, facts, state, memory } = what;
  const cpus = machine.nodes.reduce((sum, node) => sum + node.cpus, 0);
  const product = facts.product === '' ? '' : `${facts.product}: `;
  const kernel = facts.release === '' ? '' : `, kernel ${facts.release}`;
  return [
    `${machine.name}: ${product}${machine.arch}, ${plural(machine.nodes.length, 'node')}, ` +
      `${plural(cpus, 'CPU')}, ${sizeWords(total(machine.nodes))}, ` +
      `${machine.pageSize / 1_024}K pages${kernel}`,
    ...machine.nodes.map(nodeWords),
    ...distanceWords(machine),
    ...memoryWords(memory),
    ...stateWords(state, machine),
    ...deviceWords(state),
    ...[...facts.sources].map(([fact, source]) => `${fact}: from ${source}`),
    ...unusedWords(facts.unused),
  ];
}

const bytesOf = ({ memory }: MachineNode) => memory.reduce((sum, [from, to]) => sum + to - from, 0);
const total = (nodes: readonly MachineNode[]) =>
  nodes.reduce((sum, node) => sum + bytesOf(node), 0);

function nodeWords(node: MachineNode): string {
  const bytes = bytesOf(node);
  const cpus = node.cpus === 0 ? 'no CPUs' : plural(node.cpus, 'CPU');
  const memory = bytes === 0 ? 'no memory' : sizeWords(bytes);
  const ranges = node.memory.map(([from, to]) => `0x${from.toString(16)}-0x${to.toString(16)}`);
  const where = ranges.length > 4 ? [...ranges.slice(0, 4), `${ranges.length - 4} more`] : ranges;
  return `node ${node.nid}: ${cpus}, ${memory}${bytes === 0 ? '' : ` at ${where.join(', ')}`}`;
}

function distanceWords({ nodes, distance }: Machine): string[] {
  if (nodes.length === 1) return [];
  const words = [`distances from node ${nodes[0].nid}: ${distance[0].join(' ')}`];
  const sparse = nodes.some(({ nid }, i) => nid !== i);
  if (sparse) words.push(`node numbers are sparse: ${nodes.map(({ nid }) => nid).join(', ')}`);
  for (const [a, row] of distance.entries()) {
    for (let b = a + 1; b < row.length; b++) {
      if (row[b] === distance[b][a]) continue;
      const [from, to] = [nodes[a].nid, nodes[b].nid];
      words.push(
        `distances are not symmetric: ${row[b]} from ${from} to ${to}, ${distance[b][a]} back`,
      );
      return words;
    }
  }
  return words;
}

function memoryWords({ source }: NodeMemory): string[] {
  if (source === 'log') return [];
  if (source === 'zones') return ['addresses are those of the zones'];
  return [
    'no source says which addresses the nodes have: they are laid out one after the other, ' +
      'sizes rounded up to 128 MiB',
  ];
}

function stateWords({ areas, zones, page_size: page }: StartState, machine: Machine): string[] {
  const words = areas.map((area) => {
    const size = area.count < 0 ? 'of unknown size' : sizeWords(area.count * page);
    const home = machine.nodes.find(({ memory }) =>
      memory.some(([from, to]) => area.basePfn * page >= from && area.basePfn * page < to),
    );
    const at = area.basePfn < 0 ? '' : ` at 0x${(area.basePfn * page).toString(16)}`;
    const on = home === undefined || area.basePfn < 0 ? '' : ` on node ${home.nid}`;
    const used = area.used < 0 ? '' : `, ${area.used} of ${area.count} pages used`;
    const map = area.bitmap === null ? '' : ', bitmap known';
    return `CMA area ${area.name}: ${size}${at}${on}${used}${map}`;
  });
  const free = zones.reduce((sum, zone) => sum + Math.max(zone.free, 0), 0);
  if (free > 0) words.push(`${sizeWords(free * page)} free in ${plural(zones.length, 'zone')}`);
  return words;
}

function deviceWords({ devices }: StartState): string[] {
  if (devices.length === 0) return [];
  const drivers = devices.filter(({ driver }) => driver !== '' && driver !== 'pcieport').length;
  const homeless = devices.filter(({ node }) => node === null || node < 0).length;
  const types = new Set(devices.map(({ iommuType }) => iommuType).filter((type) => type !== ''));
  const narrow = devices.filter(
    ({ coherentMask, driver }) => coherentMask > 0 && coherentMask < 64 && driver !== '',
  );
  return [
    `${plural(devices.length, 'PCI device')}, ${drivers} with a driver, ${homeless} without a ` +
      `node, IOMMU ${types.size === 0 ? 'none or not known' : [...types].join(' and ')}`,
    ...narrow
      .filter(({ driver }) => driver !== 'pcieport')
      .map(({ name, driver, coherentMask }) => `${name} (${driver}) reaches ${coherentMask} bits`),
  ];
}

function unusedWords(unused: readonly string[]): string[] {
  if (unused.length === 0) return [];
  const names = unused.slice(0, 5).map((path) => path.slice(path.lastIndexOf('/') + 1));
  const more = unused.length > 5 ? ` and ${unused.length - 5} more` : '';
  return [`not used: ${names.join(', ')}${more}`];
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function sizeWords(bytes: number): string {
  if (bytes >= 2 ** 30) return `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;
  if (bytes >= 2 ** 20) return `${Number((bytes / 2 ** 20).toFixed(1))} MiB`;
  return `${bytes / 1_024} KiB`;
}
