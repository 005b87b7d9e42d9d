/**
 * Timeline of a run: what happens to devices and to the memory of nodes from outside, and when.
 */

import type { DeviceHost } from '../devices/host/host.js';
import { type Bytes, type Nid, type Ns, Pages } from '../mm/units.js';
import type { Loop } from '../sim/model.js';
import { GIVE_MEMORY, Memory, TAKE_MEMORY } from '../wire/messages.js';
import type { Wiring } from './wiring.js';

/** `devices`: positions in the plan. */
export type TimelineEntry =
  | {
      readonly at: Ns;
      readonly do: 'write';
      readonly devices: readonly number[];
      readonly numaNode: Nid;
    }
  | {
      readonly at: Ns;
      readonly do: 'send';
      readonly devices: readonly number[];
      readonly event: string;
      readonly numbers: readonly number[];
    }
  | {
      readonly at: Ns;
      readonly do: 'take' | 'give';
      readonly nid: Nid;
      /** Taken in whole pages. */
      readonly size: Bytes;
    };

/** The actor that an entry befalls posts it to itself, on the shard that owns it. */
export function schedule(
  loop: Loop,
  entry: TimelineEntry,
  run: {
    readonly wiring: Wiring;
    readonly host: DeviceHost;
    owns(actor: number): boolean;
    ownsDevice(device: number): boolean;
  },
): void {
  if ('nid' in entry) {
    const node = run.wiring.nodeOf[entry.nid];
    if (!run.owns(node)) return;
    loop.actor = node;
    const pages = Math.ceil(entry.size / run.wiring.directory.pageSize);
    const type = entry.do === 'take' ? TAKE_MEMORY : GIVE_MEMORY;
    new Memory().post(loop, node, entry.at, type).pages = Pages(pages);
    return;
  }
  for (const device of entry.devices.filter((one) => run.ownsDevice(one))) {
    if (entry.do === 'write') run.host.scheduleSetNode(loop, device, entry);
    else run.host.schedule(loop, device, entry);
  }
}
