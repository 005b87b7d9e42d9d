/**
 * HiSilicon HPRE, public key: 64 queue pairs of 64-byte entries, all allocated by the probe.
 *
 * Models drivers/crypto/hisilicon/hpre: HPRE_PF_DEF_Q_NUM and the entry size; everything else is the queue
 * manager's (qm.ts). Left out: buffers of a transform.
 */
import { defineAccelerator } from '../parts/qm.js';

export const hpre = defineAccelerator({
  kind: 'hpre',
  summary: 'HiSilicon HPRE, public key: all queue pairs at probe',
  sqe: 64,
  queues: 64,
});
