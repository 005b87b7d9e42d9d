/**
 * The machines that come with the simulator, one row each.
 *
 * Every number carries its class. `exact` is used for firmware tables as machines print them;
 * `calibrated` for published measurements; `assumed` for estimates, memory maps among them: what a
 * board has below 4 GiB is typical, where its upper memory starts is simplified to round addresses
 * below 8 TiB.
 */

import type { Machine, NumberClass } from './machine.js';

/** A number with the class and the source every number must have. */
export interface Classed {
  readonly value: number;
  readonly class: NumberClass;
  readonly source: string;
}

interface LatencyClass {
  /** SLIT distance of the pairs of nodes this is the latency of. */
  readonly distance: number;
  /** Idle load-to-use latency in ns. */
  readonly ns: number;
  readonly class: NumberClass;
  readonly source: string;
}

export interface PresetRow {
  readonly name: string;
  /** One sentence for `cmasim machines`. */
  readonly summary: string;
  readonly arch: Machine['arch'];
  /** Bytes; 4096 unless given. */
  readonly pageSize?: number;
  readonly nodes: readonly PresetNode[];
  readonly distance: readonly (readonly number[])[];
  readonly distanceClass: Omit<Classed, 'value'>;
  readonly latency: readonly LatencyClass[];
  /** ns; as on kunpeng920-2p unless given. */
  readonly onDie?: Classed;
  /** GB/s per node. */
  readonly bandwidth: Classed;
  /** GB/s of all links into a node together. */
  readonly linkBandwidth: Classed;
  /** Origin of the memory map and of the number of CPUs; typical ones unless given. */
  readonly layoutClass?: Omit<Classed, 'value'>;
  /** Ranges firmware and kernel image hold at boot, in bytes. */
  readonly reserved: readonly (readonly [start: number, end: number])[];
}

interface PresetNode {
  /** Position in the list unless given. */
  readonly nid?: number;
  readonly cpus: number;
  /** Half-open byte ranges. */
  readonly memory: readonly (readonly [start: number, end: number])[];
  /** Socket or chassis; 0 unless given. */
  readonly chassis?: number;
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;

const firmware = (source: string) => ({ class: 'exact', source }) as const;
const calibrated = (source: string) => ({ class: 'calibrated', source }) as const;
const assumed = (source: string) => ({ class: 'assumed', source }) as const;

/** `[base, base + size)`. */
function range(base: number, size: number): readonly [number, number] {
  return [base, base + size];
}

/** A SLIT of `size` nodes by what lies between each two of them. */
function slit(size: number, between: (a: number, b: number) => number): number[][] {
  return Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) => (a === b ? 10 : between(a, b))),
  );
}

/** `sockets` x `dies` nodes: `near` inside a socket, `far` between two. */
function sockets(count: number, dies: number, [near, far]: readonly [number, number]): number[][] {
  const socket = (node: number) => Math.floor(node / dies);
  return slit(count * dies, (a, b) => (socket(a) === socket(b) ? near : far));
}

/** A PC's memory below 4 GiB: BIOS area from 640 KiB to 1 MiB, PCI hole from 2 GiB on. */
const pcLow = [[0x1000, 0x9f000] as const, [MiB, 2 * GiB] as const];

/**
 * Nodes of 64 GiB whose upper memory follows each other from 4 GiB on; node 0 has the memory below
 * it.
 */
function pcNodes(count: number, { cpus, dies }: { cpus: number; dies: number }): PresetNode[] {
  return Array.from({ length: count }, (_, i): PresetNode => {
    const high = range(4 * GiB + 64 * GiB * i, 64 * GiB);
    return { cpus, memory: i === 0 ? [...pcLow, high] : [high], chassis: Math.floor(i / dies) };
  });
}

const pcReserved = [range(0, 0x1000), range(16 * MiB, 48 * MiB)];
const armReserved = (base: number) => [range(base + 2 * MiB, 46 * MiB)];
const estimate = assumed('estimate');

