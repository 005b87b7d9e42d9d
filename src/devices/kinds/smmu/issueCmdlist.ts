/**
 * arm_smmu_cmdq_issue_cmdlist(): how one CPU gets a list of commands into the queue of an SMMU.
 *
 * Models v5.4 and later, and John Garry's atomic add of August 2020 where `cmdq` says so: room in
 * the queue, the stores, the shared lock, the valid bits, the owner that gathers and publishes, the
 * wait for CMD_SYNC, the shared lock again. Every access to a line that other CPUs write goes
 * through its home (sharedLine.ts). A queue that is nearly full starves the shared lock as in
 * kernels before df180b1a4cc5 (2025). Left out: the time-outs, the ten relaxed spins before the
 * delays of queue_poll(), lines of the queue itself that two CPUs write.
 */
import { counter, histogram } from '../../../sim/statistics.js';
import * as shared from '../../../wire/sharedLine.js';
import { CMDQ_LOCK, CONS, LLQ, op, VALID } from '../../../wire/sharedLine.js';
import type { DmaApi } from '../../dmaApi.js';
import { type DeviceRow, type Numbers, number } from '../../model.js';
import { CMD_BYTES } from './smmuMemory.js';

const CMDQ_BATCH_ENTRIES = 64;
/** Tag of a CPU's own stores to the queue. */
const STORES = 0;
/** queue_poll(): the first delay, which doubles, in ns. */
const POLL_DELAY = 1_000;

export const roomTime = histogram('cmdq_room_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'Part of issuing a list in which the CPU takes room in the queue: the cmpxchg() loop.',
});
export const listTime = histogram('cmdlist_ns', {
  unit: 'ns',
  class: 'calibrated',
  help: 'arm_smmu_cmdq_issue_cmdlist() from its call to its return.',
});
export const gathered = histogram('cmdq_gathered', {
  unit: 'commands',
  class: 'calibrated',
  help: 'Commands an owner publishes with one write of PROD.',
});
const ends = { lost: 'failed', won: 'took it' } as const;
export const claims = (['lost', 'won'] as const).map((how) =>
  counter(`cmdq_claim.${how}`, {
    unit: '1',
    class: 'calibrated',
    help: `cmpxchg() or fetch_add() for room in the queue that ${ends[how]}.`,
  }),
);

export const cmdlistState = [
  'queueNid',
  'entries',
  'listMax',
  // The list being issued: commands without CMD_SYNC, whether it ends in one, commands after it.
  'n',
  'sync',
  'left',
  'version',
  'pause',
  'prod',
  'owner',
  'gathering',
  // What the owner publishes.
  'end',
  'syncs',
  'cons',
  'backoff',
  'synced',
  'listNs',
  'storeNs',
] as const;
type CmdlistRow = DeviceRow<
  (typeof cmdlistState)[number] | 'index' | 'cmdq' | 'retry_time' | 'mmio_time'
>;
/** Position of `atomic-add` among the values of `cmdq`; the other is 0. */
const ATOMIC_ADD = 1;

const word = (n: Numbers, index: number): number => n[number.line.words + index];
/** Commands of the list with its CMD_SYNC. */
const listSize = (row: CmdlistRow): number => row.n + row.sync;
const parity = (row: CmdlistRow): number => row.gathering % 2;

/**
 * Commands of a list at most. An atomic add takes room that may not be there yet, and its owner
 * waits for all it gathers: what all CPUs may have taken must fit in the queue, one list each.
 */
export function listMax(row: Pick<CmdlistRow, 'cmdq' | 'entries'>, cpus: number): number {
  if (row.cmdq !== ATOMIC_ADD) return CMDQ_BATCH_ENTRIES;
  return Math.min(CMDQ_BATCH_ENTRIES, Math.max(1, Math.floor(row.entries / cpus) - 1));
}

/** Cuts `commands` into lists; the last one ends in a CMD_SYNC, with the atomic add every one. */
export function beginLists(row: CmdlistRow, commands: number): void {
  row.left = commands;
  nextList(row);
}

function nextList(row: CmdlistRow): void {
  row.n = Math.min(row.left, row.listMax);
  row.left -= row.n;
  row.sync = row.left === 0 || row.cmdq === ATOMIC_ADD ? 1 : 0;
}

