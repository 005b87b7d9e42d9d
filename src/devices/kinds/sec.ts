/**
 * HiSilicon SEC, symmetric cipher and hash: 256 queue pairs of 128-byte entries, all allocated by the probe.
 *
 * Models drivers/crypto/hisilicon/sec2: SEC_PF_DEF_Q_NUM and the entry size; everything else is the queue
 * manager's (qm.ts). Left out: buffers of a transform.
 */
import { defineAccelerator } from '../parts/qm.js';

export const sec = defineAccelerator({
  kind: 'sec',
  summary: 'HiSilicon SEC, symmetric cipher and hash: all queue pairs at probe',
  sqe: 128,
  queues: 256,
});