const stream = 'single-thread STREAM copy of CPU 7 to nodes 0-3, 8701/7802/4557/4064 MB/s';
const kunpeng: PresetRow = {
  name: 'kunpeng920-2p',
  summary: 'HiSilicon Kunpeng 920, 2 sockets of 2 dies, chain 1-0-2-3',
  arch: 'arm64',
  nodes: [
    { cpus: 24, memory: [range(0, 2 * GiB), range(130 * GiB, 62 * GiB)], chassis: 0 },
    { cpus: 24, memory: [range(256 * GiB, 64 * GiB)], chassis: 0 },
    { cpus: 24, memory: [range(512 * GiB, 64 * GiB)], chassis: 1 },
    { cpus: 24, memory: [range(768 * GiB, 64 * GiB)], chassis: 1 },
  ],
  distance: [
    [10, 12, 20, 22],
    [12, 10, 22, 24],
    [20, 22, 10, 12],
    [22, 24, 12, 10],
  ],
  distanceClass: firmware('numactl -H of D06 boards, LKML 2020-2021'),
  latency: [
    { distance: 10, ns: 100, ...assumed('local load, estimated 95-105') },
    { distance: 12, ns: 111.5, ...calibrated(`100 ns x 1.115: ${stream}`) },
    { distance: 20, ns: 191, ...calibrated(`100 ns x 1.91: ${stream}`) },
    { distance: 22, ns: 214, ...calibrated(`100 ns x 2.14: ${stream}`) },
    { distance: 24, ns: 225.5, ...assumed('22 and one more die crossing of 11.5 ns') },
  ],
  onDie: {
    value: 60,
    ...calibrated(
      'CMD_SYNC on a local queue, 240 ns: 3.5 transfers and execution (June 2020 patch)',
    ),
  },
  bandwidth: { value: 75, ...assumed('4 x DDR4-2933 per die, 80 % of peak') },
  linkBandwidth: { value: 60, ...assumed('Hydra links of a socket, 60 GB/s class') },
  reserved: armReserved(0),
};

const epyc: PresetRow = {
  name: 'epyc-nps4-2p',
  summary: 'AMD EPYC, 2 sockets in NPS4: 8 nodes',
  arch: 'x86',
  nodes: pcNodes(8, { cpus: 32, dies: 4 }),
  distance: sockets(2, 4, [12, 32]),
  distanceClass: firmware('HPC site documentation of NPS4 systems'),
  latency: [
    { distance: 10, ns: 113, ...calibrated('AnandTech 2019, Rome NPS4 at 128 MiB') },
    { distance: 12, ns: 122, ...calibrated('AnandTech 2019, Rome NPS1 at 128 MiB') },
    { distance: 32, ns: 220, ...assumed('other socket, estimated 200-240') },
  ],
  bandwidth: { value: 41, ...assumed('2 x DDR4-3200 per quadrant, 80 % of 51') },
  linkBandwidth: { value: 41, ...assumed("as the quadrant's own memory") },
  reserved: pcReserved,
};

const scargall = 'MLC, S. Scargall, Linux NUMA Distances Explained, 2022';
const xeon2: PresetRow = {
  name: 'xeon-2p',
  summary: 'Intel Xeon (Sapphire Rapids class), 2 sockets',
  arch: 'x86',
  nodes: pcNodes(2, { cpus: 64, dies: 1 }),
  distance: sockets(2, 1, [21, 21]),
  distanceClass: firmware('numactl -H, common firmware table'),
  latency: [
    { distance: 10, ns: 108.2, ...calibrated(scargall) },
    { distance: 21, ns: 195.7, ...calibrated(scargall) },
  ],
  bandwidth: { value: 69, ...assumed('MLC 69.3 GB/s on an older 2-socket Xeon') },
  linkBandwidth: { value: 34, ...assumed('MLC, remote 34.4 GB/s where local is 69.3') },
  reserved: pcReserved,
};

