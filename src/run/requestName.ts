/**
 * Requests by the name a person gives them: `nic0#12`, a device and the number of its call.
 */

import { memoryOf } from '../devices/memory.js';
import { deviceModel } from '../devices/registry.js';
import { actorNumbers, environmentOf, type Plan } from '../nodes/plan.js';
import { asker, ID_SPAN } from '../wire/request.js';

/** What a device's numbers advance by from call to call: the handle is in them too. */
export function callSpan(plan: Plan, device: number): number {
  const { kind, config } = plan.devices[device];
  // A number more than there are handles, for the device's page tables.
  return memoryOf(deviceModel(kind)!, config, environmentOf(plan)).handles + 1;
}

/** Name of the request of that id; null if no device made it. */
export function requestName(plan: Plan, id: number): string | null {
  const device = asker(id) - actorNumbers(plan).firstDevice;
  const { name } = plan.devices[device] ?? {};
  if (name === undefined) return null;
  return `${name}#${Math.floor((id % ID_SPAN) / callSpan(plan, device))}`;
}
