/**
 * Intel igb: rings from ifup to ifdown, one transmit and one receive queue per CPU up to eight.
 *
 * Models igb_setup_all_tx_resources() and its RX twin, igb_set_ringparam(), which exchanges the
 * transmit rings before it begins with the receive rings, and igb_reinit_queues(). With 256
 * descriptors a ring is one page of 4 KiB and never comes from CMA; larger ones do. Left out: the
 * statistics block, SR-IOV.
 */
import { whole } from '../parts/keys.js';
import { defineNetdev } from '../parts/netdev.js';

const DESC_BYTES = 16;
const QUEUES_MAX = 8;
const descNum = { least: 64, most: 4096, multiple: 8 };
/** ALIGN(count * sizeof(union e1000_adv_tx_desc), 4096), whatever the page size. */
const ring = (num: number): number => Math.ceil((num * DESC_BYTES) / 4096) * 4096;

export const igb = defineNetdev({
  kind: 'igb',
  summary: 'Intel igb NIC: rings from ifup to ifdown, a page each unless enlarged',
  ringsFrom: 'up',
  exchange: 'transmit, then receive',
  channels: true,
  txBytes: ring,
  rxBytes: ring,
  rxDescBytes: DESC_BYTES,
  descNum,
  batch: 64,
  keys: {
    queues: whole(0, QUEUES_MAX, 0).describe(
      'Queue pairs at most; 0 for one per CPU, of which the 82576 has 8.',
    ),
    tx_desc_num: whole(descNum.least, descNum.most, 256).describe('Descriptors per TX ring.'),
    rx_desc_num: whole(descNum.least, descNum.most, 256).describe('Descriptors per RX ring.'),
  },
  queues: (c, kernel) => c.queues || Math.min(QUEUES_MAX, kernel.cpus),
  txNum: (c) => c.tx_desc_num,
  rxNum: (c) => c.rx_desc_num,
  // igb_alloc_mapped_page(): a page per descriptor, used in halves.
  buffer: (_, kernel) => kernel.pageSize,
});
