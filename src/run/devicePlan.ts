/**
 * A scenario's devices as the actors take them: the area each owns, and what stands between it and
 * memory.
 */

import type { PlannedDevice } from '../devices/model.js';
import { deviceModel } from '../devices/registry.js';
import type { Machine } from '../machine/machine.js';
import type { MemoryLayout } from '../mm/layout.js';
import type { CommandLine } from '../scenario/cmdline.js';
import type { Scenario } from '../scenario/scenario.js';

/** A device names an area that no kernel with this command line has. */
export class NoSuchArea extends Error {}

/** @throws NoSuchArea if this boot did not reserve an area that a device names. */
export function plannedDevices(
  scenario: Scenario,
  layout: MemoryLayout,
  commandLine: CommandLine,
): PlannedDevice[] {
  const smmus = smmuOfNode(scenario.devices);
  const { arch } = scenario.machine;
  return scenario.devices.map((device) => {
    const area = ownArea(device, scenario, layout);
    const iommu = iommuOf(device, smmus.get(device.nid), { arch, ...commandLine });
    return { ...device, ...area, ...iommu };
  });
}

function ownArea(
  device: PlannedDevice,
  { reserved_memory: regions }: Scenario,
  { areas }: MemoryLayout,
): Pick<PlannedDevice, 'area'> {
  if (device.areaName === undefined) return {};
  const area = areas.findIndex(({ name }) => name === device.areaName);
  if (area >= 0) return { area };
  // of_reserved_mem_device_init() fails, and drivers go on without an area of their own.
  if (Object.hasOwn(regions, device.areaName)) return {};
  const names = areas.map(({ name }) => name).join(', ') || 'none';
  const what = `devices.${device.declaration}.area: ${device.areaName} is not reserved`;
  throw new NoSuchArea(`${what}, expected one of ${names}`);
}

/** The first SMMU of each node that has one. */
function smmuOfNode(devices: readonly PlannedDevice[]): ReadonlyMap<number, PlannedDevice> {
  const smmus = new Map<number, PlannedDevice>();
  for (const device of devices) {
    if (device.kind === 'smmuv3' && !smmus.has(device.nid)) smmus.set(device.nid, device);
  }
  return smmus;
}

/**
 * An SMMU of its node (on x86 what intel_iommu= switches on) translates, unless the command line
 * says otherwise.
 */
function iommuOf(
  device: PlannedDevice,
  smmu: PlannedDevice | undefined,
  { arch, iommuPassthrough, others }: Pick<Machine, 'arch'> & CommandLine,
): Pick<PlannedDevice, 'iommu' | 'smmuNode'> {
  const smmuNode = smmu ? smmu.numaNode : device.nid;
  if (device.iommu !== undefined) return { iommu: device.iommu, smmuNode };
  const switchedOn = others.some(([name, value]) => name === 'intel_iommu' && value === 'on');
  const behind = arch === 'x86' ? switchedOn : smmu !== undefined;
  if (!behind || deviceModel(device.kind)?.behindIommu === false) return { iommu: 'direct' };
  return { iommu: iommuPassthrough === true ? 'passthrough' : 'translated', smmuNode };
}
