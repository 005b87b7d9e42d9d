/**
 * Everything that crosses between actors, as types and the meaning of their eight doubles.
 *
 * What devices see (ALLOC, FREE, ACCESS and their answers) is in wire/dma.ts; this is the rest of the
 * closed union. A verb asks, a participle answers.
 */

/** Performs step `planStep` of a request (payload: `request` of dma.ts) at the actor that owns its source. */
export const ATTEMPT = 8;
/** Gives pages back at their owner. */
export const RELEASE = 9;
export const release = {
  id: 0,
  pfn: 1,
  pages: 2,
  /** Area that takes them, or BUDDY. */
  area: 3,
  /** Buddy order; -1: `pages` single pages. */
  order: 4,
  /** Node whose CPU waits for the answer; -1: nobody waits. */
  from: 5,
  /** Area whose bits stay set because nobody released them there, or NO_AREA. */
  leakedFrom: 6,
} as const;

/** alloc_contig_range() of the request in slot `ticket` of this actor has ended. */
export const CONTIG_DONE = 10;
export const contigDone = { ticket: 0, errno: 1 } as const;

/**
 * Pages on other nodes that a migration may copy to: from node to node down the zonelist of `nid`, then back to
 * the actor that asked. `left` more are wanted, `got` have been found.
 */
export const TARGETS = 22;
export const TARGETED = 23;
export const targets = { ticket: 0, left: 1, got: 2, nid: 3, walk: 4, replyTo: 5 } as const;

/** The allocation mutex, a token: asker -> coordinator -> last holder -> asker. */
export const MUTEX_ACQUIRE = 11;
export const MUTEX_PASS = 12;
export const MUTEX_TOKEN = 13;
export const mutex = { actor: 0 } as const;

/** A timeline takes memory of a node out of the buddy, or puts what it took back. */
export const TAKE_MEMORY = 14;
export const GIVE_MEMORY = 15;
export const memory = { pages: 0 } as const;

/** Pages [pfn, pfn + pages) leave or re-enter the buddy without the bitmap knowing (a pin). */
export const BUSY = 16;
export const UNBUSY = 17;
export const busy = { id: 0, area: 1, pfn: 2, pages: 3, from: 4 } as const;
/** Asks an actor to write down the state of its areas, or of its zones, under a number. */
export const OBSERVE_AREAS = 18;
export const OBSERVE_ZONES = 19;
export const observe = { id: 0, from: 1 } as const;
/** Answers BUSY, UNBUSY, OBSERVE_*. `value`: 0 or a positive errno. */
export const OBSERVED = 20;
export const observed = { id: 0, value: 1 } as const;

/** A replayer tells itself that the next recorded request is due. */
export const TIME_HAS_COME = 21;

/** Gives pages of a MODE_BULK request back, node after node (payload: `request`, `extra` names it). */
export const RELEASE_BULK = 30;