export const actions = {
  beginList: (dma: DmaApi, row: CmdlistRow) => {
    row.listNs = dma.now();
    row.backoff = POLL_DELAY;
    row.synced = 0;
  },
  nextList: (_dma: DmaApi, row: CmdlistRow) => nextList(row),
  readQueue: (dma: DmaApi) => dma.line(LLQ, op.read),
  noteQueue: (_dma: DmaApi, row: CmdlistRow, n: Numbers) => {
    row.version = word(n, shared.llq.version);
    row.pause = 0;
  },
  claim: (dma: DmaApi, row: CmdlistRow) => {
    dma.line(LLQ, op.claim, row.version, listSize(row), row.pause);
  },
  countLoss: (dma: DmaApi, row: CmdlistRow, n: Numbers) => {
    dma.record(claims[0], 1);
    row.version = word(n, shared.llq.version);
    row.pause = row.retry_time;
  },
  /** What the line held before the access: room from `prod` on, and who publishes it. */
  takeRoom: (dma: DmaApi, row: CmdlistRow, n: Numbers) => {
    dma.record(claims[1], 1);
    row.prod = word(n, shared.llq.prod);
    row.owner = word(n, shared.llq.owned) === 0 ? 1 : 0;
    row.gathering = word(n, shared.llq.gathering);
  },
  reserve: (dma: DmaApi, row: CmdlistRow) => dma.line(LLQ, op.reserve, listSize(row), row.sync),
  readCons: (dma: DmaApi) => dma.line(CONS, op.read),
  // arm_smmu_cmdq_poll_until_not_full()
  tryLock: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.trylock),
  readConsRegister: (dma: DmaApi, row: CmdlistRow) => {
    dma.send(0, 'READ_CONS', row.mmio_time, row.index);
  },
  /** After an event: on the die the register is read within the time of the event. */
  readConsAwake: (dma: DmaApi, row: CmdlistRow) => dma.send(0, 'READ_CONS', 0, row.index),
  noteCons: (_dma: DmaApi, row: CmdlistRow, n: Numbers) => {
    row.cons = n[0];
  },
  storeCons: (dma: DmaApi, row: CmdlistRow) => {
    if (row.cmdq === ATOMIC_ADD) dma.line(CONS, op.store, shared.cons.cons, row.cons);
    else dma.line(LLQ, op.store, shared.llq.cons, row.cons);
  },
  unlock: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.store, shared.lock.lock, 0),
  watchQueue: (dma: DmaApi, row: CmdlistRow) => {
    dma.line(row.cmdq === ATOMIC_ADD ? CONS : LLQ, op.read);
  },
  backOff: (_dma: DmaApi, row: CmdlistRow) => {
    row.backoff *= 2;
  },
  /** The stores of a list, and the barrier that waits for the last of them. */
  writeEntries: (dma: DmaApi, row: CmdlistRow) => {
    dma.record(roomTime, dma.now() - row.listNs);
    row.storeNs = dma.now();
    dma.send(0, 'WROTE', 0, row.prod, listSize(row), row.sync === 1 ? row.index + 1 : 0);
    dma.accessNode(row.queueNid, listSize(row) * CMD_BYTES, 1, STORES);
  },
  share: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.share, 1),
  /** cmdq->valid_map is a pointer in the line of the lock. */
  readMap: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.read),
  setValid: (dma: DmaApi, row: CmdlistRow) => dma.line(VALID, op.add, parity(row), listSize(row)),
  awaitTurn: (dma: DmaApi, row: CmdlistRow) => {
    dma.line(CMDQ_LOCK, op.await, shared.lock.ownerProd, row.prod);
  },
  gather: (dma: DmaApi, row: CmdlistRow) => dma.line(LLQ, op.gather, row.cmdq),
  noteGathered: (dma: DmaApi, row: CmdlistRow, n: Numbers) => {
    row.end = word(n, shared.llq.prod);
    row.syncs = row.cmdq === ATOMIC_ADD ? word(n, shared.sum.syncs) : 0;
    dma.record(gathered, row.end - row.prod);
  },
  takeValid: (dma: DmaApi, row: CmdlistRow) => {
    dma.line(VALID, op.take, parity(row), row.end - row.prod);
  },
  shareAll: (dma: DmaApi, row: CmdlistRow) => dma.line(CMDQ_LOCK, op.share, row.syncs),
  publish: (dma: DmaApi, row: CmdlistRow) => {
    dma.send(0, 'PROD', 0, row.end);
    dma.line(CMDQ_LOCK, op.store, shared.lock.ownerProd, row.end);
  },
  noteSynced: (_dma: DmaApi, row: CmdlistRow) => {
    row.synced = 1;
  },
  // arm_smmu_cmdq_shared_tryunlock()
  readLock: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.read),
  noteEnd: (_dma: DmaApi, row: CmdlistRow) => {
    row.cons = row.prod + listSize(row);
  },
  dropLock: (dma: DmaApi) => dma.line(CMDQ_LOCK, op.add, shared.lock.lock, -1),
  endList: (dma: DmaApi, row: CmdlistRow) => dma.record(listTime, dma.now() - row.listNs),
};

