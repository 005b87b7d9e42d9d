/**
 * From the keys of one document to a scenario: names become rows, declarations become devices,
 * nodes and events are checked against what there is.
 */

import { cpuNodesOf, withCompanions } from '../devices/companions.js';
import { type DeviceKeys, deviceKeys } from '../devices/deviceKeys.js';
import { CompanionError, type DeviceModel, type PlannedDevice } from '../devices/model.js';
import { deviceModel, deviceModels } from '../devices/registry.js';
import type { Machine } from '../machine/machine.js';
import { kconfigOf, kconfigSymbols } from '../mm/boot/kconfig.js';
import { lowerPolicy, PolicyError, type PolicyRow, policies } from '../mm/policy.js';
import { rangesSize } from '../mm/ranges.js';
import { type Kernel, kernelOf, releases } from '../mm/release.js';
import { Bytes, Nid, Ns } from '../mm/units.js';
import type { MovablePressure } from '../nodes/movablePages.js';
import type { TimelineEntry } from '../nodes/timeline.js';
import { placeText } from '../text/userError.js';
import type { Source } from './document.js';
import { parseExpression } from './expect.js';
import { readKeys } from './explain.js';
import { unknownName } from './names.js';
import type { Expectation } from './scenario.js';
import type { ScenarioKeys } from './schema.js';
import { didYouMean } from './suggest.js';

/** What one document says, and the machine it says it of. */
export interface Given {
  readonly source: Source;
  readonly keys: ScenarioKeys;
  readonly machine: Machine;
}

type Path = readonly PropertyKey[];

/** Kernel ids `--kernel` takes: releases, and policies that name the release they sit on. */
export function kernelNames(): string[] {
  return [...new Set([...releases, ...policies].map(({ id }) => id))];
}

export function resolveKernel(source: Source, keys: ScenarioKeys): Kernel & { policy: PolicyRow } {
  const { kernel, policy } = keys;
  const names = kernelNames();
  if (!names.includes(kernel)) {
    throw source.error(['kernel'], `${kernel} is not known, expected one of ${names.join(', ')}`);
  }
  if (typeof policy !== 'string') {
    const found = kernelOf(kernel);
    return policy ? { ...found, policy: { ...found.policy, id: 'custom', ...policy } } : found;
  }
  const known = policies.map(({ id }) => id);
  if (!known.includes(policy)) {
    throw source.error(['policy'], `${policy} is not known, expected one of ${known.join(', ')}`);
  }
  return kernelOf(kernel, policy);
}

/** Throws ScenarioError for a symbol or a value of `config:` that the kernel does not have. */
export function checkConfig({ source, keys, machine }: Given, kernel: Kernel): void {
  const nidMax = machine.nodes.at(-1)!.nid;
  for (const [symbol, value] of Object.entries(keys.config)) {
    if (!kconfigSymbols.includes(symbol.replace(/^CONFIG_/, ''))) {
      const message = `no symbol of the model, ${didYouMean(symbol, kconfigSymbols)}`;
      throw source.error(['config', symbol], message, { key: true });
    }
    try {
      kconfigOf(kernel.release, kernel.reservation, machine.arch, { [symbol]: value });
    } catch (error) {
      const message = (error as Error).message.replace(`config.${symbol}: `, '');
      throw source.error(['config', symbol], message);
    }
    const name = symbol.replace(/^CONFIG_/, '');
    if (name === 'NODES_SHIFT' && nidMax >= 2 ** Number(value)) {
      const least = Math.ceil(Math.log2(nidMax + 1));
      const message = `${value}, expected at least ${least} for node ${nidMax} of ${machine.name}`;
      throw source.error(['config', symbol], message);
    }
    if (name === 'NUMA' && (value === 'n' || value === false) && machine.nodes.length > 1) {
      const message = `n with ${machine.nodes.length} nodes, expected y or a machine of one node`;
      throw source.error(['config', symbol], message);
    }
  }
}

/** Throws ScenarioError at the step of a scenario's own policy that cannot be read. */
export function checkPolicy(source: Source, row: PolicyRow, pageSize: number): void {
  try {
    lowerPolicy(row, pageSize);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const list = row.alloc.includes(error.step) ? 'alloc' : 'free';
    throw source.error(['policy', list, row[list].indexOf(error.step)], error.message);
  }
}

