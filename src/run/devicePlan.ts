/**
 * A scenario's devices as the actors take them: the area each owns, and what stands between it and
 * memory.
 */

import type { PlannedDevice } from '../devices/model.js';
import { deviceModel } from '../devices/registry.js';
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
  return scenario.devices.map((device) => {
    const area = ownArea(device, scenario, layout);
    return { ...device, ...area, ...iommuOf(device, scenario, commandLine) };
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

/**
 * An SMMU of its node (on x86 what intel_iommu= switches on) translates, unless the command line
 * says otherwise.
 */
function iommuOf(
  device: PlannedDevice,
  { machine, devices }: Scenario,
  { iommuPassthrough, others }: CommandLine,
): Pick<PlannedDevice, 'iommu' | 'smmuNode'> {
  const smmu = devices.find(({ kind, nid }) => kind === 'smmuv3' && nid === device.nid);
  const smmuNode = smmu ? smmu.numaNode : device.nid;
  if (device.iommu !== undefined) return { iommu: device.iommu, smmuNode };
  const switchedOn = others.some(([name, value]) => name === 'intel_iommu' && value === 'on');
  const behind = machine.arch === 'x86' ? switchedOn : smmu !== undefined;
  if (!behind || deviceModel(device.kind)?.behindIommu === false) return { iommu: 'direct' };
  return { iommu: iommuPassthrough === true ? 'passthrough' : 'translated', smmuNode };
}
