/**
 * The device models there are. Adding one is one file and one entry of this list.
 *
 * A scenario may name a module with models of its own: each thread that loads it registers them.
 */
import { allocator } from './kinds/allocator.js';
import { display } from './kinds/display.js';
import { e1000e } from './kinds/e1000e.js';
import { accelerators } from './kinds/hisilicon.js';
import { hns3 } from './kinds/hns3.js';
import { igb } from './kinds/igb.js';
import { ixgbe } from './kinds/ixgbe.js';
import { mlx5 } from './kinds/mlx5.js';
import { nvme } from './kinds/nvme.js';
import { smmuCpu } from './kinds/smmu/smmuCpu.js';
import { smmuv3 } from './kinds/smmu/smmuv3.js';
import { vb2 } from './kinds/vb2.js';
import { virtionet } from './kinds/virtionet.js';
import { wifi } from './kinds/wifi.js';
import type { DeviceModel } from './model.js';

export const devices: readonly DeviceModel[] = [
  smmuv3,
  hns3,
  ixgbe,
  igb,
  e1000e,
  mlx5,
  virtionet,
  nvme,
  vb2,
  display,
  ...accelerators,
  wifi,
  allocator,
  smmuCpu,
];

const registered: DeviceModel[] = [];

/**
 * Makes a model known to this thread.
 * @throws Error if a model of that kind is known and is not this one.
 */
export function registerDevice(model: DeviceModel): void {
  const known = deviceModel(model.kind);
  if (known === model) return;
  if (known) throw new Error(`device ${model.kind} is registered twice`);
  registered.push(model);
}

/** All models of this thread: ours, then those registered. */
export function deviceModels(): readonly DeviceModel[] {
  return [...devices, ...registered];
}

export function deviceModel(kind: string): DeviceModel | undefined {
  return deviceModels().find((model) => model.kind === kind);
}
