/**
 * The device models there are. Adding one is one file and one entry of this list.
 *
 * A scenario may name a module with models of its own: each thread that loads it registers them.
 */
import { allocator } from './allocator.js';
import { display } from './display.js';
import { e1000e } from './e1000e.js';
import { hns3 } from './hns3.js';
import { hpre } from './hpre.js';
import { igb } from './igb.js';
import { ixgbe } from './ixgbe.js';
import { mlx5 } from './mlx5.js';
import type { DeviceModel } from './model.js';
import { nvme } from './nvme.js';
import { sec } from './sec.js';
import { smmuCpu } from './smmuCpu.js';
import { smmuv3 } from './smmuv3.js';
import { vb2 } from './vb2.js';
import { virtionet } from './virtionet.js';
import { wifi } from './wifi.js';
import { zip } from './zip.js';

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
  sec,
  hpre,
  zip,
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