/** queue_has_space(): room for the list behind what the line says is in the queue. */
function hasSpace(row: CmdlistRow, prod: number, cons: number): boolean {
  return row.entries - (prod - cons) >= listSize(row);
}

export const guards = {
  addsAtomically: (_dma: DmaApi, row: CmdlistRow) => row.cmdq === ATOMIC_ADD,
  hasRoom: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    hasSpace(row, word(n, shared.llq.prod), word(n, shared.llq.cons)),
  /** Of an atomic add: the room it took is free. */
  roomIsFree: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    hasSpace(row, row.prod, word(n, shared.cons.cons)),
  claimed: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    word(n, shared.llq.version) === row.version,
  lockIsFree: (_dma: DmaApi, _row: CmdlistRow, n: Numbers) => word(n, shared.lock.lock) === 0,
  /** queue_full() no longer, or with the atomic add: the own room is free. */
  notFull: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    row.cmdq === ATOMIC_ADD
      ? hasSpace(row, row.prod, word(n, shared.cons.cons))
      : row.entries > word(n, shared.llq.prod) - word(n, shared.llq.cons),
  /** With the atomic add the owner takes the shared lock for all it gathers. */
  sharesItself: (_dma: DmaApi, row: CmdlistRow) => row.cmdq !== ATOMIC_ADD && row.sync === 1,
  isShared: (_dma: DmaApi, _row: CmdlistRow, n: Numbers) => word(n, shared.lock.lock) >= 0,
  isOwner: (_dma: DmaApi, row: CmdlistRow) => row.owner === 1,
  hasSync: (_dma: DmaApi, row: CmdlistRow) => row.sync === 1,
  myTurn: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    word(n, shared.lock.ownerProd) === row.prod,
  allValid: (_dma: DmaApi, row: CmdlistRow, n: Numbers) =>
    word(n, parity(row)) >= row.end - row.prod,
  sharesForAll: (_dma: DmaApi, row: CmdlistRow) => row.syncs > 0,
  isSynced: (_dma: DmaApi, row: CmdlistRow) => row.synced === 1,
  isLast: (_dma: DmaApi, _row: CmdlistRow, n: Numbers) => word(n, shared.lock.lock) === 1,
  moreLists: (_dma: DmaApi, row: CmdlistRow) => row.left > 0,
};

export const delays = {
  /** cpu_relax(): a loop that finds the queue full takes some time, even in a cache. */
  relax: (_dma: DmaApi, row: CmdlistRow) => Math.max(1, row.retry_time),
  backoff: (_dma: DmaApi, row: CmdlistRow) => row.backoff,
};

type ActionName = keyof typeof actions;
type GuardName = keyof typeof guards;
/** A way out of a state; one without a guard is always open. */
interface Way {
  readonly guard?: GuardName;
  readonly target: string;
  readonly reenter?: boolean;
  readonly actions?: ActionName;
}

/** A state that accesses a shared line, and goes the first way that is open when it has it. */
const accessing = (entry: ActionName | readonly ActionName[], ...ways: (Way | string)[]) => {
  const LINE = ways.map((way) => (typeof way === 'string' ? { target: way } : way));
  return { entry, on: { LINE } };
};

