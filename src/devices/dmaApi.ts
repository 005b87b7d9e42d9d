/**
 * The DMA API as a device's actions see it.
 *
 * Models the calls of include/linux/dma-mapping.h that need memory, and what a driver does besides:
 * accesses, timers, events to other devices. host/driver.ts makes messages of them.
 */

import type { Nid } from '../mm/units.js';
import type { Statistic } from '../sim/statistics.js';

/** What a device's actions may do. Every call acts for the device whose event is being handled. */
export interface DmaApi {
  /** Simulated time in ns. */
  now(): number;
  /**
   * Asks for `handle` by the call that the model's memory says; answered by `granted` or `refused`.
   * `bytes`: where they are others than the model's memory says.
   */
  alloc(handle: number, bytes?: number): void;
  /** Bytes of `handle` by the model's memory; 0 for one in reserve. */
  bytes(handle: number): number;
  /**
   * Frees what `handle` holds; answered by `freed`. Returns false, and sends nothing, if it is
   * empty.
   */
  free(handle: number): boolean;
  /** True while `handle` holds memory. */
  holds(handle: number): boolean;
  /** True while nothing is held, asked for or being freed under `handle`. */
  isEmpty(handle: number): boolean;
  /** Node on which the memory of `handle` lies, -1 if it is empty. */
  nodeOf(handle: number): Nid;
  /** dev_to_node(dev) as it is. */
  devToNode(): Nid;
  /** set_dev_node(dev): what later calls ask with. */
  setDevNode(nid: number): void;
  /** Node of cpumask_local_spread(i, dev_to_node(dev)): the device's own CPUs come first. */
  localSpread(i: number): Nid;
  /** True if an IOMMU translates what the device sees. */
  translated(): boolean;
  /** A number of the list that a key's field says is kept at `offset`; number 0 is its length. */
  kept(offset: number, index: number): number;
  /**
   * One access by the device or its CPU to the memory of `handle`, of less than 4 s; answered by
   * `accessed`.
   */
  access(handle: number, bytes: number, back: 1 | 2): void;
  /**
   * As access() of a posted write, but `accessed` goes to this device's peer number `peer`, whose
   * CPU polls the memory, with `tag` as its handle.
   */
  accessFor(peer: number, handle: number, bytes: number, tag: number): void;
  /** As access(), to memory of node `nid` that another device holds; `accessed` brings `tag`. */
  accessNode(nid: number, bytes: number, back: 1 | 2, tag: number): void;
  /**
   * Sends `event` with up to five numbers to this device's peer number `peer`; it arrives `delay`
   * ns and the way from now.
   */
  send(peer: number, event: string, delay: number, a?: number, b?: number, c?: number): void;
  /**
   * One access to shared line `line` of peer 0, which lies on that peer's node: the operation and
   * its operands are those of sharedLine.ts. Begins in `delay` ns, but in the cache of this device
   * at once. Answered by `LINE`; one at a time.
   */
  line(line: number, operation: number, a?: number, b?: number, delay?: number): void;
  /** Words of its own, as many as its model says: what a row has no room for. */
  slab(): Int32Array;
  /** Sends the device its own event `event` with up to two numbers after `delay` ns. */
  after(delay: number, event: string, a?: number, b?: number): void;
  /** Forgets all events sent by `after` that are pending. */
  cancel(): void;
  /**
   * Records one value of a histogram the device model declared, in whole units; adds to a counter.
   */
  record(statistic: Statistic, value: number): void;
  /** Uniform in [0, 1), from the device's own stream. */
  uniform(): number;
  /** Exponential with this mean, from the device's own stream. */
  exponential(mean: number): number;
}
