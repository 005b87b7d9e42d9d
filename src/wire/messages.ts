/**
 * Everything that crosses between actors: the types of the messages, and the tables of those that
 * are not about one request (request.ts) or one cache line (sharedLine.ts).
 *
 * A verb asks, a participle answers. A device always speaks to the node it is plugged into: that
 * node's CPUs run its driver, and walk the list of attempts on its behalf.
 */

import { Bytes, Nid, Ns, Pages, Pfn } from '../mm/units.js';
import { doubles, record } from './record.js';

/** Between devices and nodes. */
export const ALLOC = 1;
export const FREE = 2;
export const ACCESS = 3;
export const GRANTED = 4;
export const REFUSED = 5;
export const FREED = 6;
export const ACCESSED = 7;

/** Performs the step of a Request at the actor that owns its source. */
export const ATTEMPT = 8;
/** Gives pages back at their owner. */
export const RELEASE = 9;
/** alloc_contig_range() of a request in flight has ended. */
export const CONTIG_DONE = 10;
/** The allocation mutex, a token: asker -> coordinator -> last holder -> asker. */
export const MUTEX_ACQUIRE = 11;
export const MUTEX_PASS = 12;
export const MUTEX_TOKEN = 13;
/** A timeline takes memory of a node out of the buddy, or puts what it took back. */
export const TAKE_MEMORY = 14;
export const GIVE_MEMORY = 15;
/** Pages leave or re-enter the buddy without the bitmap knowing (a pin). */
export const BUSY = 16;
export const UNBUSY = 17;
/** Asks an actor to write down the state of its areas, or of its zones, under a number. */
export const OBSERVE_AREAS = 18;
export const OBSERVE_ZONES = 19;
/** Answers BUSY, UNBUSY, OBSERVE_*. */
export const OBSERVED = 20;
/** A replayer tells itself that the next recorded request is due. */
export const TIME_HAS_COME = 21;
/** Pages on other nodes that a migration may copy to: asked from node to node, then answered. */
export const TARGETS = 22;
export const TARGETED = 23;
/** Gives pages that need not lie together back, node after node. */
export const RECALL = 30;

/** A cache line that several CPUs write: to its home, and from there. */
export const LINE_ACQUIRE = 32;
export const LINE_GRANTED = 33;
export const LINE_RECALL = 34;
export const LINE_YIELD = 35;
/** The home's own: the line has arrived where it was sent. */
export const LINE_SERVED = 36;
/** An event from one device to another: a register that is written, or a message. */
export const PEER = 37;
/** To a CPU that waits for a line to change: it may look again. */
export const LINE_CHANGED = 38;

/** What a device sends itself, or a timeline sends it. */
export const START = 64;
export const OWN = 65;
export const TIMER = 66;
export const CONTROL = 67;
export const SET_NODE = 68;

/** ACCESS, at the node that holds the memory; `bytes` occupy its controller. */
export const Access = record({
  /** Comes back in ACCESSED. */
  tag: Number,
  bytes: Bytes,
  /**
   * Half trips that the answer takes: 1 for a read or an acknowledged write; 2 for a posted write
   * whose poller then misses and reads it, see machine/latency.ts.
   */
  back: Number,
  /** Node that accesses. */
  from: Nid,
  replyTo: Number,
});
export type Access = InstanceType<typeof Access>;

export const Accessed = record({ tag: Number, queued: Ns });
export type Accessed = InstanceType<typeof Accessed>;

export const ContigDone = record({ ticket: Number, errno: Number });
export type ContigDone = InstanceType<typeof ContigDone>;

/** TARGETS and TARGETED: down the zonelist of `nid`, then back to the actor that asked. */
export const Targets = record({
  ticket: Number,
  /** Pages still wanted, and found. */
  left: Pages,
  got: Pages,
  nid: Nid,
  walk: Number,
  replyTo: Number,
});
export type Targets = InstanceType<typeof Targets>;

/** MUTEX_*: the actor that wants the token. */
export const MutexMessage = record({ actor: Number });

export const Memory = record({ pages: Pages });

/** BUSY and UNBUSY. */
export const Pinning = record({ id: Number, area: Number, pfn: Pfn, pages: Pages, from: Number });
export type Pinning = InstanceType<typeof Pinning>;

export const Inspect = record({ id: Number, from: Number });
export type Inspect = InstanceType<typeof Inspect>;

/** `errno`: 0 or positive. */
export const Inspected = record({ id: Number, errno: Number });

/** PEER, CONTROL and OWN. `generation` of an OWN tells those that cancel() forgot. */
export const DeviceEvent = record({ event: Number, generation: Number, numbers: doubles(6) });
export type DeviceEvent = InstanceType<typeof DeviceEvent>;

export const Timer = record({ token: Number });

export const SetNode = record({ nid: Nid });
