/**
 * A Wi-Fi adapter in the manner of ath12k: memory for its firmware in many blocks, rings, traffic.
 *
 * Models ath12k_qmi_alloc_target_mem_chunk(): the firmware names segments, each is one coherent
 * allocation; where one over 2 MiB is refused, all go back and the firmware asks again with smaller
 * ones. Sizes of segments and rings follow reports of 128, 256 and 257 pages of 4 KiB; how many there
 * are is a key, because it differs between firmwares. Left out: host memory caps, other radios.
 */
import { setup } from 'xstate';
import { z } from 'zod';
import { counter, histogram } from '../../sim/statistics.js';
import type { DmaApi } from '../dmaApi.js';
import { defineDevice, type FootprintRow, type Numbers, type Row, words } from '../model.js';
import { whole } from '../parts/keys.js';
import { life, lifeActions, lifeFields, lifeGuards, lifeTimeline } from '../parts/life.js';
import {
  ARRIVE,
  beginsBatch,
  checkTraffic,
  configureTraffic,
  droppedBatches,
  trafficKeys,
} from '../parts/traffic.js';

const KIB = 1024;
const MIB = 2 ** 20;
/** ATH12K_QMI_MAX_CHUNK_SIZE: larger segments are asked for again, in pieces of this. */
const CHUNK_MAX = 2 * MIB;

const config = checkTraffic(
  z.strictObject({
    half_mib: whole(0, 4096, 64).describe('Blocks of 512 KiB (128 pages of 4 KiB).'),
    one_mib: whole(0, 4096, 48).describe('Blocks of 1 MiB (256 pages).'),
    over_one_mib: whole(0, 4096, 16).describe('Blocks of 1 MiB and 4 KiB (257 pages).'),
    segments: whole(0, 64, 0).describe('Segments of segment_mib that the firmware asks for first.'),
    segment_mib: whole(1, 256, 8).describe('MiB of such a segment.'),
    batch: whole(1, 4096, 64).describe('Descriptors the adapter reads for one batch.'),
    ...trafficKeys(),
  }),
);
type Config = z.output<typeof config>;

const fields = [
  ...lifeFields,
  'half',
  'one',
  'segments',
  'segmentBytes',
  // Bytes of a piece a segment is asked for in, and how many of them a segment is.
  'piece',
  'pieces',
  'batch',
] as const;
type WifiRow = Row<(typeof fields)[number]>;

const RX_DESC_BYTES = 8;

const smaller = counter('asked_smaller', {
  unit: '1',
  class: 'exact',
  help: 'Times the firmware asked again with smaller segments, because one over 2 MiB was refused.',
});
const ringTime = histogram('descriptor_fetch_ns', {
  unit: 'ns',
  class: 'assumed',
  help: 'Time in which the NIC reads the descriptors of one batch from its ring.',
});

/** Handles: blocks of 512 KiB, of 1 MiB, of 1 MiB and a page, then pieces of segments. */
function sizeOf(row: WifiRow, handle: number): number {
  const over = row.handles - row.segments * largestPieces(row.segmentBytes);
  if (handle < row.half) return 512 * KIB;
  if (handle < row.half + row.one) return MIB;
  if (handle < over) return MIB + 4096;
  return handle - over < row.segments * row.pieces ? row.piece : 0;
}

const largestPieces = (bytes: number): number => Math.ceil(bytes / CHUNK_MAX);

function skip(row: WifiRow): void {
  while (row.cursor < row.stop && sizeOf(row, row.cursor) === 0) row.cursor++;
}

const actions = {
  ...lifeActions,
  beginProbe: (dma: DmaApi, row: WifiRow) => {
    lifeActions.beginProbe(dma, row);
    skip(row);
  },
  allocate: (dma: DmaApi, row: WifiRow) => dma.alloc(row.cursor, sizeOf(row, row.cursor)),
  next: (_dma: DmaApi, row: WifiRow) => {
    row.cursor++;
    skip(row);
  },
  askSmaller: (dma: DmaApi, row: WifiRow) => {
    row.piece = CHUNK_MAX;
    row.pieces = largestPieces(row.segmentBytes);
    dma.record(smaller, 1);
  },
  beginBatch: (dma: DmaApi, row: WifiRow) => {
    if (!beginsBatch(dma, row, 16)) return;
    dma.access(0, row.batch * RX_DESC_BYTES, 1);
  },
  finishBatch: (dma: DmaApi, row: WifiRow, n: Numbers) => {
    row.inflight--;
    dma.record(ringTime, n[2]);
  },
};
const guards = {
  ...lifeGuards,
  isLarge: (_dma: DmaApi, row: WifiRow) => sizeOf(row, row.cursor) > CHUNK_MAX,
};

export const machine = setup(words(actions, guards)).createMachine(
  life('wifi', [
    { guard: 'isLarge', target: '#wifi.resetting', actions: 'askSmaller' },
    '#wifi.unwinding',
  ] as const),
);

const blocks = (c: Config): number => c.half_mib + c.one_mib + c.over_one_mib;

function footprint(c: Config): FootprintRow[] {
  const rows: [string, number, number][] = [
    ['block of 128 pages', 512 * KIB, c.half_mib],
    ['block of 256 pages', MIB, c.one_mib],
    ['block of 257 pages', MIB + 4096, c.over_one_mib],
    ['segment', c.segment_mib * MIB, c.segments],
  ];
  return rows
    .filter(([, , count]) => count > 0)
    .map(([purpose, bytes, count]) => ({ purpose, bytes, count, cma: true }));
}

export const wifi = defineDevice<Config, (typeof fields)[number]>({
  kind: 'wifi',
  summary: 'Wi-Fi adapter (ath12k): firmware memory in blocks of 512 KiB and more',
  config,
  fields,
  machine,
  actions,
  guards,
  delays: {},
  statistics: [ringTime, smaller, droppedBatches],
  timeline: lifeTimeline,
  own: [ARRIVE],
  handles: (c) => blocks(c) + c.segments * largestPieces(c.segment_mib * MIB),
  footprint,
  configure(row, c, setting) {
    row.half = c.half_mib;
    row.one = c.one_mib;
    row.segments = c.segments;
    row.segmentBytes = c.segment_mib * MIB;
    row.handles = blocks(c) + c.segments * largestPieces(row.segmentBytes);
    row.probed = row.handles;
    row.piece = row.segmentBytes;
    row.pieces = 1;
    row.batch = c.batch;
    configureTraffic(row, c, setting);
  },
});