/**
 * The states, for a machine whose id is `id`; `done` is where it goes when all lists are issued.
 */
export const states = (id: string, done: string) => {
  const to = (state: string): string => `#${id}.issuing.${state}`;
  /** Spins on a line: asks again when it has changed. */
  const spinning = (action: ActionName, guard: GuardName, target: string) => ({
    initial: 'asking',
    states: {
      asking: accessing(action, { guard, target: to(target) }, 'watching'),
      watching: { on: { LOST: 'asking' } },
    },
  });
  const next = [{ guard: 'hasSync', target: to('syncing') }, { target: to('ending') }] as const;
  return {
    initial: 'beginning',
    on: {
      ACCESSED: { actions: 'noteSynced' },
      SYNCED: { actions: 'readConsAwake' },
      CONS: { actions: 'noteSynced' },
    },
    states: {
      // 1. Room in the queue, and whether another CPU publishes it.
      beginning: {
        entry: 'beginList',
        always: [{ guard: 'addsAtomically', target: 'adding' }, { target: 'reading' }],
      },
      reading: accessing(
        'readQueue',
        { guard: 'hasRoom', target: 'claiming', actions: 'noteQueue' },
        'full',
      ),
      claiming: accessing(
        'claim',
        { guard: 'claimed', target: 'writing', actions: 'takeRoom' },
        { guard: 'hasRoom', target: 'claiming', reenter: true, actions: 'countLoss' },
        { target: 'full', actions: 'countLoss' },
      ),
      adding: accessing('reserve', { target: 'checking', actions: 'takeRoom' }),
      checking: accessing('readCons', { guard: 'roomIsFree', target: 'writing' }, 'full'),
      full: {
        initial: 'trying',
        states: {
          trying: accessing('tryLock', { guard: 'lockIsFree', target: 'asking' }, 'watching'),
          asking: {
            entry: 'readConsRegister',
            on: { CONS: { target: 'storing', actions: 'noteCons' } },
          },
          storing: accessing('storeCons', 'unlocking'),
          unlocking: accessing('unlock', 'retrying'),
          watching: accessing('watchQueue', { guard: 'notFull', target: 'retrying' }, 'waiting'),
          waiting: { after: { backoff: { target: 'watching', actions: 'backOff' } } },
          retrying: {
            after: {
              relax: [
                { guard: 'addsAtomically', target: to('checking') },
                { target: to('reading') },
              ],
            },
          },
        },
      },
      // 2. The commands.
      writing: {
        entry: 'writeEntries',
        on: { ACCESSED: [{ guard: 'sharesItself', target: 'locking' }, { target: 'locating' }] },
      },
      locking: spinning('share', 'isShared', 'locating'),
      // 3. Their valid bits.
      locating: accessing('readMap', 'marking'),
      marking: accessing('setValid', { guard: 'isOwner', target: 'owning' }, ...next),
      // 4. The owner waits for the one before it, ends the gathering, waits for the bits.
      owning: spinning('awaitTurn', 'myTurn', 'gathering'),
      gathering: accessing('gather', { target: 'collecting', actions: 'noteGathered' }),
      collecting: spinning('takeValid', 'allValid', 'collected'),
      collected: {
        always: [{ guard: 'sharesForAll', target: 'sharing' }, { target: 'publishing' }],
      },
      sharing: spinning('shareAll', 'isShared', 'publishing'),
      publishing: accessing('publish', ...next),
      // 5. CMD_SYNC; the last one out tells others how far the SMMU is.
      syncing: { always: { guard: 'isSynced', target: 'leaving' } },
      leaving: accessing(
        ['noteEnd', 'readLock'],
        { guard: 'isLast', target: 'updating' },
        'dropping',
      ),
      updating: accessing('storeCons', 'dropping'),
      dropping: accessing('dropLock', 'ending'),
      ending: {
        entry: 'endList',
        always: [
          { guard: 'moreLists', target: 'beginning', actions: 'nextList' },
          { target: done },
        ],
      },
    },
  } as const;
};
