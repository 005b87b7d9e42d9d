/**
 * HiSilicon accelerators behind a queue manager: what SEC, HPRE and ZIP have in common.
 *
 * Models hisi_qm_memory_init(): the event, asynchronous event, SQ and CQ contexts in one GFP_ATOMIC
 * allocation, which never comes from CMA, and then all queue pairs of the function, used or not. A
 * queue pair is one coherent allocation of its entries, completions and a page. Left out: virtual
 * functions, SVA, scatter-gather pools.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { GFP_ATOMIC } from '../../mm/gfp.js';
import { histogram } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import {
  type DeviceEnvironment,
  type DeviceModel,
  defineDevice,
  type FootprintRow,
  type Numbers,
  type Row,
  words,
} from '../model.js';
import { whole } from './keys.js';
import { life, lifeActions, lifeFields, lifeGuards, lifeTimeline } from './life.js';
import {
  ARRIVE,
  beginsBatch,
  checkTraffic,
  configureTraffic,
  droppedBatches,
  trafficKeys,
} from './traffic.js';

/** What one accelerator's driver says of its queues. */
export interface Accelerator {
  readonly kind: string;
  readonly summary: string;
  /** Bytes of one entry of a submission queue. */
  readonly sqe: number;
  /** Queue pairs of a physical function unless the module parameter says otherwise. */
  readonly queues: number;
}

const DEPTH = 1024;
const EQ_DEPTH = 2048;
const EQE_BYTES = 4;
const AEQE_BYTES = 8;
const CONTEXT_BYTES = 32;
const CQE_BYTES = 16;
/** QMC_ALIGN(): each part of the first allocation. */
const qmcAlign = (bytes: number): number => Math.ceil(bytes / 32) * 32;

const fields = [...lifeFields, 'pageSize', 'sqe', 'batch', 'queue'] as const;
type QmRow = Row<(typeof fields)[number]>;

const jobTime = histogram('job_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the accelerator reads one batch of jobs from its queue.',
});

function contextBytes(queues: number): number {
  const events = qmcAlign(EQE_BYTES * EQ_DEPTH) + qmcAlign(AEQE_BYTES * DEPTH);
  return events + 2 * qmcAlign(CONTEXT_BYTES * queues);
}

/** hisi_qp_memory_init(). */
export function queuePairBytes(sqe: number, pageSize: number): number {
  const used = (sqe + CQE_BYTES) * DEPTH;
  return Math.ceil(used / pageSize) * pageSize + pageSize;
}

const actions = {
  ...lifeActions,
  allocate: (dma: DmaApi, row: QmRow) => {
    if (row.cursor === 0) dma.alloc(0, contextBytes(row.handles - 1), GFP_ATOMIC);
    else dma.alloc(row.cursor, queuePairBytes(row.sqe, row.pageSize));
  },
  beginBatch: (dma: DmaApi, row: QmRow) => {
    const queues = row.handles - 1;
    if (!beginsBatch(dma, row, Math.floor(DEPTH / row.batch) * queues)) return;
    dma.access(1 + row.queue, row.batch * row.sqe, 1);
    row.queue = (row.queue + 1) % queues;
  },
  finishBatch: (dma: DmaApi, row: QmRow, n: Numbers) => {
    row.inflight--;
    dma.record(jobTime, n[2]);
  },
};
const guards = lifeGuards;

/** An accelerator's model from what its driver says. */
export function defineAccelerator({ kind, summary, sqe, queues }: Accelerator): DeviceModel {
  const config = checkTraffic(
    z.strictObject({
      queues: whole(1, 4096, queues).describe(
        'Queue pairs of the function (pf_q_num); all of them are allocated by the probe.',
      ),
      batch: whole(1, DEPTH, 32).describe('Jobs of one batch.'),
      ...trafficKeys(),
    }),
  );
  type Config = z.output<typeof config>;
  return defineDevice<Config, (typeof fields)[number]>({
    kind,
    summary,
    config,
    fields,
    machine: setup(words(actions, guards)).createMachine(life(kind, `#${kind}.unwinding`)),
    actions,
    guards,
    delays: {},
    statistics: [jobTime, droppedBatches],
    timeline: lifeTimeline,
    own: [ARRIVE],
    handles: (c) => 1 + c.queues,
    footprint(c, kernel: DeviceEnvironment): FootprintRow[] {
      const pair = queuePairBytes(sqe, kernel.pageSize);
      return [
        {
          purpose: 'event queues and contexts',
          bytes: contextBytes(c.queues),
          count: 1,
          cma: false,
        },
        { purpose: 'queue pair', bytes: pair, count: c.queues, cma: true },
      ];
    },
    configure(row, c, setting) {
      row.handles = 1 + c.queues;
      row.probed = row.handles;
      row.pageSize = setting.pageSize;
      row.sqe = sqe;
      row.batch = c.batch;
      configureTraffic(row, c, setting);
    },
  });
}