const xeon4: PresetRow = {
  ...xeon2,
  name: 'xeon-4p',
  summary: 'Intel Xeon, 4 sockets, fully connected',
  nodes: pcNodes(4, { cpus: 56, dies: 1 }),
  distance: sockets(4, 1, [21, 21]),
  distanceClass: estimate,
  latency: [
    { distance: 10, ns: 89.2, ...calibrated('MLC note, 2-socket Xeon, 89.2/139.5') },
    { distance: 21, ns: 139.5, ...calibrated('MLC note, 2-socket Xeon, 89.2/139.5') },
  ],
};

const xeon8: PresetRow = {
  ...xeon4,
  name: 'xeon-8p',
  summary:
    'Intel Xeon, 8 sockets without glue, 3 UPI links each: a cube with its diagonals two hops away',
  nodes: pcNodes(8, { cpus: 56, dies: 1 }),
  distance: slit(8, (a, b) => ((a ^ b).toString(2).replaceAll('0', '').length === 1 ? 21 : 31)),
  latency: [...xeon4.latency, { distance: 31, ns: 190, ...assumed('one more hop of 50 ns') }],
};

const ftBlog = 'lmbench stream on FT-2500, 5638/5059/4151/4340 MB/s and 1727-1862 across, x 100 ns';
/**
 * One socket; row 0 is published, the other rows keep its distances at each row's own neighbours.
 */
const ftSocket = [
  [10, 20, 40, 30, 20, 30, 50, 40],
  [20, 10, 30, 40, 50, 20, 40, 50],
  [40, 30, 10, 20, 40, 50, 20, 30],
  [30, 40, 20, 10, 30, 20, 40, 50],
  [20, 50, 40, 30, 10, 50, 30, 20],
  [30, 20, 50, 20, 50, 10, 50, 40],
  [50, 40, 20, 40, 30, 50, 10, 30],
  [40, 50, 30, 50, 20, 40, 30, 10],
];
const ft2500: PresetRow = {
  name: 'ft2500-2p-16n',
  summary: 'Phytium FT-2500, 2 sockets of 8 nodes',
  arch: 'arm64',
  nodes: Array.from({ length: 16 }, (_, i): PresetNode => {
    const high = range((i + 1) * 128 * GiB, 16 * GiB);
    return {
      cpus: 8,
      memory: i === 0 ? [range(2 * GiB, 2 * GiB), high] : [high],
      chassis: Math.floor(i / 8),
    };
  }),
  distance: slit(16, (a, b) => (a < 8 === b < 8 ? ftSocket[a % 8][b % 8] : 100)),
  distanceClass: assumed('row 0: numactl -H in a public blog; rows 1-7 assumed'),
  latency: [
    { distance: 10, ns: 100, ...assumed('local load') },
    { distance: 20, ns: 111.4, ...calibrated(ftBlog) },
    { distance: 30, ns: 129.9, ...calibrated(ftBlog) },
    { distance: 40, ns: 135.8, ...calibrated(ftBlog) },
    { distance: 50, ns: 139.1, ...calibrated(`${ftBlog}; 4052 MB/s`) },
    { distance: 100, ns: 314.2, ...calibrated(ftBlog) },
  ],
  bandwidth: { value: 17, ...assumed('one DDR4-2666 channel per node, 80 %') },
  linkBandwidth: { value: 9, ...assumed('half of the local one') },
  reserved: armReserved(2 * GiB),
};

const altra: PresetRow = {
  name: 'altra-2p-64k',
  summary: 'Ampere Altra, 2 sockets, 64 KiB pages: areas are rounded up to 512 MiB',
  arch: 'arm64',
  pageSize: 65536,
  nodes: [
    { cpus: 80, memory: [range(2 * GiB, 2 * GiB), range(8 * TiB, 126 * GiB)], chassis: 0 },
    { cpus: 80, memory: [range(16 * TiB, 128 * GiB)], chassis: 1 },
  ],
  distance: sockets(2, 1, [20, 20]),
  distanceClass: assumed('commonly seen'),
  latency: [
    { distance: 10, ns: 105, ...assumed('estimated 95-115') },
    { distance: 20, ns: 270, ...assumed('estimated 190-350') },
  ],
  bandwidth: { value: 160, ...assumed('8 x DDR4-3200 per socket, 80 %') },
  linkBandwidth: { value: 80, ...assumed('half of the local one') },
  reserved: armReserved(2 * GiB),
};

