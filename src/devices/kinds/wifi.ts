/**
 * A Wi-Fi adapter in the manner of ath12k: memory for its firmware in many blocks, rings, traffic.
 *
 * Models ath12k_qmi_alloc_target_mem_chunk(): the firmware names segments, each is one coherent
 * allocation; where one over 2 MiB is refused, all go back and the firmware asks again with smaller
 * ones. Sizes of segments and rings follow reports of 128, 256 and 257 pages of 4 KiB; how many
 * there are is a key, because it differs between firmwares. Left out: host memory caps, other
 * radios.
 */
import { counter } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import type { DeviceRow } from '../model.js';
import { whole } from '../parts/keys.js';
import { defineLifeDevice } from '../parts/life.js';
import { beginsBatch, descriptorFetch } from '../parts/traffic.js';

const KIB = 1024;
const MIB = 2 ** 20;
/** ATH12K_QMI_MAX_CHUNK_SIZE: larger segments are asked for again, in pieces of this. */
const CHUNK_MAX = 2 * MIB;

const keys = {
  half_mib: whole(0, 4096, 64).describe('Blocks of 512 KiB (128 pages of 4 KiB).'),
  one_mib: whole(0, 4096, 48).describe('Blocks of 1 MiB (256 pages).'),
  over_one_mib: whole(0, 4096, 16).describe('Blocks of 1 MiB and 4 KiB (257 pages).'),
  segments: whole(0, 64, 0).describe('Segments of segment_mib that the firmware asks for first.'),
  segment_mib: whole(1, 256, 8).describe('MiB of such a segment.'),
  batch: whole(1, 4096, 64).describe('Descriptors the adapter reads for one batch.'),
};
// Bytes of a piece a segment is asked for in, and how many of them a segment is.
const state = ['piece', 'pieces'] as const;
type WifiRow = DeviceRow<keyof typeof keys | (typeof state)[number]>;

const RX_DESC_BYTES = 8;

const smaller = counter('asked_smaller', {
  unit: '1',
  class: 'exact',
  help: 'Times the firmware asked again with smaller segments, because one over 2 MiB was refused.',
});
/** Bytes of a handle; of the segments, in pieces of the size that is tried. */
function sizeOf(dma: DmaApi, row: WifiRow, handle: number): number {
  const over = row.half_mib + row.one_mib + row.over_one_mib;
  if (handle < over) return dma.bytes(handle);
  return handle - over < row.segments * row.pieces ? row.piece : 0;
}

const largestPieces = (bytes: number): number => Math.ceil(bytes / CHUNK_MAX);

export const wifi = defineLifeDevice({
  kind: 'wifi',
  summary: 'Wi-Fi adapter (ath12k): firmware memory in blocks of 512 KiB and more',
  keys,
  state,
  refused: [
    { guard: 'isLarge', target: '#wifi.resetting', actions: 'askSmaller' },
    '#wifi.unwinding',
  ],
  actions: {
    allocate: (dma, row) => dma.alloc(row.cursor, sizeOf(dma, row, row.cursor)),
    next(dma, row) {
      row.cursor++;
      while (row.cursor < row.stop && sizeOf(dma, row, row.cursor) === 0) row.cursor++;
    },
    askSmaller(dma, row) {
      row.piece = CHUNK_MAX;
      row.pieces = largestPieces(row.segment_mib * MIB);
      dma.record(smaller, 1);
    },
    beginBatch(dma, row) {
      if (beginsBatch(dma, row, 16)) dma.access(0, row.batch * RX_DESC_BYTES, 1);
    },
  },
  guards: { isLarge: (dma, row) => sizeOf(dma, row, row.cursor) > CHUNK_MAX },
  took: descriptorFetch,
  statistics: [smaller],
  memory(c) {
    const bytes = c.segment_mib * MIB;
    return [
      { purpose: 'block of 128 pages', bytes: 512 * KIB, count: c.half_mib },
      { purpose: 'block of 256 pages', bytes: MIB, count: c.one_mib },
      { purpose: 'block of 257 pages', bytes: MIB + 4096, count: c.over_one_mib },
      { purpose: 'segment', bytes, count: c.segments },
      { purpose: 'smaller segments', bytes: 0, count: c.segments * (largestPieces(bytes) - 1) },
    ];
  },
  configure(row, c) {
    row.piece = c.segment_mib * MIB;
    row.pieces = 1;
  },
});