/** Devices in the order of the file, then of the nodes, then of their count. */
export function expandDevices(given: Given): PlannedDevice[] {
  const { source, keys } = given;
  const list = Object.entries(keys.devices).flatMap(([declaration, stated]): PlannedDevice[] => {
    const path = ['devices', declaration];
    const model = modelOf(source, [...path, 'kind'], stated.kind);
    const [device, own] = divided(stated);
    const config = ownKeys(source, path, { own, model });
    const { node, count, numa_node: numaNode, area, ...common } = device;
    checkAttribute(given, [...path, 'numa_node'], numaNode);
    return deviceNodes(given, [...path, 'node'], node).flatMap((nid) =>
      Array.from({ length: count }, (_, k): PlannedDevice => {
        const several = node === 'all' || Array.isArray(node) || count > 1;
        const index = count > 1 ? `.${k}` : '';
        return {
          ...common,
          name: several ? `${declaration}@${nid}${index}` : declaration,
          declaration,
          nid,
          numaNode: numaNode ?? nid,
          ...(area === undefined ? {} : { areaName: area }),
          config,
        };
      }),
    );
  });
  checkCompanions(given, list);
  return list;
}

/** The keys every device has, and those of its kind. */
function divided(stated: ScenarioKeys['devices'][string]): [DeviceKeys, Record<string, unknown>] {
  const entries = Object.entries(stated);
  const common = entries.filter(([key]) => key in deviceKeys.shape);
  const own = entries.filter(([key]) => !(key in deviceKeys.shape));
  // They are the keys that the schema has read, without those it has let through.
  return [Object.fromEntries(common) as DeviceKeys, Object.fromEntries(own)];
}

/** Throws unless the machine has room for what the devices bring with them. */
function checkCompanions({ source, machine }: Given, list: readonly PlannedDevice[]): void {
  for (const device of list) {
    try {
      withCompanions([device], deviceModels(), cpuNodesOf(machine));
    } catch (error) {
      if (!(error instanceof CompanionError)) throw error;
      throw source.error(['devices', device.declaration, error.key], error.message);
    }
  }
}

function modelOf(source: Source, path: readonly string[], kind: string): DeviceModel {
  const model = deviceModel(kind);
  if (model) return model;
  const known = deviceModels().map((one) => one.kind);
  throw source.error(path, `${kind} is not known, ${didYouMean(kind, known)}`);
}

/** The keys of the kind, as its own schema reads them. */
function ownKeys(
  source: Source,
  root: Path,
  { own, model }: { own: unknown; model: DeviceModel },
): unknown {
  // A key no kind has may be one that every device has, misspelt.
  return readKeys(source, model.config, own, { root, besides: Object.keys(deviceKeys.shape) });
}

function nidList({ nodes }: Machine): string {
  const nids = nodes.map(({ nid }) => nid);
  const dense = nids.length > 1 && nids.at(-1) === nids[0] + nids.length - 1;
  return dense ? `${nids[0]}-${nids.at(-1)}` : nids.join(', ');
}

/** Throws unless the machine has that node. */
function checkNode({ source, machine }: Given, path: Path, nid: number, at = { key: false }): void {
  if (machine.nodes.some((node) => node.nid === nid)) return;
  const expected = `expected a node of ${machine.name} (${nidList(machine)})`;
  throw source.error(path, `${nid} is not in the machine, ${expected}`, at);
}

function deviceNodes(given: Given, path: Path, node: DeviceKeys['node']): readonly number[] {
  const { source, machine } = given;
  if (node === undefined) return [machine.nodes[0].nid];
  // A node of memory alone has no bus; a node that is offline has no devices yet.
  if (node === 'all') {
    return machine.nodes.filter(({ online, cpus }) => online && cpus > 0).map(({ nid }) => nid);
  }
  const nids = Array.isArray(node) ? node : [node];
  nids.forEach((nid, i) => {
    checkNode(given, Array.isArray(node) ? [...path, i] : path, nid);
    if (nids.indexOf(nid) < i) throw source.error([...path, i], `${nid} is in the list twice`);
  });
  return nids;
}

/** Throws unless the attribute is a node of the machine, -1, or left as it is. */
function checkAttribute(given: Given, path: Path, nid = -1): void {
  if (nid >= 0) checkNode(given, path, nid);
}

/** Programs' movable memory, node by node; a node's own entry comes before that of `all`. */
export function resolvePressure({ source, keys, machine }: Given): MovablePressure[] {
  const { pressure } = keys;
  return machine.nodes.flatMap(({ nid, memory }): MovablePressure[] => {
    const name = typeof pressure[nid] === 'object' ? String(nid) : 'all';
    const own = pressure[name];
    if (typeof own !== 'object') return [];
    const { unmovable: _, movable = Bytes(0), ...rest } = own;
    const bytes = rangesSize(memory);
    const wanted = typeof movable === 'object' ? Math.round(movable.ofNode * bytes) : movable;
    if (wanted <= bytes) return [{ nid: Nid(nid), movable: Bytes(wanted), ...rest }];
    const text = `${wanted} bytes, more than node ${nid} has (${bytes})`;
    throw source.error(['pressure', name, 'movable'], text);
  });
}

