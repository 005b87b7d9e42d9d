/**
 * Intel ixgbe: rings from ifup to ifdown, each asked for on the node of its vector's CPU.
 *
 * Models ixgbe_setup_tx_resources() and its RX twin: set_dev_node() to the node of the queue vector
 * (cpumask_local_spread() in ixgbe_alloc_q_vector()), dma_alloc_coherent(), set_dev_node() back,
 * and where that failed once more on the device's own node. A ring is freed with the device's node,
 * not with the one it was asked for on. Left out: XDP rings, DCB and SR-IOV, in which vectors stay
 * on the device's node.
 */
import { whole } from '../parts/keys.js';
import { defineNetdev } from '../parts/netdev.js';

const DESC_BYTES = 16;
/** IXGBE_MAX_FDIR_INDICES: with ATR there is a queue pair per CPU up to this. */
const QUEUES_MAX = 63;
const descNum = { least: 64, most: 4096, multiple: 8 };
const ring = (num: number): number => Math.ceil((num * DESC_BYTES) / 4096) * 4096;

export const ixgbe = defineNetdev({
  kind: 'ixgbe',
  summary: "Intel ixgbe NIC: rings on the nodes of its vectors' CPUs, freed by the device's node",
  ringsFrom: 'up',
  exchange: 'transmit, then receive',
  channels: true,
  onVectorNode: true,
  txBytes: ring,
  rxBytes: ring,
  rxDescBytes: DESC_BYTES,
  descNum,
  batch: 64,
  keys: {
    queues: whole(0, QUEUES_MAX, 0).describe('Queue pairs; 0 for one per CPU, at most 63.'),
    tx_desc_num: whole(descNum.least, descNum.most, 512).describe('Descriptors per TX ring.'),
    rx_desc_num: whole(0, descNum.most, 0).describe(
      "Descriptors per RX ring; 0 for the driver's: 512, or 128 with pages of 8 KiB and more.",
    ),
  },
  queues: (c, kernel) => c.queues || Math.min(QUEUES_MAX, kernel.cpus),
  txNum: (c) => c.tx_desc_num,
  rxNum: (c, kernel) => c.rx_desc_num || (kernel.pageSize < 8192 ? 512 : 128),
  buffer: (_, kernel) => kernel.pageSize,
});