/** GPUs 0, 1 hang on node 0, GPUs 2, 3 on node 1; each GPU has 8 nodes, memory on the first. */
const ghOwner = (nid: number) => (nid < 2 ? nid : Math.floor((nid - 2) / 16));
const ghDistance = slit(34, (a, b) => {
  if (a < 2 && b < 2) return 40;
  if (a < 2 || b < 2) return ghOwner(a) === ghOwner(b) ? 80 : 120;
  return 160;
});
const grace: PresetRow = {
  name: 'gh200-like',
  summary: '2 CPU nodes and 32 GPU nodes without CPUs, 4 of which have memory',
  arch: 'arm64',
  pageSize: 65536,
  nodes: Array.from({ length: 34 }, (_, i): PresetNode => {
    const chassis = ghOwner(i);
    if (i < 2) {
      const high = range((1 + i) * TiB, 240 * GiB);
      const memory = i === 0 ? [range(2 * GiB, 2 * GiB), high] : [high];
      return { cpus: 72, memory, chassis };
    }
    const gpu = Math.floor((i - 2) / 8);
    const memory = (i - 2) % 8 === 0 ? [range((4 + gpu) * TiB, 96 * GiB)] : [];
    return { cpus: 0, memory, chassis };
  }),
  distance: ghDistance,
  distanceClass: firmware('numactl -H of a 2-CPU GH200-type system; 160 between GPUs assumed'),
  latency: [
    { distance: 10, ns: 125, ...assumed('Grace, estimated 110-140') },
    { distance: 40, ns: 220, ...assumed('other CPU') },
    { distance: 80, ns: 250, ...assumed('own GPU over C2C, estimated 250 and more') },
    { distance: 120, ns: 345, ...assumed('other CPU and its C2C') },
    { distance: 160, ns: 400, ...assumed('GPU to GPU') },
  ],
  bandwidth: { value: 400, ...assumed('LPDDR5X, 80 % of 500') },
  linkBandwidth: { value: 200, ...assumed('half of the local one; C2C is faster') },
  reserved: armReserved(2 * GiB),
};

const oneNode = { distance: [[10]], distanceClass: firmware('one node has no SLIT') };
const rpi4: PresetRow = {
  ...oneNode,
  name: 'rpi4',
  summary: 'Raspberry Pi 4, 4 GiB; ZONE_DMA ends at 1 GiB',
  arch: 'arm64',
  nodes: [
    {
      cpus: 4,
      memory: [
        [0, 0x3b400000],
        [0x40000000, 0xfc000000],
      ],
    },
  ],
  latency: [{ distance: 10, ns: 130, ...assumed('LPDDR4 on Cortex-A72') }],
  onDie: { value: 60, ...assumed('estimate') },
  bandwidth: { value: 4, ...assumed('measured by users at 4-5 GB/s') },
  linkBandwidth: { value: 4, ...assumed('one node: no links') },
  layoutClass: assumed('4 GiB board, 76 MiB for the GPU'),
  reserved: armReserved(0),
};

const embedded: PresetRow = {
  ...oneNode,
  name: 'single-node-embedded',
  summary: 'A small arm64 board: one node, 4 CPUs, 1 GiB',
  arch: 'arm64',
  nodes: [{ cpus: 4, memory: [range(GiB, GiB)] }],
  latency: [{ distance: 10, ns: 130, ...assumed('LPDDR4') }],
  onDie: { value: 60, ...assumed('estimate') },
  bandwidth: { value: 4, ...assumed('estimate') },
  linkBandwidth: { value: 4, ...assumed('one node: no links') },
  reserved: armReserved(GiB),
};

export const presets: readonly PresetRow[] = [
  kunpeng,
  epyc,
  xeon2,
  xeon4,
  xeon8,
  ft2500,
  altra,
  grace,
  rpi4,
  embedded,
];
