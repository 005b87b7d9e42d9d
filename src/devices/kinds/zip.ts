/**
 * HiSilicon ZIP, compression: 64 queue pairs of 128-byte entries, all allocated by the probe.
 *
 * Models drivers/crypto/hisilicon/zip: HZIP_PF_DEF_Q_NUM and the entry size; everything else is the queue
 * manager's (qm.ts). Left out: buffers of a transform.
 */
import { defineAccelerator } from '../parts/qm.js';

export const zip = defineAccelerator({
  kind: 'zip',
  summary: 'HiSilicon ZIP, compression: all queue pairs at probe',
  sqe: 128,
  queues: 64,
});
