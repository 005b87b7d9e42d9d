/**
 * Intel e1000e: one transmit and one receive ring from ifup to ifdown.
 *
 * Models e1000e_setup_tx_resources(), e1000e_setup_rx_resources(), whose descriptors are those of a
 * packet split and take twice the room, and e1000_set_ringparam(), which takes both new rings
 * before it frees the old ones. Left out: receive buffers as fragments of larger pages.
 */
import { bytes, whole } from '../parts/keys.js';
import { defineNetdev } from '../parts/netdev.js';

const TX_DESC_BYTES = 16;
const RX_DESC_BYTES = 32;
const descNum = { least: 64, most: 4096, multiple: 8 };
const aligned = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;

export const e1000e = defineNetdev({
  kind: 'e1000e',
  summary: 'Intel e1000e NIC: one ring each way from ifup to ifdown',
  ringsFrom: 'up',
  exchange: 'all at once',
  txBytes: (num) => aligned(num * TX_DESC_BYTES),
  rxBytes: (num) => aligned(num * RX_DESC_BYTES),
  rxDescBytes: RX_DESC_BYTES,
  descNum,
  batch: 64,
  keys: {
    tx_desc_num: whole(descNum.least, descNum.most, 256).describe('Descriptors of the TX ring.'),
    rx_desc_num: whole(descNum.least, descNum.most, 256).describe('Descriptors of the RX ring.'),
    rx_buffer: bytes(2048).describe('Bytes a receive buffer takes; ordinary pages, mapped.'),
  },
  queues: () => 1,
  txNum: (c) => c.tx_desc_num,
  rxNum: (c) => c.rx_desc_num,
  buffer: (c) => c.rx_buffer,
});
