/**
 * Names of requests as a person gives them: `nic0#12`, a device and the number of its call.
 */

import { memoryOf } from '../devices/memory.js';
import { deviceModel } from '../devices/registry.js';
import { actorNumbers, environmentOf, type Plan } from '../nodes/plan.js';
import { asker, ID_SPAN } from '../wire/request.js';

export class RequestNames {
  readonly #plan: Plan;
  readonly #firstDevice: number;
  /** Device -> what its numbers advance by from call to call: the handle is in them too. */
  readonly #spans = new Map<number, number>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#firstDevice = actorNumbers(plan).firstDevice;
  }

  /** Name of the request of that id; null if no device made it. */
  of(id: number): string | null {
    const device = asker(id) - this.#firstDevice;
    const { name } = this.#plan.devices[device] ?? {};
    if (name === undefined) return null;
    return `${name}#${Math.floor((id % ID_SPAN) / this.#span(device))}`;
  }

  /** True for pages of an IOMMU's page tables: the number after the last handle stands for them. */
  isTables(id: number): boolean {
    const span = this.#span(asker(id) - this.#firstDevice);
    return (id % ID_SPAN) % span === span - 1;
  }

  /** Ids [first, end) that call `number` of a device may have, whatever its handle. */
  idsOf(device: number, number: number): readonly [first: number, end: number] {
    const span = this.#span(device);
    const first = (this.#firstDevice + device) * ID_SPAN + number * span;
    return [first, first + span];
  }

  #span(device: number): number {
    const known = this.#spans.get(device);
    if (known !== undefined) return known;
    const { kind, config } = this.#plan.devices[device];
    // A number more than there are handles, for the device's page tables.
    const { handles } = memoryOf(deviceModel(kind)!, config, environmentOf(this.#plan));
    const span = handles + 1;
    this.#spans.set(device, span);
    return span;
  }
}
