/**
 * HiSilicon accelerators behind a queue manager: SEC (cipher, hash), HPRE (public key), ZIP.
 *
 * Models hisi_qm_memory_init(): the event, asynchronous event, SQ and CQ contexts in one GFP_ATOMIC
 * allocation, which never comes from CMA, and then all queue pairs of the function, used or not. A
 * queue pair is one coherent allocation of its entries, completions and a page. A driver
 * (drivers/crypto/hisilicon) differs in its entries and in how many pairs it has, such as
 * SEC_PF_DEF_Q_NUM. Left out: virtual functions, SVA, scatter-gather pools, buffers of a transform.
 */
import { histogram } from '../../sim/statistics.js';
import type { DeviceModel } from '../model.js';
import { whole } from '../parts/keys.js';
import { defineLifeDevice } from '../parts/life.js';
import { beginsBatch } from '../parts/traffic.js';

/** What one accelerator's driver says of its queues. */
interface Accelerator {
  readonly kind: string;
  readonly does: string;
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

function defineAccelerator({ kind, does, sqe, queues }: Accelerator): DeviceModel {
  return defineLifeDevice({
    kind,
    summary: `HiSilicon ${kind.toUpperCase()}, ${does}: all queue pairs at probe`,
    keys: {
      queues: whole(1, 4096, queues).describe(
        'Queue pairs of the function (pf_q_num); all of them are allocated by the probe.',
      ),
      batch: whole(1, DEPTH, 32).describe('Jobs of one batch.'),
    },
    state: ['queue'],
    actions: {
      beginBatch(dma, row) {
        if (!beginsBatch(dma, row, Math.floor(DEPTH / row.batch) * row.queues)) return;
        dma.access(1 + row.queue, row.batch * sqe, 1);
        row.queue = (row.queue + 1) % row.queues;
      },
    },
    took: jobTime,
    memory: (c, { pageSize }) => [
      { purpose: 'event queues and contexts', how: 'atomic', bytes: contextBytes(c.queues) },
      { purpose: 'queue pair', bytes: queuePairBytes(sqe, pageSize), count: c.queues },
    ],
  });
}

export const accelerators = [
  { kind: 'sec', does: 'symmetric cipher and hash', sqe: 128, queues: 256 },
  { kind: 'hpre', does: 'public key', sqe: 64, queues: 64 },
  { kind: 'zip', does: 'compression', sqe: 128, queues: 64 },
].map(defineAccelerator);
