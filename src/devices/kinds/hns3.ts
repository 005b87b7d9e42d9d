/**
 * HiSilicon hns3: command queues, rings and page pools that live from probe to removal.
 *
 * Models hclge_comm_cmd_queue_init(), hns3_init_all_ring() in hns3_client_init(), and
 * hns3_set_ringparam(), which takes new rings before it lets go of the old ones; up and down do not
 * touch them. Pages of a page pool are taken as the largest blocks that are free. Left out:
 * tx_spare buffers (translated domains of hip09), pages of order 1 for buffers over half a page.
 */
import { bytes, whole } from '../parts/keys.js';
import { defineNetdev } from '../parts/netdev.js';

const DESC_BYTES = 32;
const CMDQ_DESC_NUM = 1024;
const descNum = { least: 72, most: 32_760, multiple: 8 };

export const hns3 = defineNetdev({
  kind: 'hns3',
  summary: 'HiSilicon hns3 NIC: command queues, rings and page pools from probe to removal',
  probe: [
    { purpose: 'command queue', bytes: CMDQ_DESC_NUM * DESC_BYTES },
    { purpose: 'command queue', bytes: CMDQ_DESC_NUM * DESC_BYTES },
  ],
  ringsFrom: 'probe',
  exchange: 'all at once',
  channels: true,
  txBytes: (num) => num * DESC_BYTES,
  rxBytes: (num) => num * DESC_BYTES,
  rxDescBytes: DESC_BYTES,
  descNum,
  batch: 256,
  keys: {
    queues: whole(1, 1024, 16).describe('Queue pairs; hip08 has 16 per function.'),
    desc_num: whole(descNum.least, descNum.most, 1024).describe('Descriptors per ring.'),
    rx_buffer: bytes(2048).describe(
      'Bytes of one receive buffer; rings of them come from page pools.',
    ),
  },
  queues: (c) => c.queues,
  txNum: (c) => c.desc_num,
  rxNum: (c) => c.desc_num,
  buffer: (c) => c.rx_buffer,
});
