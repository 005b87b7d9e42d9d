/**
 * The cache lines that CPUs of one SMMU contend for, and the atomics they do on them.
 *
 * Models the layout of struct arm_smmu_cmdq: `q.llq` is one line, `valid_map`, `owner_prod` and
 * `lock` share the next, the bits of the valid map are a third; with John Garry's atomic add (2020)
 * `cons` leaves `llq` for a line of its own. A line holds five numbers and moves as a whole. Left
 * out: copies that are read again later (a read asks the home every time), lines of the valid map
 * beyond the one in use (512 entries).
 */

import { doubles, record } from './record.js';

/** Lines of one SMMU, by number. */
export const LLQ = 0;
export const CMDQ_LOCK = 1;
export const VALID = 2;
export const CONS = 3;
export const LINES = 4;
export const WORDS = 5;

/** LINE_ACQUIRE (CPU -> the line's home, the node it lies on) asks for one access. */
export const LineAcquire = record({ line: Number, op: Number, a: Number, b: Number, from: Number });
export type LineAcquire = InstanceType<typeof LineAcquire>;

/**
 * LINE_GRANTED brings the words as they were before the access; LINE_YIELD answers LINE_RECALL.
 * `keep`: 1 if the line stays until it is recalled.
 */
export const LineWords = record({ line: Number, words: doubles(WORDS), keep: Number });
export type LineWords = InstanceType<typeof LineWords>;

/** LINE_RECALL, LINE_CHANGED and LINE_SERVED. */
export const LineMessage = record({ line: Number });

/**
 * `llq`: positions count commands since probe and do not wrap. `version` stands for the 64-bit
 * value that cmpxchg compares, which never comes back. `gathering` numbers what one owner
 * publishes.
 */
export const llq = { prod: 0, cons: 1, owned: 2, version: 3, gathering: 4 } as const;
/** With the atomic add: lists gathered, and those of them that end in a CMD_SYNC. */
export const sum = { prod: 0, syncs: 1, owned: 2, version: 3, gathering: 4 } as const;
export const lock = { ownerProd: 0, lock: 1 } as const;
export const cons = { cons: 0 } as const;

/** What exclusive_trylock() leaves in `lock`. */
const EXCLUSIVE = -(2 ** 31);

/** What a CPU does to a line it has; `a` and `b` are its operands. */
export const op = {
  read: 0,
  /** words[a] += b */
  add: 1,
  /** words[a] = b */
  store: 2,
  /** cmpxchg() of {prod | owned, cons}: takes room for b commands if the version is a. */
  claim: 3,
  /** fetch_add(): takes room for a commands, b of them CMD_SYNC, unconditionally. */
  reserve: 4,
  /** fetch_andnot() of the owner: ends the gathering. */
  gather: 5,
  /** Takes b from words[a] if that much is there. */
  take: 6,
  /** exclusive_trylock() */
  trylock: 7,
  /** shared_lock() for a holders, unless it is held exclusively. */
  share: 8,
  /** Waits for words[a] to be b. */
  await: 9,
} as const;

/** One access to a line: an operation and its operands. */
export interface LineAccess {
  readonly op: number;
  readonly a: number;
  readonly b: number;
}

/** True if an operation finds what it waits for, or waits for nothing. */
export function satisfied(
  words: Float64Array,
  at: number,
  { op: what, a, b }: LineAccess,
): boolean {
  if (what === op.take) return words[at + a] >= b;
  if (what === op.share) return words[at + lock.lock] >= 0;
  if (what === op.await) return words[at + a] === b;
  return true;
}

/** True if an operation leaves the line to others: a read, or a wait that goes on. */
export function onlyReads(words: Float64Array, at: number, access: LineAccess): boolean {
  if (access.op === op.read || access.op === op.await) return true;
  return !satisfied(words, at, access);
}

/** Does one operation on the words at `at`; what they were before is what the CPU gets. */
export function perform(words: Float64Array, at: number, { op: what, a, b }: LineAccess): void {
  switch (what) {
    case op.read:
    case op.await:
      return;
    case op.add:
      words[at + a] += b;
      return;
    case op.store:
      if (words[at + a] !== b) words[at + llq.version]++;
      words[at + a] = b;
      return;
    case op.claim:
      if (words[at + llq.version] !== a) return;
      words[at + llq.prod] += b;
      words[at + llq.owned] = 1;
      words[at + llq.version]++;
      return;
    case op.reserve:
      words[at + sum.prod] += a;
      words[at + sum.syncs] += b;
      words[at + sum.owned]++;
      words[at + sum.version]++;
      return;
    case op.gather:
      words[at + llq.owned] = 0;
      if (a === 1) words[at + sum.syncs] = 0;
      words[at + llq.version]++;
      words[at + llq.gathering]++;
      return;
    case op.take:
      if (words[at + a] >= b) words[at + a] -= b;
      return;
    case op.trylock:
      if (words[at + lock.lock] === 0) words[at + lock.lock] = EXCLUSIVE;
      return;
    case op.share:
      if (words[at + lock.lock] >= 0) words[at + lock.lock] += a;
      return;
    default:
      throw new Error(`operation ${what} on a shared line`);
  }
}

/** What a cache has of a line: its words if it is held, and the access that waits for it. */
const Cached = record({ words: doubles(WORDS), held: Number, op: Number, a: Number, b: Number }, 9);

/** Lines that the devices of a host hold in their caches: the CPU's side of the protocol. */
export class LineCaches {
  readonly #of = new Map<number, Float64Array>();
  readonly #cached = new Cached();

  /** A device's line; there is room for its lines once it is first asked for. */
  #line(device: number, line: number): InstanceType<typeof Cached> {
    let cache = this.#of.get(device);
    if (cache === undefined) {
      cache = new Float64Array(LINES * Cached.width);
      this.#of.set(device, cache);
    }
    return this.#cached.on(cache, line * Cached.width);
  }

  holds(device: number, line: number): boolean {
    return this.#line(device, line).held === 1;
  }

  /** Notes an access that goes to the line's home. */
  ask(device: number, line: number, access: LineAccess): void {
    const cached = this.#line(device, line);
    cached.op = access.op;
    cached.a = access.a;
    cached.b = access.b;
  }

  /** Does an access to a line that is held; the words as they were before go to `out`. */
  hit(device: number, line: number, access: LineAccess, out: LineWords): void {
    const cached = this.#line(device, line);
    copyWords(cached, out);
    perform(cached.m, cached.words, access);
  }

  /** The line has come to stay: the access that waited is done on its words. */
  keep(device: number, line: number, granted: LineWords): void {
    const cached = this.#line(device, line);
    copyWords(granted, cached);
    cached.held = 1;
    perform(cached.m, cached.words, cached);
  }

  /** Gives the line up; its words go to `out`. */
  yield(device: number, line: number, out: LineWords): void {
    const cached = this.#line(device, line);
    if (cached.held !== 1) throw new Error(`line ${line} is recalled, expected it to be held`);
    cached.held = 0;
    copyWords(cached, out);
  }
}

interface Words {
  readonly m: Float64Array;
  readonly words: number;
}

export function copyWords(from: Words, to: Words): void {
  for (let word = 0; word < WORDS; word++) to.m[to.words + word] = from.m[from.words + word];
}