/** Throws ScenarioError for a region on a node that the machine does not have. */
export function checkReservedMemory(given: Given): void {
  const { reserved_memory: regions } = given.keys;
  for (const [name, { node: nid }] of Object.entries(regions)) {
    if (nid !== undefined) checkNode(given, ['reserved_memory', name, 'node'], nid);
  }
}

/** Entries in order of time; a plain `pressure` is memory taken at 0, before all of them. */
export function resolveTimeline(given: Given, devices: readonly PlannedDevice[]): TimelineEntry[] {
  const { source, keys, machine } = given;
  const list = Object.entries(keys.pressure).flatMap(([name, value]): TimelineEntry[] => {
    const nids = name === 'all' ? machine.nodes.map(({ nid }) => nid) : [Number(name)];
    for (const nid of nids) checkNode(given, ['pressure', name], nid, { key: true });
    const size = typeof value === 'number' ? value : value.unmovable;
    if (size === 0) return [];
    return nids.map((nid) => ({ at: Ns(0), do: 'take', nid: Nid(nid), size }));
  });
  keys.timeline.forEach((entry, i) => {
    const path = ['timeline', i];
    if (entry.do === 'take' || entry.do === 'give') {
      const { node: nid, ...rest } = entry;
      checkNode(given, [...path, 'node'], nid);
      list.push({ ...rest, nid });
      return;
    }
    const chosen = chosenDevices(source, [...path, 'device'], { name: entry.device, devices });
    if (entry.do === 'write') {
      const { device: _, numa_node: numaNode, ...rest } = entry;
      checkAttribute(given, [...path, 'numa_node'], numaNode);
      list.push({ ...rest, devices: chosen, numaNode });
    } else {
      const { device: _, value: __, ...rest } = entry;
      const numbers = eventNumbers(source, path, { entry, kind: devices[chosen[0]].kind });
      list.push({ ...rest, devices: chosen, numbers });
    }
  });
  return list.sort((a, b) => a.at - b.at);
}

/** Positions of the device of that name, or of all that its declaration made. */
function chosenDevices(
  source: Source,
  path: Path,
  { name, devices }: { name: string; devices: readonly PlannedDevice[] },
): number[] {
  const chosen = devices.flatMap((device, i) =>
    device.name === name || device.declaration === name ? [i] : [],
  );
  if (chosen.length > 0) return chosen;
  const known = [...new Set(devices.map(({ declaration }) => declaration))];
  const hint = known.length > 0 ? didYouMean(name, known) : 'expected a scenario with devices';
  throw source.error(path, `${name} is not a device, ${hint}`);
}

type SendKeys = Extract<ScenarioKeys['timeline'][number], { do: 'send' }>;

function eventNumbers(
  source: Source,
  path: Path,
  { entry, kind }: { entry: SendKeys; kind: string },
): readonly number[] {
  const events = deviceModel(kind)?.timeline ?? {};
  const event = Object.hasOwn(events, entry.event) ? events[entry.event] : undefined;
  if (!event) {
    const known = Object.keys(events);
    const message = `${entry.event} is no event of ${kind}, ${didYouMean(entry.event, known)}`;
    throw source.error([...path, 'event'], message);
  }
  const value = entry.value ?? [];
  const numbers = typeof value === 'number' ? [value] : value;
  if (numbers.length === event.numbers.length) return numbers;
  const names = event.numbers.length > 0 ? ` (${event.numbers.join(', ')})` : '';
  const message = `length ${numbers.length}, expected ${event.numbers.length}${names}`;
  throw source.error([...path, 'value'], message);
}

/**
 * Throws ScenarioError at the character an expression cannot go on from, or for a name nothing has.
 */
export function resolveExpect(
  { source, keys }: Given,
  devices: readonly PlannedDevice[],
): Expectation[] {
  return keys.expect.map((text, i) => {
    const path = ['expect', i];
    const expression = source.parsed(path, () => parseExpression(text));
    const unknown = unknownName(expression, devices);
    if (unknown !== undefined) throw source.error(path, unknown);
    return { text, expression, place: placeText(source.place(path)) };
  });
}
